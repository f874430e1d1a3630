//! What a line holds: the first step that knows something decides.

use std::io::{self, ErrorKind};

use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence};

use super::{line, panic_with};
use crate::support::{DROPPED, Lines, PANICKED, client_closed, end, reported, shutdown, words};

/// The line of a guard over something else, after `story`: the first cause is the parent's.
fn line_below(story: impl FnOnce(&Cause, &DisconnectGuard)) -> String {
    let (lines, parent) = (Lines::default(), reported(ConnectType::ServerToAgent));
    let guard = lines.guard().with_cause(parent.child());
    story(&parent, &guard);
    drop(guard);
    words(&lines.one())
}

fn server_end(reason: DisconnectReason) -> Disconnect {
    Disconnect::new(ConnectType::ServerToAgent, reason)
}

fn not_connected() -> io::Error {
    ErrorKind::NotConnected.into()
}

fn device_gone() -> io::Error {
    io::Error::other("device gone")
}

/// Gives an error to a guard of the cause that has no line.
fn fails(cause: &Cause, error: &io::Error) {
    DisconnectGuard::new(ConnectType::ServerToAgent, drop).with_cause(cause.clone()).record_error(error);
}

#[test]
fn first_is_what_the_cause_and_its_parents_know() {
    for evidence in [Evidence::Transport, Evidence::Local, Evidence::Peer] {
        let own = line(|guard| {
            guard.cause().record(evidence, end(DisconnectReason::Rejected));
            guard.record_error(&io::Error::other("later"));
            guard.cause().presume(client_closed());
        });
        assert_eq!(own, "agent_to_client ended: rejected");
        let inherited = line_below(|parent, _| {
            parent.record(evidence, server_end(DisconnectReason::Rejected).with_detail("why"));
        });
        assert_eq!(inherited, "agent_to_client ended: rejected (from server_to_agent): why");
    }
}

#[test]
fn an_origin_is_the_lines_own_and_not_one_that_a_record_came_with() {
    let (lines, parent) = (Lines::default(), reported(ConnectType::ServerToAgent));
    parent.record(Evidence::Local, server_end(DisconnectReason::Rejected));
    drop(lines.guard().with_cause(parent.child()));
    let inherited = lines.one();
    assert_eq!(inherited.origin(), Some(ConnectType::ServerToAgent));
    lines.guard().close(inherited);
    assert_eq!(words(&lines.one()), "agent_to_client ended: rejected");
}

#[test]
fn first_is_passed_over_when_an_expected_end_is_inherited_by_a_panic() {
    let network = "agent_to_client ended: network_error (from server_to_agent)";
    for (reason, expected) in
        [(DisconnectReason::ServerShutdown, PANICKED), (DisconnectReason::NetworkError, network)]
    {
        // Also when the connection's own stream ended after its parent did.
        for own in [None, Some(end(DisconnectReason::NetworkError))] {
            let (lines, parent) = (Lines::default(), reported(ConnectType::ServerToAgent));
            let guard = lines.guard().with_cause(parent.child());
            parent.record(Evidence::Local, server_end(reason));
            if let Some(own) = own {
                guard.cause().record(Evidence::Transport, own);
            }
            panic_with(guard);
            assert_eq!(words(&lines.one()), expected);
        }
    }
    let lines = Lines::default();
    let guard = lines.guard();
    guard.cause().record(Evidence::Local, end(DisconnectReason::Graceful));
    panic_with(guard);
    assert_eq!(words(&lines.one()), "agent_to_client ended: graceful", "its own stands");
}

#[test]
fn second_is_a_panic_which_is_stored_for_what_runs_over_it() {
    let (lines, over) = (Lines::default(), Lines::default());
    let guard = lines.guard();
    let session = over.guard().with_cause(guard.cause().child());
    panic_with(guard);
    drop(session);
    assert_eq!(words(&lines.one()), PANICKED);
    let inherited = "agent_to_client ended: unknown (panic, from agent_to_client): ended by a panic";
    assert_eq!(words(&over.one()), inherited);
}

#[test]
fn third_is_the_text_of_an_error_that_explained_nothing() {
    let own = line(|guard| {
        guard.record_error(&not_connected());
        guard.record_error(&device_gone());
        guard.record_error(&io::Error::other("later"));
        guard.cause().presume(client_closed());
    });
    assert_eq!(own, "agent_to_client ended: unknown: device gone");
    let inherited = line_below(|parent, guard| {
        fails(parent, &device_gone());
        guard.cause().presume(client_closed());
    });
    assert_eq!(inherited, "agent_to_client ended: unknown (from server_to_agent): device gone");
    let before_what_else_is_weak_above = line_below(|parent, guard| {
        fails(parent, &not_connected());
        guard.record_error(&device_gone());
    });
    assert_eq!(before_what_else_is_weak_above, "agent_to_client ended: unknown: device gone");
}

#[test]
fn then_the_presumption_that_stands_its_own_or_its_nearest_parents() {
    let clients = "agent_to_client ended by client: client_closed";
    let own = line(|guard| {
        guard.record_error(&not_connected());
        guard.cause().presume(client_closed());
    });
    assert_eq!(own, clients);
    let taken_back = line(|guard| {
        guard.cause().presume(client_closed());
        guard.cause().presume(None);
    });
    assert_eq!(taken_back, DROPPED);
    let parents = line_below(|parent, _| parent.presume(server_end(DisconnectReason::Rejected)));
    assert_eq!(parents, "agent_to_client ended: rejected (from server_to_agent)");
    let nearest = line_below(|parent, guard| {
        parent.presume(server_end(DisconnectReason::Rejected));
        guard.cause().presume(client_closed());
    });
    assert_eq!(nearest, clients);
    let shutdown_wins = line_below(|parent, guard| {
        guard.cause().presume(client_closed());
        parent.record(Evidence::Local, shutdown());
    });
    assert_eq!(shutdown_wins, "agent_to_client ended by agent: server_shutdown (from server_to_agent)");
}

#[test]
fn then_an_error_that_explained_nothing_new() {
    let aborted = "agent_to_client ended by network: network_error (aborted";
    assert_eq!(line(|guard| guard.record_error(&not_connected())), format!("{aborted}): not connected"));
    let inherited = line_below(|parent, _| fails(parent, &not_connected()));
    assert_eq!(inherited, format!("{aborted}, from server_to_agent): not connected"));
}

#[test]
fn last_is_a_drop_which_is_not_stored() {
    let (lines, over) = (Lines::default(), Lines::default());
    let guard = lines.guard();
    let cause = guard.cause();
    let session = over.guard().with_cause(cause.child());
    drop(guard);
    assert_eq!(words(&lines.one()), DROPPED);
    assert_eq!(cause.get(), None);
    // The peer's goodbye, which comes a moment later, is still a cause.
    cause.record(Evidence::Peer, client_closed());
    drop(session);
    let goodbye = "agent_to_client ended by client: client_closed (from agent_to_client)";
    assert_eq!(words(&over.one()), goodbye);
}
