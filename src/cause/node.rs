//! What one cause holds, and how a path of them is read.

use std::collections::BTreeMap;
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::learned::{Learned, Observation};
use super::transport::Transport;
use super::{Cause, Weight};
use crate::clock::Order;
use crate::disconnect::Facts;
use crate::panics::drop_quietly;
use crate::{ConnectType, Disconnect, Evidence, Initiator};

/// A node of the tree of causes.
#[derive(Default)]
pub(crate) struct Node {
    /// Set at birth.
    parent: Option<Cause>,
    state: Mutex<State>,
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
    /// What an end without a word means from now on.
    pub(super) presumption: Option<Presumption>,
    /// Whose transport was half closed first.
    pub(crate) half_closed: Option<(ConnectType, Option<Initiator>)>,
    /// A peer that had stopped takes nothing any more either.
    pub(crate) has_left: bool,
    /// This side shut a stream down before any peer had stopped.
    pub(crate) shut_down: Option<ConnectType>,
    pub(super) waiters: BTreeMap<usize, Waker>,
    pub(super) more_transports: Vec<Transport>,
}

#[derive(Debug)]
pub(super) struct Presumption {
    pub(super) end: Disconnect,
    /// How many bytes had come from the side that it names: with the next one it is over.
    pub(super) received: u64,
}

/// A record that a cause found on its path.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) end: Disconnect,
    /// The layer of the line that reports it.
    pub(crate) origin: Option<ConnectType>,
    /// Expected, and inherited or only assumed: a panic explains more.
    pub(crate) yields_to_panic: bool,
}

/// A place on the path from a cause up to its root.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    is_inherited: bool,
    /// The layer of the topmost guard above the cause, up to here.
    origin: Option<ConnectType>,
}

impl Place {
    /// A record that was found here, with the facts of this very cause and no other's.
    pub(super) fn found(self, end: &Disconnect, facts: Facts) -> Found {
        let mut end = end.clone();
        end.facts = if self.is_inherited { Facts::NONE } else { end.facts.or(facts) };
        let yields_to_panic = self.is_inherited && end.expected();
        Found { end, origin: self.origin, yields_to_panic }
    }
}

impl Node {
    pub(super) fn over(parent: Cause) -> Self {
        let mut node = Self::default();
        node.parent = Some(parent);
        node
    }

    // Whole values move in and out, so a panic elsewhere leaves no half-written one.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn open(&mut self) -> &mut Open {
        self.open.get_or_insert_default()
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
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// This cause, its parent, and so on.
    pub(super) fn path(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |cause| cause.0.parent.as_ref())
    }

    /// Looks at one cause of the path after the other, until a look finds something.
    pub(super) fn find<T>(&self, mut look: impl FnMut(&State, Place) -> Option<T>) -> Option<T> {
        let mut place = Place::default();
        self.path().find_map(|cause| {
            let state = cause.lock();
            if place.is_inherited {
                place.origin = state.layer.or(place.origin);
            }
            let found = look(&state, place);
            place.is_inherited = true;
            found
        })
    }

    /// Notes that a guard's line reports this. The layer of the first one counts.
    pub(crate) fn reported_by(self, connect_type: ConnectType) -> Self {
        self.lock().layer.get_or_insert(connect_type);
        self
    }

    /// Takes in what a look at this cause decides, and returns whether it was kept.
    pub(crate) fn observe(&self, look: impl FnOnce(&mut State) -> Option<(Weight, Disconnect)>) -> bool {
        let mut order = Order::hold();
        let mut state = self.lock();
        let Some((weight, end)) = look(&mut state) else {
            return false;
        };
        let learned = state.learned.get_or_insert_default();
        let is_kept = learned.learn(Observation { stamp: order.stamp(), weight, end });
        let is_known = learned.first.is_some();
        let open = state.open.as_mut().filter(|_| is_known);
        let waiters = open.map(|open| mem::take(&mut open.waiters));
        drop((state, order));
        // Not under a lock: wakers are not ours. One that panics keeps no other asleep.
        for (_, waker) in waiters.into_iter().flatten() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                drop_quietly(panic);
            }
        }
        is_kept
    }

    /// What is known on the path.
    pub(crate) fn known(&self) -> Option<Found> {
        self.known_in(&Order::hold())
    }

    /// What is known on the path, else the best of what is not.
    pub(crate) fn known_or_weak(&self) -> Option<Found> {
        let order = Order::hold();
        self.known_in(&order).or_else(|| self.weak_in(&order))
    }

    /// What the path learned, in the order of time, by the one rule. What a cause learned after one below it
    /// already knew is left out.
    ///
    /// So of what counts, the topmost came first. It is the answer, unless it is `Transport`: that is refined
    /// by the earliest `Peer` among the rest.
    fn known_in(&self, _: &Order) -> Option<Found> {
        type Candidate = (u64, Evidence, Found);
        let (mut first, mut peer): (Option<Candidate>, Option<Candidate>) = (None, None);
        self.find(|state, place| -> Option<()> {
            let learned = state.learned.as_deref()?;
            let stamp_below = first.as_ref().map_or(u64::MAX, |(stamp, ..)| *stamp);
            for one in learned.first.iter().chain(learned.refined.as_deref()) {
                let Some(evidence) = one.weight.evidence().filter(|_| one.stamp < stamp_below) else {
                    continue;
                };
                for earliest in [Some(&mut first), (evidence == Evidence::Peer).then_some(&mut peer)] {
                    if let Some(earliest) =
                        earliest.filter(|other| other.as_ref().is_none_or(|(stamp, ..)| one.stamp < *stamp))
                    {
                        let mut found = place.found(&one.end, learned.facts);
                        found.yields_to_panic |= one.is_assumed();
                        *earliest = Some((one.stamp, evidence, found));
                    }
                }
            }
            None
        });
        let (_, evidence, first) = first?;
        let refined = peer.filter(|_| evidence == Evidence::Transport);
        Some(refined.map_or(first, |(.., peer)| peer))
    }

    /// If nothing is known: the text of an error, what was presumed, an error that explains nothing new, a
    /// stream that this side shut down.
    fn weak_in(&self, _: &Order) -> Option<Found> {
        let mut best: Option<((bool, u64), Found)> = None;
        self.find(|state, place| -> Option<()> {
            let weak = state.learned.as_ref()?.weak.as_ref()?;
            let rank = (weak.weight == Weight::NothingNew, weak.stamp);
            if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                best = Some((rank, place.found(&weak.end, Facts::NONE)));
            }
            None
        });
        match best {
            Some(((false, _), text)) => Some(text),
            Some(((true, _), nothing_new)) => self.presumed().or(Some(nothing_new)),
            None => self.presumed().or_else(|| self.shut_down()),
        }
    }

    /// What this cause's own observations know beside the cause, and when it first knew that.
    pub(crate) fn own_facts(&self) -> (Facts, Option<u64>) {
        let state = self.lock();
        let learned = state.learned.as_deref();
        let facts = learned.map_or(Facts::NONE, |learned| learned.facts);
        let first = learned.and_then(|learned| learned.first.as_ref());
        (facts.or(state.bytes()), first.map(|first| first.stamp))
    }
}
