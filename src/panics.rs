//! Panics of code that is not ours.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a value whose destructor may panic, such as the payload of a panic.
pub(crate) fn drop_quietly<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload of that panic could go on like this.
        mem::forget(panic);
    }
}
