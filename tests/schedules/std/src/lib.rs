//! The standard library, but locks, atomics and threads are those of a model checker.
//!
//! The package beside this one names it `std` and compiles the library's own source with it.

pub use ::std::*;

/// The real one, for what runs outside of a model.
pub use ::std as real;

/// What the library uses, each by name: what is not listed does not build until it is decided here whether it can
/// stay real. An `Arc` and a `OnceLock` are: nothing waits for them, and each use is one step.
pub mod sync {
    pub use ::std::sync::{Arc, OnceLock, PoisonError};
    pub use shuttle::sync::{Mutex, MutexGuard, atomic};
}

/// Threads, one of which runs at a time.
pub mod thread {
    use ::std::cell::Cell;

    pub use shuttle::thread::{JoinHandle, Result, spawn};

    shuttle::thread_local! {
        static UNWINDS: Cell<bool> = Cell::new(false);
    }

    /// Whether this thread unwinds. All of a model share one thread of the system, so the system's own answer would be
    /// another thread's as well.
    #[must_use]
    pub fn panicking() -> bool {
        ::std::thread::panicking() || UNWINDS.with(Cell::get)
    }

    /// Does something as the destructors of a thread do that unwinds.
    pub fn unwinding<T>(act: impl FnOnce() -> T) -> T {
        UNWINDS.with(|unwinds| unwinds.set(true));
        let result = act();
        UNWINDS.with(|unwinds| unwinds.set(false));
        result
    }
}
