//! What a tree of causes knows, by the words of the docs: a plain model to hold it against.

use disconnect_attribution::Evidence::{Local, Peer, Transport};
use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence};

pub(crate) const ALL: [Evidence; 3] = [Transport, Local, Peer];

/// The one rule, as the docs of [`Evidence`] have it.
pub(crate) fn refines(known: Evidence, later: Evidence) -> bool {
    (known, later) == (Transport, Peer)
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

/// Causes, each over an earlier one, and what they kept, in the order of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    parents: Vec<Option<usize>>,
    kept: Vec<(usize, Evidence, usize)>,
}

impl Model {
    pub(crate) fn new(parents: &[usize]) -> (Self, Vec<Cause>) {
        let mut causes = vec![Cause::default()];
        causes.extend(parents.iter().map(|_| Cause::default()));
        for (number, parent) in parents.iter().enumerate() {
            causes[number + 1] = causes[*parent].child();
        }
        let parents = [None].into_iter().chain(parents.iter().map(|parent| Some(*parent))).collect();
        (Self { parents, kept: Vec::new() }, causes)
    }

    pub(crate) fn record(&mut self, at: usize, evidence: Evidence, number: usize) -> bool {
        let mut own = self.kept.iter().filter(|(cause, ..)| *cause == at).map(|(_, evidence, _)| *evidence);
        let is_kept = own.next_back().is_none_or(|known| refines(known, evidence));
        if is_kept {
            self.kept.push((at, evidence, number));
        }
        is_kept
    }

    /// What a cause knows, and which cause that is from: what its path learned, in the order of time, by the one
    /// rule; what a cause learns after one below it already knew is left out.
    pub(crate) fn known(&self, of: usize) -> Option<(usize, Evidence, usize)> {
        let path: Vec<usize> = std::iter::successors(Some(of), |cause| self.parents[*cause]).collect();
        let mut lowest = path.len();
        let mut known: Option<(usize, Evidence, usize)> = None;
        for (cause, evidence, number) in &self.kept {
            let Some(height) = path.iter().position(|at| at == cause) else { continue };
            let counts = height <= lowest;
            lowest = lowest.min(height);
            if counts && known.is_none_or(|(_, known, _)| refines(known, *evidence)) {
                known = Some((*cause, *evidence, *number));
            }
        }
        known
    }
}
