//! Trees of causes: long histories against the plain fold, with waiters, guards and threads.

use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;

use disconnect_attribution::{Cause, Evidence};
use proptest::prelude::*;

use crate::fold::{ALL, Model, evidence_of, plain_fold, record, replaces};
use crate::lines::Lines;
use crate::long;

/// Causes, each over an earlier one, and records in them.
fn histories() -> impl Strategy<Value = (Vec<usize>, Vec<(usize, usize)>)> {
    let parents = prop::collection::vec(any::<usize>(), 1..24);
    let records = prop::collection::vec((any::<usize>(), 0..ALL.len()), 1..60);
    (parents, records)
}

fn planted(parents: &[usize]) -> (Vec<Model>, Vec<Cause>) {
    let mut tree = vec![Model {
        parent: None,
        kept: None,
        since: 0,
    }];
    let mut causes = vec![Cause::default()];
    for (number, pick) in parents.iter().enumerate() {
        // Half of them are below the latest, so that paths become long.
        let parent = if pick % 2 == 0 {
            number
        } else {
            pick % tree.len()
        };
        tree.push(Model {
            parent: Some(parent),
            kept: None,
            since: 0,
        });
        causes.push(causes[parent].child());
    }
    (tree, causes)
}

fn is_ready(cause: &Cause) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(pin!(cause.ended()).poll(&mut context), Poll::Ready(_))
}

#[test]
#[ignore = "long"]
fn a_long_history_is_what_a_plain_fold_makes_of_it() {
    long::run(&histories(), |(parents, records)| {
        let (mut tree, causes) = planted(&parents);
        let lines: Vec<Lines> = causes.iter().map(|_| Lines::default()).collect();
        let guards: Vec<_> = (lines.iter().zip(&causes))
            .map(|(lines, cause)| lines.guard().with_cause(cause.clone()))
            .collect();
        for (number, (pick, evidence)) in records.into_iter().enumerate() {
            let (at, evidence) = (pick % tree.len(), ALL[evidence]);
            let is_kept = causes[at].record(evidence, record(evidence, number));
            prop_assert_eq!(is_kept, tree[at].record(evidence, number));
            for (of, cause) in causes.iter().enumerate() {
                let expected = plain_fold(&tree, of);
                let knows = expected.is_some_and(|(evidence, _)| evidence != Evidence::Presumed);
                prop_assert_eq!(is_ready(cause), knows);
                let expected = expected.map(|(evidence, number)| record(evidence, number));
                prop_assert_eq!(cause.get(), expected, "cause {} of {:?}", of, tree);
            }
        }
        drop(guards);
        let mut inherited = 0;
        for (of, lines) in lines.iter().enumerate() {
            let line = lines.one();
            let Some((evidence, number)) = plain_fold(&tree, of) else {
                prop_assert_eq!(
                    line.trigger(),
                    Some(disconnect_attribution::Trigger::Dropped)
                );
                continue;
            };
            let expected = record(evidence, number);
            prop_assert_eq!(line.detail(), expected.detail());
            let is_own = tree[of].kept == Some((evidence, number));
            prop_assert_eq!(line.origin().is_none(), is_own);
            inherited += usize::from(!is_own);
        }
        Ok(inherited > 0)
    });
}

/// The levels of one path, recorded once each from three threads in any order while a fourth reads.
#[test]
#[ignore = "long"]
fn a_reader_among_racing_recorders_sees_each_answer_only_become_better() {
    let levels = Just((0..6).collect::<Vec<usize>>()).prop_shuffle();
    let evidence = prop::collection::vec(0..ALL.len(), 6);
    long::run(&(levels, evidence), |(levels, evidence)| {
        let steps: Vec<(usize, usize)> = levels.into_iter().zip(evidence).collect();
        let path: Vec<Cause> =
            std::iter::successors(Some(Cause::default()), |cause| Some(cause.child()))
                .take(6)
                .collect();
        let start = Barrier::new(4);
        let seen = thread::scope(|scope| {
            let recorders: Vec<_> = (0..3)
                .map(|worker| {
                    let (path, steps, start) = (&path, &steps, &start);
                    scope.spawn(move || {
                        start.wait();
                        for (number, (level, evidence)) in
                            steps.iter().enumerate().skip(worker).step_by(3)
                        {
                            path[*level].record(ALL[*evidence], record(ALL[*evidence], number));
                        }
                    })
                })
                .collect();
            start.wait();
            let mut seen = Vec::new();
            while !recorders.iter().all(thread::ScopedJoinHandle::is_finished) {
                seen.push(path[5].get());
            }
            seen.push(path[5].get());
            seen
        });
        let mut changes = 0;
        for pair in seen.windows(2) {
            let is_better = match (&pair[0], &pair[1]) {
                (Some(before), Some(after)) => {
                    before == after || replaces(evidence_of(before), evidence_of(after))
                }
                (before, _) => before.is_none(),
            };
            prop_assert!(is_better, "{:?}", pair);
            changes += usize::from(pair[0] != pair[1]);
        }
        Ok(changes > 0)
    });
}
