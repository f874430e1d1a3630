//! Trees of causes: random histories against a plain fold, and races.

use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;

use disconnect_attribution::Evidence::{Local, Peer, Transport};
use disconnect_attribution::{Cause, Evidence, Trigger};
use proptest::prelude::*;

use crate::support::fold::{ALL, Model, evidence_of, record, refines};
use crate::support::{Lines, random};

fn is_ready(cause: &Cause) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(pin!(cause.ended()).poll(&mut context), Poll::Ready(_))
}

/// Every history of four records in four causes of any shape: each cause, looked at after each step, is what the
/// model makes of it, and contradicts nothing that it showed before.
#[test]
fn all_short_histories_are_folded_by_the_one_rule_and_contradict_nothing() {
    let steps: Vec<_> = (0..4).flat_map(|at| ALL.map(|evidence| (at, evidence))).collect();
    let shapes = [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 0], [0, 1, 1], [0, 1, 2]];
    let (mut histories, mut looks) = (0, 0);
    for parents in shapes {
        for number in 0..steps.len().pow(4) {
            let (mut model, causes) = Model::new(&parents);
            let mut shown: [Option<(Evidence, usize)>; 4] = [None; 4];
            for place in 0..4 {
                let (at, evidence) = steps[number / steps.len().pow(place) % steps.len()];
                let place = place as usize;
                let is_kept = causes[at].record(evidence, record(evidence, place));
                assert_eq!(is_kept, model.record(at, evidence, place));
                for (of, cause) in causes.iter().enumerate() {
                    let known = model.known(of);
                    let expected = known.map(|(_, evidence, number)| record(evidence, number));
                    assert_eq!(cause.get(), expected, "cause {of} of {model:?}");
                    let now = known.map(|(_, evidence, number)| (evidence, number));
                    let is_no_contradiction = match (shown[of], now) {
                        (None, _) => true,
                        (Some(before), Some(now)) => before == now || refines(before.0, now.0),
                        (Some(_), None) => false,
                    };
                    assert!(is_no_contradiction, "cause {of} of {model:?}");
                    shown[of] = now;
                    looks += 1;
                }
            }
            histories += 1;
        }
    }
    assert_eq!((histories, looks), (124_416, 1_990_656));
}

#[test]
fn a_tree_is_what_a_plain_fold_makes_of_its_history_and_so_are_its_lines() {
    let parents = prop::collection::vec(any::<usize>(), 1..12);
    let records = prop::collection::vec((any::<usize>(), 0..ALL.len()), 1..24);
    random::run(2_000, 2, &(parents, records), |(picks, records)| {
        // Half of them over the latest, so that paths become long.
        let over = |(number, pick): (usize, &usize)| if pick % 2 == 0 { number } else { pick % (number + 1) };
        let parents: Vec<usize> = picks.iter().enumerate().map(over).collect();
        let (mut model, causes) = Model::new(&parents);
        let lines: Vec<Lines> = causes.iter().map(|_| Lines::default()).collect();
        let guards: Vec<_> =
            lines.iter().zip(&causes).map(|(lines, cause)| lines.guard().with_cause(cause.clone())).collect();
        for (number, (pick, evidence)) in records.into_iter().enumerate() {
            let (at, evidence) = (pick % causes.len(), ALL[evidence]);
            let is_kept = causes[at].record(evidence, record(evidence, number));
            prop_assert_eq!(is_kept, model.record(at, evidence, number));
            for (of, cause) in causes.iter().enumerate() {
                let expected = model.known(of).map(|(_, evidence, number)| record(evidence, number));
                prop_assert_eq!(is_ready(cause), expected.is_some());
                prop_assert_eq!(cause.get(), expected, "cause {} of {:?}", of, model);
            }
        }
        drop(guards);
        let mut inherited = 0;
        for (of, lines) in lines.iter().enumerate() {
            let line = lines.one();
            let Some((from, evidence, number)) = model.known(of) else {
                prop_assert_eq!(line.trigger(), Some(Trigger::Dropped));
                continue;
            };
            let expected = record(evidence, number);
            prop_assert_eq!(line.detail(), expected.detail());
            prop_assert_eq!(line.origin().is_none(), from == of);
            inherited += usize::from(from != of);
        }
        Ok(inherited > 0)
    });
}

/// The levels of one path, recorded once each from three threads in any order while a fourth reads: what it sees
/// only ever becomes better, and is never gone again.
#[test]
fn a_reader_among_racing_recorders_sees_no_contradiction() {
    let levels = Just((0..6).collect::<Vec<usize>>()).prop_shuffle();
    let evidence = prop::collection::vec(0..ALL.len(), 6);
    random::run(500, 100, &(levels, evidence), |(levels, evidence)| {
        let steps: Vec<(usize, usize)> = levels.into_iter().zip(evidence).collect();
        let path: Vec<Cause> =
            std::iter::successors(Some(Cause::default()), |cause| Some(cause.child())).take(6).collect();
        let start = Barrier::new(4);
        let seen = thread::scope(|scope| {
            let recorders = [0, 1, 2].map(|worker| {
                let (path, steps, start) = (&path, &steps, &start);
                scope.spawn(move || {
                    start.wait();
                    for (number, (level, evidence)) in steps.iter().enumerate().skip(worker).step_by(3) {
                        path[*level].record(ALL[*evidence], record(ALL[*evidence], number));
                    }
                })
            });
            start.wait();
            let mut seen = Vec::new();
            while !recorders.iter().all(thread::ScopedJoinHandle::is_finished) {
                seen.push(path[5].get());
            }
            seen.push(path[5].get());
            seen
        });
        for pair in seen.windows(2) {
            let is_better = match (&pair[0], &pair[1]) {
                (Some(before), Some(after)) => {
                    before == after || refines(evidence_of(before), evidence_of(after))
                }
                (before, _) => before.is_none(),
            };
            prop_assert!(is_better, "{:?}", pair);
        }
        Ok(seen[0] != seen[seen.len() - 1])
    });
}

/// Eight threads record in one cause, in the same moment.
#[test]
fn races_end_with_the_first_true_cause() {
    const TASKS: usize = 8;
    for round in 0..300 {
        let (cause, start) = (Cause::default(), Barrier::new(TASKS));
        let evidence = |task: usize| ALL[(task + round) % ALL.len()];
        let kept: Vec<usize> = thread::scope(|scope| {
            let race = |task| {
                let (cause, start) = (&cause, &start);
                scope.spawn(move || {
                    start.wait();
                    cause.record(evidence(task), record(evidence(task), task)).then_some(task)
                })
            };
            let tasks: Vec<_> = (0..TASKS).map(race).collect();
            tasks.into_iter().filter_map(|task| task.join().expect("no panic")).collect()
        });
        // One that nothing replaces, and at most a `Transport` before a `Peer`.
        let mut evidence_kept: Vec<_> = kept.iter().map(|task| evidence(*task)).collect();
        evidence_kept.sort_by_key(|evidence| *evidence != Transport);
        let is_right = matches!(evidence_kept[..], [Local | Peer] | [Transport, Peer]);
        assert!(is_right, "round {round}: {evidence_kept:?}");
        let last = kept.into_iter().find(|task| evidence(*task) == *evidence_kept.last().expect("one"));
        assert_eq!(cause.get(), last.map(|task| record(evidence(task), task)));
    }
}

/// Recording, presuming, waiting, closing and dropping, all at once.
#[test]
fn every_guard_of_a_busy_tree_logs_one_line() {
    const SESSIONS: usize = 2_000;
    let agent = Cause::default();
    let connections: Vec<Cause> = (0..20).map(|_| agent.child()).collect();
    let (lines, start) = (Lines::default(), Barrier::new(4));
    thread::scope(|scope| {
        for worker in 0..3 {
            let (connections, lines, start) = (&connections, &lines, &start);
            scope.spawn(move || {
                start.wait();
                for number in (worker..SESSIONS).step_by(3) {
                    let connection = &connections[number % 20];
                    let guard = lines.guard().with_cause(connection.child());
                    let cause = guard.cause();
                    is_ready(&cause);
                    match number % 5 {
                        0 => drop(cause.record(ALL[number % 3], record(ALL[number % 3], number))),
                        1 => cause.presume(record(Transport, number)),
                        2 => guard.record_error(&std::io::Error::other("device gone")),
                        3 => drop(connection.record(Transport, record(Transport, number))),
                        _ => guard.close(record(Local, 1)),
                    }
                }
            });
        }
        start.wait();
        agent.record(Local, record(Local, 0));
    });
    assert_eq!(lines.take().len(), SESSIONS);
    assert!(connections.iter().all(|connection| connection.get().is_some() && is_ready(connection)));
}
