//! One thing that is measured.

/// Runs a case so often.
pub(crate) type Batch = Box<dyn FnMut(u32)>;

pub(crate) struct Case {
    make: Box<dyn Fn() -> Batch>,
    /// Its instructions are the same in each run.
    pub(crate) is_exact: bool,
}

impl Case {
    /// What `make` sets up is not measured.
    pub(crate) fn new(make: impl Fn() -> Batch + 'static) -> Self {
        Self {
            make: Box::new(make),
            is_exact: true,
        }
    }

    /// A case that reads a clock, whose value decides how it is computed with, or that has threads: no count.
    pub(crate) fn only_timed(make: impl Fn() -> Batch + 'static) -> Self {
        Self {
            is_exact: false,
            ..Self::new(make)
        }
    }

    pub(crate) fn make(&self) -> Batch {
        (self.make)()
    }
}

pub(crate) fn each(mut run: impl FnMut() + 'static) -> Batch {
    Box::new(move |count| (0..count).for_each(|_| run()))
}
