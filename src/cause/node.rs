//! What one cause holds, and how a path of them is read.

use std::collections::BTreeMap;
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use super::transport::Transport;
use super::{Cause, Weight};
use crate::clock::Order;
use crate::disconnect::Facts;
use crate::panics::drop_quietly;
use crate::{ConnectType, Disconnect, DisconnectReason, Evidence, Initiator};

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
    /// This side shut a stream down before any peer had stopped.
    pub(super) shut_down: Option<ConnectType>,
    pub(super) waiters: BTreeMap<u64, Waker>,
    pub(super) more_transports: Vec<Arc<Transport>>,
}

/// What observations left.
#[derive(Debug, Default)]
struct Learned {
    /// With what the cause first knew why it ended.
    first: Option<Known>,
    /// The peer's announcement that refined it, and when that came.
    refined: Option<(Disconnect, u64)>,
    /// The best of what explains nothing.
    weak: Option<Weak>,
    /// What all observations know beside the cause, also those that were refused.
    facts: Facts,
}

#[derive(Debug)]
struct Known {
    end: Disconnect,
    evidence: Evidence,
    stamp: u64,
    /// Set as long as the end is expected and only assumed.
    assumption: Option<Assumption>,
}

#[derive(Debug)]
struct Weak {
    end: Disconnect,
    stamp: u64,
    is_text: bool,
}

/// Who assumed what an end of file, a reset or a broken pipe means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assumption {
    /// The stream, for a protocol in which a FIN is the goodbye.
    Goodbye,
    /// The site, for the phase.
    Presumption,
}

impl Learned {
    /// Takes in an observation, and returns whether it was kept.
    fn learn(
        &mut self,
        order: &mut Order,
        weight: Weight,
        mut end: Disconnect,
        assumption: Option<Assumption>,
    ) -> bool {
        let facts = mem::take(&mut end.fields.facts);
        let is_kept = !end.explains_nothing() && self.keep(order, weight, end, assumption);
        self.facts = if is_kept {
            facts.or(self.facts)
        } else {
            self.facts.or(facts)
        };
        is_kept
    }

    fn keep(
        &mut self,
        order: &mut Order,
        weight: Weight,
        end: Disconnect,
        assumption: Option<Assumption>,
    ) -> bool {
        if self.refute(weight, &end) {
            return true;
        }
        let evidence = match weight {
            Weight::Known(evidence) | Weight::Refuting(evidence) => evidence,
            Weight::NothingNew | Weight::Text => {
                let is_text = weight == Weight::Text;
                let is_better = |weak: &Weak| is_text && !weak.is_text;
                if self.weak.as_ref().is_none_or(is_better) {
                    let stamp = order.stamp();
                    self.weak = Some(Weak {
                        end,
                        stamp,
                        is_text,
                    });
                }
                return false;
            }
        };
        match &self.first {
            None => {
                let assumption = assumption.filter(|_| end.expected());
                self.first = Some(Known {
                    end,
                    evidence,
                    stamp: order.stamp(),
                    assumption,
                });
                // What an error's text refutes, it may have refuted before.
                if let Some(weak) = self.weak.take_if(|weak| weak.is_text) {
                    self.refute(Weight::Text, &weak.end);
                }
                true
            }
            Some(first) => {
                let is_refined = evidence == Evidence::Peer
                    && first.evidence == Evidence::Transport
                    && self.refined.is_none();
                if is_refined {
                    self.refined = Some((end, order.stamp()));
                }
                is_refined
            }
        }
    }

    /// Corrects an expected end that was only assumed, once. The correction takes its place, time and evidence.
    fn refute(&mut self, weight: Weight, end: &Disconnect) -> bool {
        let Some(first) = &mut self.first else {
            return false;
        };
        let is_refuted = match weight {
            Weight::Refuting(_) => first.assumption.is_some(),
            Weight::Text => first.assumption == Some(Assumption::Goodbye),
            Weight::NothingNew | Weight::Known(_) => false,
        };
        let is_of_this_peer = end.peer().is_none() || end.peer() == first.end.peer();
        if !is_refuted || !is_of_this_peer {
            return false;
        }
        let assumed = mem::replace(&mut first.end, end.clone());
        first.end.fields.trigger = end.trigger().or(assumed.trigger());
        first.end.fields.peer = assumed.peer();
        first.assumption = None;
        true
    }
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
    /// A record that was found here, without the facts of another connection.
    pub(super) fn found(self, end: &Disconnect) -> Found {
        Found {
            end: end.clone(),
            is_inherited: self.is_inherited,
            origin: self.origin,
            is_assumed: false,
        }
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
        let this = Place {
            node: self.node(),
            is_inherited: false,
            origin: None,
        };
        iter::successors(Some(this), |place| {
            let node = place.node.parent.as_ref()?.node();
            Some(Place {
                node,
                is_inherited: true,
                origin: node.layer.get().copied().or(place.origin),
            })
        })
    }

    /// Notes that a guard reports this cause. The layer of the first one counts.
    pub(crate) fn note_guard(&self, connect_type: ConnectType) {
        self.node().layer.get_or_init(|| connect_type);
    }

    pub(crate) fn observe(
        &self,
        weight: Weight,
        end: Disconnect,
        assumption: Option<Assumption>,
    ) -> bool {
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
            let Some((learned, known)) = state
                .learned
                .as_ref()
                .and_then(|learned| Some((learned, learned.first.as_ref()?)))
            else {
                continue;
            };
            let below = first.as_ref().map_or(u64::MAX, |(stamp, ..)| *stamp);
            let mut hear = |end: &Disconnect, stamp| {
                if stamp < below && peer.as_ref().is_none_or(|(earlier, _)| stamp < *earlier) {
                    peer = Some((stamp, learned.with_own_facts(place, end)));
                }
            };
            if let Some((end, stamp)) = &learned.refined {
                hear(end, *stamp);
            }
            if known.evidence == Evidence::Peer {
                hear(&known.end, known.stamp);
            }
            if known.stamp < below {
                let mut found = learned.with_own_facts(place, &known.end);
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

    /// Where nothing is known: the text of an error, what was presumed, an error that explains nothing new, a
    /// stream that this side shut down.
    fn weak_in(&self, _: &Order) -> Option<Found> {
        let mut best: Option<(bool, u64, Found)> = None;
        for place in self.path() {
            let state = place.node.lock();
            let Some(weak) = state
                .learned
                .as_ref()
                .and_then(|learned| learned.weak.as_ref())
            else {
                continue;
            };
            let is_better = best
                .as_ref()
                .is_none_or(|(is_text, stamp, _)| (weak.is_text, *stamp) > (*is_text, weak.stamp));
            if is_better {
                best = Some((weak.is_text, weak.stamp, place.found(&weak.end)));
            }
        }
        match best {
            Some((true, _, text)) => Some(text),
            Some((false, _, nothing_new)) => self.presumed().or(Some(nothing_new)),
            None => self.presumed().or_else(|| self.shut_down()),
        }
    }

    /// What this cause's own observations know beside the cause, and when it first knew that.
    pub(crate) fn own_facts(&self) -> (Facts, Option<u64>) {
        let state = self.node().lock();
        state
            .learned
            .as_ref()
            .map_or((Facts::NONE, None), |learned| {
                (
                    learned.facts,
                    learned.first.as_ref().map(|first| first.stamp),
                )
            })
    }
}

impl Learned {
    fn with_own_facts(&self, place: Place<'_>, end: &Disconnect) -> Found {
        let mut found = place.found(end);
        if !place.is_inherited {
            found.end.fields.facts = self.facts;
        }
        found
    }
}

impl Disconnect {
    /// A bare `unknown` is not a cause.
    pub(super) fn explains_nothing(&self) -> bool {
        self.reason() == DisconnectReason::Unknown
            && self.trigger().is_none()
            && self.detail.is_none()
            && self.code().is_none()
    }
}
