//! Waiting for a cause without a runtime.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use super::Cause;
use crate::Disconnect;

/// Waits in every cause on the path, and leaves nothing behind there.
#[derive(Debug)]
pub(super) struct Ended {
    cause: Cause,
    id: u64,
}

impl Ended {
    pub(super) fn new(cause: Cause) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { cause, id }
    }
}

impl Future for Ended {
    type Output = Disconnect;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Disconnect> {
        // First the wakers, then the look: what is recorded after it finds them.
        for place in self.cause.path() {
            let waker = context.waker().clone();
            let replaced = place.node.update(|open| open.waiters.insert(self.id, waker));
            // Not under a lock: wakers are not ours.
            drop(replaced);
        }
        match self.cause.known() {
            Some(known) => Poll::Ready(known.end),
            None => Poll::Pending,
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        for place in self.cause.path() {
            let mut state = place.node.lock();
            let open = state.open.as_mut();
            let waker = open.and_then(|open| open.waiters.remove(&self.id));
            drop(state);
            drop(waker);
        }
    }
}
