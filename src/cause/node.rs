//! What one cause holds, and how a path of them is read.

use std::collections::BTreeMap;
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use super::learned::{Assumption, Learned};
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
    pub(super) parent: Option<Cause>,
    /// The layer of the first guard.
    pub(super) layer: OnceLock<ConnectType>,
    /// The first tracked stream; the others are in the state.
    pub(super) transport: OnceLock<Transport>,
    state: Mutex<State>,
}

/// Both in a box: most open connections have neither.
#[derive(Debug, Default)]
pub(super) struct State {
    learned: Option<Box<Learned>>,
    pub(super) open: Option<Box<Open>>,
}

/// What matters as long as the connection is open.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// What an end without a word means from now on.
    pub(super) presumption: Option<Disconnect>,
    /// Whose transport was half closed first.
    pub(super) half_closed: Option<(ConnectType, Option<Initiator>)>,
    /// A peer that had stopped takes nothing any more either.
    pub(super) has_left: bool,
    /// This side shut a stream down before any peer had stopped.
    pub(super) shut_down: Option<ConnectType>,
    pub(super) waiters: BTreeMap<u64, Waker>,
    pub(super) more_transports: Vec<Arc<Transport>>,
}

/// A record that a cause found on its path.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) end: Disconnect,
    pub(crate) is_inherited: bool,
    /// The layer of the line that reports it.
    pub(crate) origin: Option<ConnectType>,
    /// Expected, and only assumed.
    pub(crate) is_assumed: bool,
}

/// A place on the path from a cause up to its root.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) node: &'a Node,
    is_inherited: bool,
    /// The layer of the topmost guard above the cause, up to here.
    origin: Option<ConnectType>,
}

impl Place<'_> {
    /// A record that was found here, with the facts of this very cause and no other's.
    pub(super) fn found(self, end: &Disconnect, facts: Facts) -> Found {
        let mut end = end.clone();
        end.fields.facts = if self.is_inherited { Facts::NONE } else { end.fields.facts.or(facts) };
        Found { end, is_inherited: self.is_inherited, origin: self.origin, is_assumed: false }
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

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        change(self.lock().open.get_or_insert_default())
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
    pub(super) fn node(&self) -> &Node {
        &self.0
    }

    /// This cause, its parent, and so on.
    pub(super) fn path(&self) -> impl Iterator<Item = Place<'_>> {
        let this = Place { node: self.node(), is_inherited: false, origin: None };
        iter::successors(Some(this), |place| {
            let node = place.node.parent.as_ref()?.node();
            Some(Place { node, is_inherited: true, origin: node.layer.get().copied().or(place.origin) })
        })
    }

    /// Notes that a guard's line reports this. The layer of the first one counts.
    pub(crate) fn reported_by(self, connect_type: ConnectType) -> Self {
        self.node().layer.get_or_init(|| connect_type);
        self
    }

    pub(crate) fn observe(&self, weight: Weight, end: Disconnect, assumption: Option<Assumption>) -> bool {
        let mut order = Order::hold();
        let mut state = self.node().lock();
        let learned = state.learned.get_or_insert_default();
        let is_kept = learned.learn(&mut order, weight, end, assumption);
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
        let known = self.known_in(&order);
        known.or_else(|| self.weak_in(&order))
    }

    /// What the path learned, in the order of time, by the one rule. What a cause learned after one below it
    /// already knew is left out.
    ///
    /// So of what counts, the topmost came first. It is the answer, unless it is `Transport`: that is refined
    /// by the earliest `Peer` among the rest.
    fn known_in(&self, _: &Order) -> Option<Found> {
        let mut first: Option<(u64, Evidence, Found)> = None;
        let mut peer: Option<(u64, Found)> = None;
        for place in self.path() {
            let state = place.node.lock();
            let Some(learned) = &state.learned else {
                continue;
            };
            let Some(known) = &learned.first else {
                continue;
            };
            let below = first.as_ref().map_or(u64::MAX, |(stamp, ..)| *stamp);
            let mut hear = |end: &Disconnect, stamp| {
                if stamp < below && peer.as_ref().is_none_or(|(earlier, _)| stamp < *earlier) {
                    peer = Some((stamp, place.found(end, learned.facts)));
                }
            };
            if let Some(refined) = &learned.refined {
                hear(&refined.0, refined.1);
            }
            if known.evidence == Evidence::Peer {
                hear(&known.end, known.stamp);
            }
            if known.stamp < below {
                let mut found = place.found(&known.end, learned.facts);
                found.is_assumed = known.assumption.is_some();
                first = Some((known.stamp, known.evidence, found));
            }
        }
        let (_, evidence, found) = first?;
        match (evidence, peer) {
            (Evidence::Transport, Some((_, peer))) => Some(peer),
            (Evidence::Transport | Evidence::Local | Evidence::Peer, _) => Some(found),
        }
    }

    /// If nothing is known: the text of an error, what was presumed, an error that explains nothing new, a
    /// stream that this side shut down.
    fn weak_in(&self, _: &Order) -> Option<Found> {
        let weak = self.path().filter_map(|place| {
            let state = place.node.lock();
            let weak = state.learned.as_ref()?.weak.as_ref()?;
            let found = place.found(&weak.end, Facts::NONE);
            Some((!weak.is_text, weak.stamp, found))
        });
        match weak.min_by_key(|(is_nothing_new, stamp, _)| (*is_nothing_new, *stamp)) {
            Some((false, _, text)) => Some(text),
            Some((true, _, nothing_new)) => self.presumed().or(Some(nothing_new)),
            None => self.presumed().or_else(|| self.shut_down()),
        }
    }

    /// What this cause's own observations know beside the cause, and when it first knew that.
    pub(crate) fn own_facts(&self) -> (Facts, Option<u64>) {
        let state = self.node().lock();
        let Some(learned) = &state.learned else {
            return (Facts::NONE, None);
        };
        let first = learned.first.as_ref();
        (learned.facts, first.map(|first| first.stamp))
    }
}
