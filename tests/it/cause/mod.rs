//! A cause can be refined, never contradicted; and causes form a tree.

mod ended;
mod tree;

use std::thread;

use disconnect_attribution::Evidence::{Local, Peer, Transport};
use disconnect_attribution::{Cause, CloseCode, Disconnect, DisconnectReason, Evidence, Trigger};

use crate::support::fold::ALL;
use crate::support::{client_closed, known};

fn end(detail: impl Into<String>) -> Disconnect {
    crate::support::end(DisconnectReason::Unknown).with_detail(detail.into())
}

#[track_caller]
fn assert_known(cause: &Cause, detail: &str) {
    assert_eq!(cause.get(), Some(end(detail)));
}

/// What is known stays, except that `Peer` refines `Transport`; what a parent learns after its child refines nothing.
#[test]
fn each_pair_of_records_refines_or_is_refused() {
    for (first, later) in ALL.into_iter().flat_map(|first| ALL.map(|later| (first, later))) {
        let refines = (first, later) == (Transport, Peer);
        for (case, refines) in [("one cause", refines), ("child later", refines), ("parent later", false)] {
            let parent = Cause::default();
            let child = parent.child();
            let (one, other) = match case {
                "one cause" => (&child, &child),
                "child later" => (&parent, &child),
                _ => (&child, &parent),
            };
            assert!(one.record(first, end("first")), "anything beats nothing");
            let is_kept = other.record(later, end("later"));
            assert_eq!(is_kept, refines || case != "one cause", "each cause keeps its own");
            let known = child.get().expect("two were recorded");
            let expected = if refines { "later" } else { "first" };
            assert_eq!(known.detail(), Some(expected), "{case}, {first:?} then {later:?}");
        }
    }
}

#[test]
fn a_child_never_writes_to_its_parent_and_siblings_never_see_each_other() {
    let connection = Cause::default();
    let [tab, other_tab] = [connection.child(), connection.child()];
    tab.record(Peer, end("goodbye"));
    assert_eq!(connection.get(), None);
    assert_eq!(other_tab.get(), None);

    connection.record(Transport, end("link died"));
    assert_known(&other_tab, "link died");
    assert_known(&tab, "goodbye");
}

#[test]
fn clones_share_one_cause_and_new_ones_do_not() {
    let cause = Cause::default();
    cause.clone().record(Local, end("seen"));
    assert_known(&cause, "seen");
    assert_eq!(Cause::default().get(), None);
}

/// One line a story: what is recorded, in order, in the agent (a), the connection (c), the session (s) and
/// the channel (x), and what the channel then knows.
#[test]
fn the_whole_path_is_folded_at_once() {
    let rows: [(&[(char, Evidence)], usize); 13] = [
        // A channel that breaks because its connection broke has the connection's end.
        (&[('c', Transport), ('x', Transport)], 0),
        // A target that reset before the client's goodbye is the cause.
        (&[('x', Transport), ('s', Peer)], 0),
        // A goodbye that a session decodes after its connection broke explains it.
        (&[('c', Transport), ('s', Peer)], 1),
        (&[('c', Transport), ('x', Peer)], 1),
        // An agent's shutdown explains what had not ended by then, and nothing that had.
        (&[('a', Local)], 0),
        (&[('a', Local), ('c', Transport), ('s', Peer)], 0),
        (&[('x', Transport), ('a', Local)], 0),
        (&[('s', Peer), ('a', Local)], 0),
        // What is learned higher and later refines nothing, though it would have lower or earlier.
        (&[('c', Transport), ('x', Transport), ('s', Peer)], 0),
        (&[('s', Transport), ('x', Transport), ('c', Peer)], 0),
        // Pair by pair this would end with the session's decision: T+(L+P) is not (T+L)+P.
        (&[('c', Transport), ('s', Local), ('x', Peer)], 2),
        // Nor does a refinement.
        (&[('c', Transport), ('x', Local), ('c', Peer)], 0),
        (&[('c', Transport), ('x', Peer), ('c', Peer)], 1),
    ];
    for (records, expected) in rows {
        let agent = Cause::default();
        let connection = agent.child();
        let session = connection.child();
        let channel = session.child();
        for (number, (level, evidence)) in records.iter().enumerate() {
            let cause = match level {
                'a' => &agent,
                'c' => &connection,
                's' => &session,
                _ => &channel,
            };
            cause.record(*evidence, end(number.to_string()));
        }
        let known = channel.get().and_then(|end| end.detail().map(str::to_owned));
        assert_eq!(known, Some(expected.to_string()), "{records:?}");
    }
}

#[test]
fn a_bare_unknown_is_never_stored_but_its_exit_code_is() {
    for evidence in ALL {
        let cause = Cause::default();
        assert!(!cause.record(evidence, crate::support::end(DisconnectReason::Unknown)));
        assert_eq!(cause.get(), None);
        assert!(!cause.record(evidence, crate::support::end(DisconnectReason::Unknown).with_exit_code(7)));
        assert_eq!(cause.get(), None);
        assert!(cause.record(Transport, end("reset")));
        assert_eq!(cause.get(), Some(end("reset").with_exit_code(7)));
    }
    for known in [
        crate::support::end(DisconnectReason::Unknown).with_trigger(Trigger::Deadline),
        crate::support::end(DisconnectReason::Unknown).with_code(CloseCode::Ssh(4)),
        crate::support::end(DisconnectReason::Unknown).with_detail("why"),
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
fn get_shows_no_presumption() {
    let parent = Cause::default();
    let child = parent.child();
    parent.presume(client_closed());
    child.presume(client_closed());
    assert_eq!((known(&parent), known(&child)), (None, None));
}

#[test]
fn debug_shows_what_is_known_and_not_the_parents() {
    let child = Cause::default().child().child();
    assert_eq!(format!("{child:?}"), "Cause(None)");
    child.record(Local, end("why"));
    assert!(format!("{child:?}").contains("\"why\""));
}

#[test]
fn a_panic_of_a_thread_that_holds_a_handle_leaves_the_cause_usable() {
    let cause = Cause::default();
    let handle = cause.clone();
    let died = thread::spawn(move || {
        handle.record(Transport, end("reset"));
        panic!("after recording");
    });
    assert!(died.join().is_err());
    assert_known(&cause, "reset");
    assert!(cause.record(Peer, end("goodbye")));
}

#[test]
fn a_chain_as_long_as_a_process_lives_needs_no_deep_stack() {
    const DEPTH: usize = 1_000_000;
    let deep = || {
        let root = Cause::default();
        let leaf = (0..DEPTH).fold(root.clone(), |cause, _| cause.child());
        root.record(Local, end("shutdown"));
        assert_known(&leaf, "shutdown");
        assert!(format!("{leaf:?}").contains("shutdown"));
        drop(root);
        drop(leaf);
    };
    let small = thread::Builder::new().stack_size(64 * 1024);
    small.spawn(deep).expect("spawned").join().expect("no overflow");
}
