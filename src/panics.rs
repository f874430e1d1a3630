//! Panics of code that is not ours.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what may panic, such as the destructor of a panic's payload, and goes on.
pub(crate) fn quietly(run: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        // The destructor of that payload could go on like this.
        mem::forget(panic);
    }
}
