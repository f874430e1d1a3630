//! What a cause learned, and the one rule.

use std::mem;

use super::Weight;
use crate::clock::Order;
use crate::disconnect::Facts;
use crate::{Disconnect, DisconnectReason, Evidence};

/// What observations left.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// With what the cause first knew why it ended.
    pub(super) first: Option<Known>,
    /// The peer's announcement that refined it, and when that came.
    pub(super) refined: Option<Box<(Disconnect, u64)>>,
    /// The best of what explains nothing.
    pub(super) weak: Option<Box<Weak>>,
    /// What all observations know beside the cause, also those that were refused.
    pub(super) facts: Facts,
}

#[derive(Debug)]
pub(super) struct Known {
    pub(super) end: Disconnect,
    pub(super) evidence: Evidence,
    pub(super) stamp: u64,
    /// Set as long as the end is expected and only assumed.
    pub(super) assumption: Option<Assumption>,
}

#[derive(Debug)]
pub(super) struct Weak {
    pub(super) end: Disconnect,
    pub(super) stamp: u64,
    pub(super) is_text: bool,
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
    pub(super) fn learn(
        &mut self,
        order: &mut Order,
        weight: Weight,
        mut end: Disconnect,
        assumption: Option<Assumption>,
    ) -> bool {
        let facts = mem::take(&mut end.fields.facts);
        // Of the line that the record was in before, if it was in one.
        end.fields.origin = None;
        let is_kept = !end.explains_nothing() && self.keep(order, weight, end, assumption);
        self.facts = if is_kept { facts.or(self.facts) } else { self.facts.or(facts) };
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
                if self.weak.as_deref().is_none_or(is_better) {
                    let stamp = order.stamp();
                    self.weak = Some(Box::new(Weak { end, stamp, is_text }));
                }
                return false;
            }
        };
        match &self.first {
            None => {
                let assumption = assumption.filter(|_| end.expected());
                self.first = Some(Known { end, evidence, stamp: order.stamp(), assumption });
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
                    self.refined = Some(Box::new((end, order.stamp())));
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

impl Disconnect {
    /// A bare `unknown` is not a cause.
    pub(super) fn explains_nothing(&self) -> bool {
        self.reason() == DisconnectReason::Unknown
            && self.trigger().is_none()
            && self.detail.is_none()
            && self.code().is_none()
    }
}
