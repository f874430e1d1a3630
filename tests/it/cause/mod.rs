//! A cause can be refined, never contradicted; and causes form a tree.

mod ended;
mod tree;

use std::sync::atomic::Ordering;
use std::thread;

use disconnect_attribution::Evidence::{Local, Peer, Transport};
use disconnect_attribution::{Cause, CloseCode, Disconnect, DisconnectReason, Evidence, Trigger};

use crate::support;

const ALL: [Evidence; 3] = [Transport, Local, Peer];

fn end(detail: impl Into<String>) -> Disconnect {
    support::end(DisconnectReason::Unknown).with_detail(detail.into())
}

/// One line a story: what is recorded, in order, in the agent (a), the connection (c), the session (s) and the
/// channel (x), as `Transport` (T), `Local` (L) or `Peer` (P), and which of it the channel then knows.
#[test]
fn the_whole_path_is_folded_at_once() {
    let rows = [
        // A channel that breaks because its connection broke has the connection's end.
        ("cT xT", 0),
        // A target that reset before the client's goodbye is the cause.
        ("xT sP", 0),
        // A goodbye that a session decodes after its connection broke explains it.
        ("cT sP", 1),
        ("cT xP", 1),
        // An agent's shutdown explains what had not ended by then, and nothing that had.
        ("aL", 0),
        ("aL cT sP", 0),
        ("xT aL", 0),
        ("sP aL", 0),
        // What is learned higher and later refines nothing, though it would have lower or earlier.
        ("cT xT sP", 0),
        ("sT xT cP", 0),
        // Pair by pair this would end with the session's decision: T+(L+P) is not (T+L)+P.
        ("cT sL xP", 2),
        // Nor does a refinement.
        ("cT xL cP", 0),
        ("cT xP cP", 1),
        ("cT sP cP", 1),
    ];
    for (records, expected) in rows {
        let agent = Cause::default();
        let connection = agent.child();
        let session = connection.child();
        let channel = session.child();
        for (number, record) in records.split(' ').enumerate() {
            let (level, evidence) = record.split_at(1);
            let level = "acsx".find(level).expect("a level");
            let evidence = ALL["TLP".find(evidence).expect("an evidence")];
            [&agent, &connection, &session, &channel][level].record(evidence, end(number.to_string()));
        }
        assert_eq!(channel.get(), Some(end(expected.to_string())), "{records}");
    }
}

#[test]
fn a_bare_unknown_is_never_stored_but_its_exit_code_is() {
    let unknown = || support::end(DisconnectReason::Unknown);
    for evidence in ALL {
        let cause = Cause::default();
        assert!(!cause.record(evidence, unknown()));
        assert!(!cause.record(evidence, unknown().with_exit_code(7)));
        assert_eq!(cause.get(), None);
        assert!(cause.record(Transport, end("reset")));
        assert_eq!(cause.get(), Some(end("reset").with_exit_code(7)));
    }
    for known in [
        unknown().with_trigger(Trigger::Deadline),
        unknown().with_code(CloseCode::Ssh(4)),
        unknown().with_detail("why"),
    ] {
        assert!(Cause::default().record(Transport, known));
    }
}

#[test]
fn facts_that_only_refused_observations_knew_are_kept_the_first_such() {
    let cause = Cause::default();
    cause.record(Transport, end("reset"));
    assert!(!cause.record(Local, end("late").with_exit_code(1).with_bytes(1, 2)));
    assert!(!cause.record(Local, end("later").with_exit_code(2)));
    let known = end("reset").with_exit_code(1).with_bytes(1, 2);
    assert_eq!(cause.get(), Some(known));

    assert!(cause.record(Peer, end("goodbye").with_exit_code(3)));
    let known = end("goodbye").with_exit_code(3).with_bytes(1, 2);
    assert_eq!(cause.get(), Some(known), "what the kept record knows stands");
}

#[test]
fn a_cause_shows_what_is_known_no_presumption_and_not_the_parents() {
    let parent = Cause::default();
    let child = parent.child();
    for cause in [&parent, &child] {
        cause.presume(support::client_closed());
        assert_eq!((cause.get(), format!("{cause:?}")), (None, "Cause(None)".to_owned()));
    }
    child.record(Local, end("why"));
    assert!(format!("{child:?}").contains("\"why\""));
}

#[test]
fn a_chain_as_long_as_a_process_lives_needs_no_deep_stack() {
    const DEPTH: usize = 200_000;
    let deep = || {
        let root = Cause::default();
        let leaf = (0..DEPTH).fold(root.clone(), |cause, _| cause.child());
        let (mut waiting, (waker, woken)) = (leaf.ended(), ended::counted());
        assert!(ended::poll(&mut waiting, &waker).is_pending());
        root.record(Local, end("shutdown"));
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert_eq!(leaf.get(), Some(end("shutdown")));
        assert!(format!("{leaf:?}").contains("shutdown"));
        drop((root, waiting));
        drop(leaf);
    };
    let small = thread::Builder::new().stack_size(64 * 1024);
    small.spawn(deep).expect("spawned").join().expect("no overflow");
}
