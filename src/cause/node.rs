//! What one cause holds, and how a path of them is read.

use std::collections::BTreeMap;
use std::iter;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::learned::{Learned, Observation};
use super::transport::Transport;
use super::{Cause, Weight};
use crate::clock::{self, Order};
use crate::disconnect::Facts;
use crate::panics::quietly;
use crate::{ConnectType, Disconnect, Evidence, Initiator};

/// A node of the tree of causes.
#[derive(Default)]
pub(crate) struct Node {
    /// Set at birth.
    pub(super) parent: Option<Cause>,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// That of the first guard.
    layer: Option<ConnectType>,
    /// The first tracked stream; the others are in [`Open`].
    pub(super) transport: Option<Transport>,
    /// Both in a box: most open connections have neither.
    learned: Option<Box<Learned>>,
    pub(super) open: Option<Box<Open>>,
}

/// What matters as long as the connection is open.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// What an end without a word means from now on, and how many bytes had come from the side that it names: with
    /// the next one it is over.
    pub(super) presumption: Option<(Disconnect, u64)>,
    /// Whose transport was half closed first.
    pub(crate) half_closed: Option<(ConnectType, Option<Initiator>)>,
    /// A peer that had stopped takes nothing any more either.
    pub(crate) has_left: bool,
    /// This side shut a stream down before any peer had stopped.
    pub(crate) shut_down: Option<ConnectType>,
    pub(super) waiters: BTreeMap<usize, Waker>,
    pub(super) more_transports: Vec<Transport>,
}

/// A record that a cause found on its path.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) end: Disconnect,
    /// Expected, and inherited or only assumed: a panic explains more.
    pub(crate) yields_to_panic: bool,
}

/// A place on the path from a cause up to its root.
#[derive(Clone, Copy, Default)]
struct Place {
    is_inherited: bool,
    /// The layer of the topmost guard above the cause, up to here.
    origin: Option<ConnectType>,
}

impl Place {
    /// A record that was found here, with the facts of this very cause and no other's, and the layer of the line that
    /// reports it.
    fn found(self, end: Disconnect, is_assumed: bool) -> Found {
        let facts = if self.is_inherited { Facts::NONE } else { end.facts };
        let yields_to_panic = end.expected() && (self.is_inherited || is_assumed);
        Found { end: Disconnect { origin: self.origin, facts, ..end }, yields_to_panic }
    }
}

impl State {
    pub(crate) fn open(&mut self) -> &mut Open {
        self.open.get_or_insert_default()
    }

    /// Whether the end is known, and no stream of this peer showed it.
    pub(crate) fn was_ended_beside(&self, peer: Option<Initiator>) -> bool {
        let learned = self.learned.as_ref();
        learned.and_then(|learned| learned.first.as_ref()).is_some_and(|first| first.end.peer != peer)
    }
}

impl Drop for Node {
    /// A chain of parents may be as long as a process lives: it is taken apart without recursion.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(Cause(node)) = next {
            next = Arc::into_inner(node).and_then(|mut node| node.parent.take());
        }
    }
}

impl Cause {
    // Whole values move in and out, so a panic elsewhere leaves no half-written one.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This cause, its parent, and so on.
    pub(super) fn path(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |cause| cause.0.parent.as_ref())
    }

    /// Looks at one cause of the path after the other.
    fn look(&self, mut look: impl FnMut(&State, Place)) {
        let mut place = Place::default();
        for cause in self.path() {
            let state = cause.lock();
            if place.is_inherited {
                place.origin = state.layer.or(place.origin);
            }
            look(&state, place);
            place.is_inherited = true;
        }
    }

    /// Notes that a guard's line reports this. The layer of the first one counts.
    pub(crate) fn reported_by(self, connect_type: ConnectType) -> Self {
        self.lock().layer.get_or_insert(connect_type);
        self
    }

    /// Takes in what a look at this cause decides, and returns whether it was kept.
    pub(crate) fn observe(&self, look: impl FnOnce(&mut State) -> Option<(Weight, Disconnect)>) -> bool {
        let mut order = clock::order();
        let mut state = self.lock();
        let Some((weight, end)) = look(&mut state) else {
            return false;
        };
        *order += 1;
        let learned = state.learned.get_or_insert_default();
        let is_kept = learned.learn(Observation { number: *order, at: clock::now(), weight, end });
        let is_known = learned.first.is_some();
        let open = state.open.as_mut().filter(|_| is_known);
        let waiters = open.map(|open| mem::take(&mut open.waiters));
        drop((state, order));
        // Not under a lock: wakers are not ours. One that panics keeps no other asleep.
        for (_, waker) in waiters.into_iter().flatten() {
            quietly(|| waker.wake());
        }
        is_kept
    }

    /// What is known on the path.
    pub(crate) fn known(&self) -> Option<Found> {
        self.known_in(&clock::order())
    }

    /// What is known on the path, else the best of what is not.
    pub(crate) fn known_or_weak(&self) -> Option<Disconnect> {
        let order = clock::order();
        Some(self.known_in(&order).or_else(|| self.weak_in(&order))?.end)
    }

    /// What the path learned, in the order of time, by the one rule. What a cause learned after one below it
    /// already knew is left out.
    ///
    /// So on the way up, each that counts is older than all before it. The last is the answer, unless it is
    /// `Transport`: that is refined by the last `Peer` before it.
    fn known_in(&self, _: &Order) -> Option<Found> {
        let (mut first, mut peer): (Option<(u64, Option<Evidence>, Found)>, _) = (None, None);
        self.look(|state, place| {
            let Some(here) = state.learned.as_deref() else {
                return;
            };
            let known_below = first.as_ref().map_or(u64::MAX, |(number, ..)| *number);
            let newest_first = here.refined.as_deref().into_iter().chain(&here.first);
            for one in newest_first.filter(|one| one.number < known_below) {
                let end = Disconnect { facts: here.facts, ..one.end.clone() };
                let found = place.found(end, one.is_assumed());
                let before = first.replace((one.number, one.weight.evidence(), found));
                if let Some((_, Some(Evidence::Peer), found)) = before {
                    peer = Some(found);
                }
            }
        });
        let (_, evidence, first) = first?;
        peer.filter(|_| evidence == Some(Evidence::Transport)).or(Some(first))
    }

    /// If nothing is known: the text of an error, what was presumed, an error that explains nothing new, a
    /// stream that this side shut down. Of two texts or errors the earlier, of the others the nearest.
    fn weak_in(&self, _: &Order) -> Option<Found> {
        let (mut weak, mut tracked) = (Vec::new(), Vec::new());
        self.look(|state, place| {
            let error = state.learned.as_ref().and_then(|learned| learned.weak.as_deref());
            let error = error.map(|one| {
                let rank = if one.weight == Weight::Text { 0 } else { 2 };
                ((rank, one.number), one.end.clone())
            });
            let presumed = state.presumed(&mut tracked).map(|end| ((1, 0), end));
            let shut_down = state.shut_down().map(|end| ((3, 0), end));
            let here = [error, presumed, shut_down].into_iter().flatten();
            weak.extend(here.map(|(rank, end)| (rank, place.found(end, false))));
        });
        weak.into_iter().min_by_key(|(rank, _)| *rank).map(|(_, found)| found)
    }

    /// What this cause's own observations know beside the cause, and when it first knew that.
    pub(crate) fn own_facts(&self) -> (Facts, Option<Instant>) {
        let state = self.lock();
        let own = |learned: &Learned| (learned.facts, learned.first.as_ref().and_then(|first| first.at));
        let (facts, at) = state.learned.as_deref().map_or((Facts::NONE, None), own);
        (facts.or(state.bytes()), at)
    }
}
