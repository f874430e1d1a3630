//! Clients that have not logged in yet: so many, and no more.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disconnect_attribution::{Cause, Disconnect, Evidence};

use super::handler::rejected;

const REFUSED: &str = "too many clients that have not logged in";

pub(super) fn refusal() -> Disconnect {
    rejected(REFUSED.to_owned())
}

/// How many there may be.
const CAP: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// By the order of their arrival.
    waiting: Mutex<BTreeMap<usize, (IpAddr, Cause)>>,
    arrivals: AtomicUsize,
    refused: AtomicUsize,
}

impl Crowd {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<usize, (IpAddr, Cause)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a client in, and sends one away if that is one too many: of the address that has the most,
    /// the one that has waited longest. So a crowd that only waits locks no other client out.
    pub(super) fn enter(crowd: &Arc<Self>, address: IpAddr, cause: Cause) -> HalfOpen {
        let arrival = crowd.arrivals.fetch_add(1, Relaxed);
        let mut waiting = crowd.waiting();
        waiting.insert(arrival, (address, cause));
        if waiting.len() > CAP {
            let share = |of: IpAddr| waiting.values().filter(|(other, _)| *other == of).count();
            // Of equals the last counts, which is the oldest in this order.
            let newest_first = waiting.iter().rev();
            let oldest = newest_first.max_by_key(|(_, (address, _))| share(*address));
            let oldest = oldest.map(|(arrival, _)| *arrival);
            if let Some((_, cause)) = oldest.and_then(|arrival| waiting.remove(&arrival)) {
                cause.record(Evidence::Local, refusal());
            }
        }
        drop(waiting);
        HalfOpen(Arc::clone(crowd), arrival)
    }

    /// Whether an end is a refusal, which is counted then, and has no line of its own.
    pub(super) fn counts(&self, end: &Disconnect) -> bool {
        let is_refused = end.detail() == Some(REFUSED);
        self.refused.fetch_add(usize::from(is_refused), Relaxed);
        is_refused
    }

    /// How many were refused since the last call.
    pub(super) fn take_refused(&self) -> usize {
        self.refused.swap(0, Relaxed)
    }
}

/// A client that has not logged in, until this is dropped.
#[derive(Debug)]
pub(super) struct HalfOpen(Arc<Crowd>, usize);

impl Drop for HalfOpen {
    fn drop(&mut self) {
        self.0.waiting().remove(&self.1);
    }
}
