//! Trees of causes: all short histories and random ones against a plain fold. `tests/schedules` has threads that meet.

use std::iter;
use std::task::Waker;

use disconnect_attribution::Evidence::{Peer, Transport};
use disconnect_attribution::{Cause, CloseCode, Disconnect, DisconnectReason, Evidence, Trigger};
use proptest::prelude::*;

use super::ALL;
use super::ended::poll;
use crate::support::{Lines, end, random};

/// The one rule, as the docs of [`Evidence`] have it.
fn refines(known: Evidence, later: Evidence) -> bool {
    (known, later) == (Transport, Peer)
}

/// A record that shows its place in the history.
fn record(number: usize) -> Disconnect {
    end(DisconnectReason::Unknown).with_code(CloseCode::Quic(number as u64))
}

/// Causes, each over an earlier one, and what they kept: where, what and when, in the order of time.
struct Model {
    parents: Vec<Option<usize>>,
    causes: Vec<Cause>,
    kept: Vec<(usize, Evidence, usize)>,
}

impl Model {
    fn new(parents: &[usize]) -> Self {
        let mut causes = vec![Cause::default()];
        for parent in parents {
            causes.push(causes[*parent].child());
        }
        let parents = iter::once(None).chain(parents.iter().copied().map(Some)).collect();
        Self { parents, causes, kept: Vec::new() }
    }

    /// Records in a cause, which keeps what nothing of its own forbids.
    fn record(&mut self, at: usize, evidence: Evidence, number: usize) {
        let own = self.kept.iter().rev().find(|(cause, ..)| *cause == at);
        let is_kept = own.is_none_or(|(_, known, _)| refines(*known, evidence));
        if is_kept {
            self.kept.push((at, evidence, number));
        }
        assert_eq!(self.causes[at].record(evidence, record(number)), is_kept);
    }

    /// What a cause knows, and which cause that is from: what its path learned, in the order of time, by the one
    /// rule; what a cause learns after one below it already knew is left out.
    fn known(&self, of: usize) -> Option<(usize, Evidence, usize)> {
        let path = iter::successors(Some(of), |cause| self.parents[*cause]);
        let mut lowest = self.parents.len();
        let mut known: Option<(usize, Evidence, usize)> = None;
        for (cause, evidence, number) in &self.kept {
            let Some(height) = path.clone().position(|at| at == *cause) else { continue };
            let counts = height <= lowest;
            lowest = lowest.min(height);
            if counts && known.is_none_or(|(_, known, _)| refines(known, *evidence)) {
                known = Some((*cause, *evidence, *number));
            }
        }
        known
    }

    /// Holds what a cause shows against this.
    fn check(&self, of: usize) -> Option<(usize, Evidence, usize)> {
        let known = self.known(of);
        let expected = known.map(|(_, _, number)| record(number));
        assert_eq!(self.causes[of].get(), expected, "cause {of} over {:?}: {:?}", self.parents, self.kept);
        known
    }
}

/// Every history of four records in four causes of any shape: each cause, looked at after each step, is what the
/// model makes of it, and contradicts nothing that it showed before.
#[test]
fn all_short_histories_are_folded_by_the_one_rule_and_contradict_nothing() {
    let steps: Vec<_> = (0..4).flat_map(|at| ALL.map(|evidence| (at, evidence))).collect();
    let shapes = [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 0], [0, 1, 1], [0, 1, 2]];
    let mut looks = 0;
    for parents in shapes {
        for history in 0..steps.len().pow(4) {
            let mut model = Model::new(&parents);
            let mut shown: [Option<(Evidence, usize)>; 4] = [None; 4];
            for place in 0..4 {
                let (at, evidence) = steps[history / steps.len().pow(place) % steps.len()];
                model.record(at, evidence, place as usize);
                for (of, shown) in shown.iter_mut().enumerate() {
                    let now = model.check(of).map(|(_, evidence, number)| (evidence, number));
                    let before = std::mem::replace(shown, now);
                    let is_refined = before.zip(now).is_some_and(|(before, now)| refines(before.0, now.0));
                    assert!(before.is_none() || before == now || is_refined, "cause {of}: {:?}", model.kept);
                    looks += 1;
                }
            }
        }
    }
    assert_eq!(looks, 6 * 12_usize.pow(4) * 16);
}

#[test]
fn a_tree_is_what_a_plain_fold_makes_of_its_history_and_so_are_its_lines() {
    let parents = prop::collection::vec(any::<usize>(), 1..12);
    let records = prop::collection::vec((any::<usize>(), 0..ALL.len()), 1..24);
    random::run(2_000, 2, &(parents, records), |(picks, records)| {
        // Half of them over the latest, so that paths become long.
        let over = |(number, pick): (usize, &usize)| if pick % 2 == 0 { number } else { pick % (number + 1) };
        let parents: Vec<usize> = picks.iter().enumerate().map(over).collect();
        let mut model = Model::new(&parents);
        let guarded = |cause: &Cause| {
            let lines = Lines::default();
            (lines.guard().with_cause(cause.clone()), lines)
        };
        let (guards, lines): (Vec<_>, Vec<_>) = model.causes.iter().map(guarded).unzip();
        for (number, (pick, evidence)) in records.into_iter().enumerate() {
            model.record(pick % lines.len(), ALL[evidence], number);
            for (of, cause) in model.causes.iter().enumerate() {
                let is_ready = poll(&mut cause.ended(), Waker::noop()).is_ready();
                prop_assert_eq!(is_ready, model.check(of).is_some());
            }
        }
        drop(guards);
        let mut inherited = 0;
        for (of, lines) in lines.iter().enumerate() {
            let line = lines.one();
            let known = model.known(of);
            prop_assert_eq!(line.code(), known.and_then(|(_, _, number)| record(number).code()));
            prop_assert_eq!(line.trigger(), known.is_none().then_some(Trigger::Dropped));
            let from_above = known.is_some_and(|(from, ..)| from != of);
            prop_assert_eq!(line.origin().is_some(), from_above);
            inherited += usize::from(from_above);
        }
        Ok(inherited > 0)
    });
}
