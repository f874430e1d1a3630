//! Waiting for a cause without a runtime.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::Cause;
use crate::Disconnect;

/// Waits in every cause on the path, and leaves nothing behind there.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) cause: Cause,
    pub(super) id: usize,
}

impl Future for Ended {
    type Output = Disconnect;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Disconnect> {
        // First the wakers, then the look: what is recorded after it finds them.
        for cause in self.cause.path() {
            let waker = context.waker().clone();
            let replaced = cause.lock().open().waiters.insert(self.id, waker);
            // Not under a lock: wakers are not ours.
            drop(replaced);
        }
        match self.cause.get() {
            Some(end) => Poll::Ready(end),
            None => Poll::Pending,
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        for cause in self.cause.path() {
            let removed = cause.lock().open.as_mut().and_then(|open| open.waiters.remove(&self.id));
            drop(removed);
        }
    }
}
