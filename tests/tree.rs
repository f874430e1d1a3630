//! Trees of causes: random histories against a plain fold, and races.

#[path = "support/fold.rs"]
mod fold;
mod lines;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use disconnect_attribution::Evidence::{Local, Presumed, Transport};
use disconnect_attribution::{Cause, Disconnect};
use fold::{ALL, Model, evidence_of, plain_fold, record, replaces};
use lines::Lines;
use proptest::prelude::*;

/// Causes, each over an earlier one, at most four deep, and records in them.
fn histories() -> impl Strategy<Value = (Vec<usize>, Vec<(usize, usize)>)> {
    let parents = prop::collection::vec(any::<usize>(), 1..8);
    let records = prop::collection::vec((any::<usize>(), 0..ALL.len()), 1..16);
    (parents, records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn a_tree_is_what_a_plain_fold_makes_of_its_history((parents, records) in histories()) {
        let mut tree = vec![Model { parent: None, kept: None, since: 0 }];
        let mut causes = vec![Cause::default()];
        let mut depths = vec![0];
        for pick in parents {
            let parent = pick % tree.len();
            if depths[parent] < 4 {
                tree.push(Model { parent: Some(parent), kept: None, since: 0 });
                causes.push(causes[parent].child());
                depths.push(depths[parent] + 1);
            }
        }
        for (number, (pick, evidence)) in records.into_iter().enumerate() {
            let (at, evidence) = (pick % tree.len(), ALL[evidence]);
            let is_kept = causes[at].record(evidence, record(evidence, number));
            prop_assert_eq!(is_kept, tree[at].record(evidence, number));
            for (of, cause) in causes.iter().enumerate() {
                let expected = plain_fold(&tree, of).map(|(evidence, number)| record(evidence, number));
                prop_assert_eq!(cause.get(), expected, "cause {} of {:?}", of, tree);
            }
        }
    }
}

/// While four levels record once each, what a reader sees only ever becomes better.
#[test]
fn a_reader_among_racing_recorders_never_sees_a_contradiction() {
    const ROUNDS: usize = 1_000;
    let mut changes = 0;
    for round in 0..ROUNDS {
        let levels: Vec<Cause> =
            std::iter::successors(Some(Cause::default()), |cause| Some(cause.child()))
                .take(4)
                .collect();
        let seen = seen_while_racing(round, &levels);
        for pair in seen.windows(2) {
            let is_better = match (&pair[0], &pair[1]) {
                (Some(before), Some(after)) => {
                    before == after || replaces(evidence_of(before), evidence_of(after))
                }
                (before, _) => before.is_none(),
            };
            assert!(is_better, "round {round}: {pair:?}");
            changes += usize::from(pair[0] != pair[1]);
        }
    }
    assert!(changes > ROUNDS / 100, "hardly a race: {changes} changes");
}

fn seen_while_racing(round: usize, levels: &[Cause]) -> Vec<Option<Disconnect>> {
    let (start, done) = (Barrier::new(3), AtomicBool::new(false));
    let read = || {
        start.wait();
        let mut seen = Vec::new();
        loop {
            let is_last = done.load(Ordering::Acquire);
            seen.push(levels[3].get());
            if is_last {
                return seen;
            }
        }
    };
    // Both recorders have two levels each, in any order, and any evidence.
    let record_two = &|first: usize, then: usize| {
        start.wait();
        for level in [first, then] {
            let evidence = ALL[(round >> (2 * level)) % 4];
            levels[level].record(evidence, record(evidence, level));
        }
    };
    let orders = [
        [0, 1, 2, 3],
        [1, 0, 3, 2],
        [0, 2, 1, 3],
        [2, 0, 3, 1],
        [0, 3, 1, 2],
        [3, 0, 2, 1],
    ];
    let [a, b, c, d] = orders[round % orders.len()];
    thread::scope(|scope| {
        let reader = scope.spawn(read);
        let recorders =
            [(a, b), (c, d)].map(|(first, then)| scope.spawn(move || record_two(first, then)));
        for recorder in recorders {
            recorder.join().expect("no panic");
        }
        done.store(true, Ordering::Release);
        reader.join().expect("no panic")
    })
}

/// What is weak is there until what is better has come: there is no moment without either.
#[test]
fn a_reader_among_racing_recorders_never_misses_both_the_weak_and_the_better() {
    const ROUNDS: usize = 2_000;
    for round in 0..ROUNDS {
        let parent = Cause::default();
        let child = parent.child();
        let racing = if round % 2 == 0 { &child } else { &parent };
        racing.record(Presumed, record(Presumed, round));
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let recorder = scope.spawn(|| {
                start.wait();
                racing.record(Transport, record(Transport, round));
            });
            start.wait();
            while !recorder.is_finished() {
                assert!(child.get().is_some(), "round {round}");
            }
        });
    }
}

/// Recording, presuming, waiting, closing and dropping, all at once.
#[test]
fn every_guard_of_a_busy_tree_logs_one_line_and_every_waiter_wakes() {
    const SESSIONS: usize = 2_000;
    let agent = Cause::default();
    let connections: Vec<Cause> = (0..20).map(|_| agent.child()).collect();
    let lines = Lines::default();
    let shutdown = record(Local, 0);
    let start = Arc::new(Barrier::new(4));
    thread::scope(|scope| {
        for worker in 0..3 {
            let (connections, lines, start) = (&connections, &lines, Arc::clone(&start));
            scope.spawn(move || {
                start.wait();
                for number in (worker..SESSIONS).step_by(3) {
                    let connection = &connections[number % 20];
                    let guard = lines.guard().with_cause(connection.child());
                    let cause = guard.cause();
                    let mut ended = std::pin::pin!(cause.ended());
                    let waker = std::task::Waker::noop();
                    let _ = ended
                        .as_mut()
                        .poll(&mut std::task::Context::from_waker(waker));
                    match number % 5 {
                        0 => drop(cause.record(ALL[number % 4], record(ALL[number % 4], number))),
                        1 => cause.presume(record(Presumed, number)),
                        2 => guard.failed(&std::io::Error::other("device gone")),
                        3 => drop(connection.record(Transport, record(Transport, number))),
                        _ => return_guard(guard),
                    }
                }
            });
        }
        start.wait();
        agent.record(Local, shutdown.clone());
    });
    assert_eq!(lines.take().len(), SESSIONS);
    for connection in connections {
        assert!(
            connection
                .get()
                .is_some_and(|end| evidence_of(&end) != Presumed)
        );
    }
}

fn return_guard(guard: disconnect_attribution::DisconnectGuard) {
    guard.close(record(Local, 1));
}
