//! What a tree of causes knows, by the words of the docs: a plain model to hold it against.
#![allow(dead_code)] // each test binary uses its own part

use disconnect_attribution::Evidence::{Local, Peer, Presumed, Transport};
use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Evidence};

pub(crate) const ALL: [Evidence; 4] = [Presumed, Transport, Local, Peer];

/// The one rule, as the docs of [`Evidence`] have it.
pub(crate) fn replaces(kept: Evidence, later: Evidence) -> bool {
    kept == Presumed && later != Presumed || kept == Transport && later == Peer
}

/// A record that carries its evidence and its place in the history.
pub(crate) fn record(evidence: Evidence, number: usize) -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Unknown)
        .with_detail(format!("{evidence:?} {number}"))
}

pub(crate) fn evidence_of(end: &Disconnect) -> Evidence {
    let detail = end.detail().expect("every record has one");
    let is_it = |evidence: &Evidence| detail.starts_with(&format!("{evidence:?} "));
    ALL.into_iter().find(is_it).expect("an evidence")
}

/// What one cause kept of its own.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) parent: Option<usize>,
    pub(crate) kept: Option<(Evidence, usize)>,
    /// When it first knew; as long as it does not, when the weak one came.
    pub(crate) since: usize,
}

impl Model {
    pub(crate) fn record(&mut self, evidence: Evidence, number: usize) -> bool {
        let is_kept = self.kept.is_none_or(|(kept, _)| replaces(kept, evidence));
        if is_kept {
            let knew_before = self.kept.is_some_and(|(kept, _)| kept != Presumed);
            if !knew_before {
                self.since = number;
            }
            self.kept = Some((evidence, number));
        }
        is_kept
    }
}

/// What a cause knows, by the words of the docs: all that its path kept, in the order in which each first
/// knew, folded by the rule; and what is learned higher and later refines only what is weak.
pub(crate) fn plain_fold(tree: &[Model], of: usize) -> Option<(Evidence, usize)> {
    let path: Vec<&Model> =
        std::iter::successors(Some(&tree[of]), |cause| Some(&tree[cause.parent?])).collect();
    let mut kept: Vec<(usize, usize, Evidence, usize)> = path
        .iter()
        .enumerate()
        .filter_map(|(height, cause)| {
            cause
                .kept
                .map(|(evidence, number)| (cause.since, height, evidence, number))
        })
        .collect();
    kept.sort_unstable_by_key(|entry| entry.0);
    let (weak, known): (Vec<_>, Vec<_>) = kept.into_iter().partition(|entry| entry.2 == Presumed);
    let mut lowest = usize::MAX;
    let mut answer: Option<(Evidence, usize)> = None;
    for (_, height, evidence, number) in known {
        let refines =
            answer.is_none_or(|(answer, _)| replaces(answer, evidence) && height < lowest);
        if refines {
            answer = Some((evidence, number));
        }
        lowest = lowest.min(height);
    }
    answer.or_else(|| {
        weak.first()
            .map(|(_, _, evidence, number)| (*evidence, *number))
    })
}
