//! What a tree of causes knows, by the words of the docs: a plain model to hold it against.

use disconnect_attribution::Evidence::{Local, Peer, Transport};
use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence};

pub(crate) const ALL: [Evidence; 3] = [Transport, Local, Peer];

/// The one rule, as the docs of [`Evidence`] have it.
pub(crate) fn replaces(kept: Evidence, later: Evidence) -> bool {
    kept == Transport && later == Peer
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

/// A cause of a tree, and what it kept of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) parent: Option<usize>,
    pub(crate) kept: Option<(Evidence, usize)>,
    /// When it first knew.
    since: usize,
}

impl Model {
    pub(crate) fn record(&mut self, evidence: Evidence, number: usize) -> bool {
        let is_kept = self.kept.is_none_or(|(kept, _)| replaces(kept, evidence));
        if is_kept {
            self.since = self.kept.map_or(number, |_| self.since);
            self.kept = Some((evidence, number));
        }
        is_kept
    }
}

/// Causes, each over an earlier one; half of them over the latest, so that paths become long.
pub(crate) fn planted(picks: &[usize]) -> (Vec<Model>, Vec<Cause>) {
    let (mut tree, mut causes) = (vec![Model::default()], vec![Cause::default()]);
    for (number, pick) in picks.iter().enumerate() {
        let parent = if pick % 2 == 0 { number } else { pick % tree.len() };
        tree.push(Model { parent: Some(parent), ..Model::default() });
        causes.push(causes[parent].child());
    }
    (tree, causes)
}

/// What a cause knows, by the words of the docs: all that its path kept, in the order in which each first
/// knew, folded by the rule; and what is learned higher and later refines nothing.
pub(crate) fn plain_fold(tree: &[Model], of: usize) -> Option<(Evidence, usize)> {
    let path = std::iter::successors(Some(&tree[of]), |cause| Some(&tree[cause.parent?]));
    let mut known: Vec<_> =
        path.enumerate().filter_map(|(height, cause)| Some((cause.since, height, cause.kept?))).collect();
    known.sort_unstable_by_key(|entry| entry.0);
    let mut lowest = usize::MAX;
    let mut answer: Option<(Evidence, usize)> = None;
    for (_, height, (evidence, number)) in known {
        if answer.is_none_or(|(answer, _)| replaces(answer, evidence) && height < lowest) {
            answer = Some((evidence, number));
        }
        lowest = lowest.min(height);
    }
    answer
}
