//! What a cause learned, and the one rule.

use std::mem;
use std::time::Instant;

use super::Weight;
use crate::disconnect::Facts;
use crate::{Disconnect, DisconnectReason, Evidence};

/// What observations left.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// With what the cause first knew why it ended.
    pub(super) first: Option<Observation>,
    /// The peer's announcement that refined it.
    pub(super) refined: Option<Box<Observation>>,
    /// The best of what explains nothing.
    pub(super) weak: Option<Box<Observation>>,
    /// What all observations know beside the cause, also those that were refused.
    pub(super) facts: Facts,
}

#[derive(Debug)]
pub(super) struct Observation {
    /// Its place in the order of all that causes learn.
    pub(super) number: u64,
    pub(super) at: Option<Instant>,
    pub(super) weight: Weight,
    pub(super) end: Disconnect,
}

impl Learned {
    /// Takes in an observation, and returns whether it was kept.
    pub(super) fn learn(&mut self, mut new: Observation) -> bool {
        let facts = mem::take(&mut new.end.facts);
        // Of the line that the record was in before, if it was in one.
        new.end.origin = None;
        let is_kept = !new.end.explains_nothing() && self.keep(new);
        self.facts = if is_kept { facts.or(self.facts) } else { self.facts.or(facts) };
        is_kept
    }

    fn keep(&mut self, mut new: Observation) -> bool {
        // What the peer announced is no assumption.
        let first = self.first.as_mut().filter(|_| self.refined.is_none());
        if first.is_some_and(|first| first.is_corrected_by(&new)) {
            return true;
        }
        match (&self.first, new.weight.evidence()) {
            (_, None) => {
                let is_better =
                    |weak: &Observation| (new.weight, weak.weight) == (Weight::Text, Weight::NothingNew);
                if self.weak.as_deref().is_none_or(is_better) {
                    self.weak = Some(Box::new(new));
                }
                false
            }
            (None, Some(_)) => {
                // What an error's text corrects, it may have come before.
                if let Some(weak) = &self.weak {
                    new.is_corrected_by(weak);
                }
                self.first = Some(new);
                true
            }
            (Some(first), Some(evidence)) => {
                let refines = evidence == Evidence::Peer
                    && first.weight.evidence() == Some(Evidence::Transport)
                    && self.refined.is_none();
                if refines {
                    self.refined = Some(Box::new(new));
                }
                refines
            }
        }
    }
}

impl Observation {
    /// Whether it is an expected end that was only assumed.
    pub(super) fn is_assumed(&self) -> bool {
        matches!(self.weight, Weight::Presumed | Weight::Goodbye) && self.end.expected()
    }

    /// Corrects an assumption, if the other refutes it: the correction takes its place, time and evidence. No
    /// correction is an expected end, so there is but one.
    fn is_corrected_by(&mut self, other: &Self) -> bool {
        let is_refuted = self.is_assumed()
            && match other.weight {
                Weight::Refuting(_) => true,
                Weight::Text => self.weight == Weight::Goodbye,
                Weight::NothingNew | Weight::Known(_) | Weight::Presumed | Weight::Goodbye => false,
            };
        let peer = other.end.peer.or(self.end.peer);
        let is_of_this_peer = self.end.peer.is_none() || self.end.peer == peer;
        if is_refuted && is_of_this_peer {
            let assumed = mem::replace(&mut self.end, other.end.clone());
            self.end.trigger = self.end.trigger.or(assumed.trigger);
            self.end.peer = peer;
        }
        is_refuted && is_of_this_peer
    }
}

impl Disconnect {
    /// A bare `unknown` is not a cause.
    pub(super) fn explains_nothing(&self) -> bool {
        let Self { reason, trigger, detail, code, .. } = self;
        *reason == DisconnectReason::Unknown && trigger.is_none() && detail.is_none() && code.is_none()
    }
}
