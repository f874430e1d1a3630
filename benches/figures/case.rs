//! One thing that is measured.

/// Runs a case so often.
pub(crate) type Batch = Box<dyn FnMut(u32)>;

pub(crate) struct Case {
    make: Box<dyn Fn() -> Batch>,
    pub(crate) counted: Counted,
}

/// Whether its instructions are the same in each run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Exactly,
    /// It reads a clock, and how two readings are subtracted depends on their values: now and then an instruction
    /// more or less.
    Nearly,
    /// It has threads, or lets the processor copy bytes by a single instruction.
    Never,
}

impl Case {
    /// What `make` sets up is not measured.
    pub(crate) fn new(make: impl Fn() -> Batch + 'static) -> Self {
        Self {
            make: Box::new(make),
            counted: Counted::Exactly,
        }
    }

    pub(crate) fn counted(self, counted: Counted) -> Self {
        Self { counted, ..self }
    }

    pub(crate) fn make(&self) -> Batch {
        (self.make)()
    }
}

pub(crate) fn each(mut run: impl FnMut() + 'static) -> Batch {
    Box::new(move |count| (0..count).for_each(|_| run()))
}
