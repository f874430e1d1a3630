//! A cause can be refined, never contradicted.

use std::sync::Barrier;
use std::thread;

use disconnect_attribution::Evidence::{Local, Peer, Presumed, Transport};
use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence};

fn end(detail: impl Into<String>) -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Unknown)
        .with_detail(detail.into())
}

const ALL: [Evidence; 4] = [Presumed, Transport, Local, Peer];

/// Row: what is kept. Column: what comes later, in the order of [`ALL`].
const REPLACES: [[bool; 4]; 4] = [
    [false, true, true, true],
    [false, false, false, true],
    [false, false, false, false],
    [false, false, false, false],
];

#[test]
fn all_transitions() {
    for (first, row) in ALL.into_iter().zip(REPLACES) {
        for (later, replaces) in ALL.into_iter().zip(row) {
            let cause = Cause::default();
            assert!(
                cause.record(first, end("first")),
                "anything is better than nothing"
            );
            assert_eq!(
                cause.record(later, end("later")),
                replaces,
                "{first:?} then {later:?}"
            );
            let kept = if replaces { "later" } else { "first" };
            assert_eq!(cause.get(), Some(end(kept)), "{first:?} then {later:?}");
        }
    }
}

#[test]
fn clones_share_one_cell_and_new_ones_do_not() {
    let cause = Cause::default();
    let handle = cause.clone();
    handle.record(Local, end("seen"));
    assert_eq!(cause.get(), Some(end("seen")));
    assert_eq!(Cause::default().get(), None);
}

/// Every order of four observations ends with what the rule says, whoever comes first.
#[test]
fn races_end_with_the_first_true_cause() {
    const ROUNDS: usize = 2_000;
    const TASKS: usize = 8;
    let causes: Vec<Cause> = (0..ROUNDS).map(|_| Cause::default()).collect();
    let start = Barrier::new(TASKS);
    // For each task and round: whether its observation was kept when it came.
    let kept: Vec<Vec<bool>> = thread::scope(|scope| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (causes, start) = (&causes, &start);
                scope.spawn(move || {
                    start.wait();
                    let record = |(round, cause): (usize, &Cause)| {
                        let evidence = ALL[(task + round) % ALL.len()];
                        cause.record(evidence, end(format!("{evidence:?} {task}")))
                    };
                    causes.iter().enumerate().map(record).collect()
                })
            })
            .collect();
        tasks
            .into_iter()
            .map(|task| task.join().expect("no panic"))
            .collect()
    });
    for (round, cause) in causes.iter().enumerate() {
        let answers: Vec<(Evidence, usize)> = (0..TASKS)
            .filter(|task| kept[*task][round])
            .map(|task| (ALL[(task + round) % ALL.len()], task))
            .collect();
        // One Presumed, one Transport and one final answer at the most, and a final one for sure.
        for evidence in ALL {
            let count = answers.iter().filter(|(kept, _)| *kept == evidence).count();
            assert!(
                count <= 1,
                "round {round}: two of {evidence:?} were kept: {answers:?}"
            );
        }
        let finals: Vec<_> = answers
            .iter()
            .filter(|(kept, _)| matches!(kept, Local | Peer))
            .collect();
        assert_eq!(finals.len(), 1, "round {round}: {answers:?}");
        let (evidence, task) = finals[0];
        assert_eq!(
            cause.get(),
            Some(end(format!("{evidence:?} {task}"))),
            "round {round}"
        );
    }
}

#[test]
fn a_panic_of_a_thread_that_holds_a_handle_leaves_the_cause_usable() {
    let cause = Cause::default();
    let handle = cause.clone();
    let died = thread::spawn(move || {
        handle.record(Transport, end("reset"));
        panic!("after recording");
    })
    .join();
    assert!(died.is_err());
    assert_eq!(cause.get(), Some(end("reset")));
    assert!(cause.record(Peer, end("goodbye")));
}

#[test]
fn a_cause_is_one_small_allocation() {
    let measured = allocation_counter::measure(|| {
        let cause = Cause::default();
        let handle = cause.clone();
        let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Graceful);
        handle.record(Presumed, end.clone());
        handle.record(Peer, end);
        assert!(cause.get().is_some());
    });
    assert_eq!(measured.count_total, 1);
    #[cfg(target_pointer_width = "64")]
    assert_eq!(measured.bytes_total, 80);
}
