//! The seven steps of what a line holds: the first that knows something decides.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
};

use crate::lines::{Lines, end};
use crate::words::words;
use crate::{DROPPED, PANICKED, SHUTDOWN, client_closed, line, panic_with};

/// The line of a guard over something else, after `story`: the first cause is the parent's.
fn line_below(story: impl FnOnce(&Cause, &DisconnectGuard)) -> String {
    let (lines, parent) = (Lines::default(), Cause::default());
    let guard = lines.guard().with_cause(parent.child());
    story(&parent, &guard);
    drop(guard);
    words(&lines.one())
}

fn server_end(reason: DisconnectReason) -> Disconnect {
    Disconnect::new(ConnectType::ServerToAgent, reason)
}

#[test]
fn step_1_is_what_the_cause_and_its_parents_know() {
    for evidence in [Evidence::Transport, Evidence::Local, Evidence::Peer] {
        let own = line(|guard| {
            guard
                .cause()
                .record(evidence, end(DisconnectReason::Rejected));
            guard.failed(&io::Error::other("later"));
            guard.cause().presume(client_closed());
        });
        assert_eq!(own, "agent_to_client ended: rejected");
        let inherited = line_below(|parent, _| {
            parent.record(
                evidence,
                server_end(DisconnectReason::Rejected).with_detail("why"),
            );
        });
        assert_eq!(
            inherited,
            "agent_to_client ended: rejected (from server_to_agent): why"
        );
    }
}

#[test]
fn an_origin_is_the_lines_own_and_not_one_that_a_record_came_with() {
    let (lines, parent) = (Lines::default(), Cause::default());
    parent.record(Evidence::Local, server_end(DisconnectReason::Rejected));
    drop(lines.guard().with_cause(parent.child()));
    let inherited = lines.one();
    assert_eq!(inherited.origin(), Some(ConnectType::ServerToAgent));
    lines.guard().close(inherited);
    assert_eq!(words(&lines.one()), "agent_to_client ended: rejected");
}

#[test]
fn step_1_is_passed_over_where_an_expected_end_is_inherited_by_a_panic() {
    let rows = [
        (DisconnectReason::ServerShutdown, PANICKED),
        (
            DisconnectReason::NetworkError,
            "agent_to_client ended: network_error (from server_to_agent)",
        ),
    ];
    for (reason, expected) in rows {
        // Also where the connection's own stream ended after its parent did.
        for own in [None, Some(end(DisconnectReason::NetworkError))] {
            let (lines, parent) = (Lines::default(), Cause::default());
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
    guard
        .cause()
        .record(Evidence::Local, end(DisconnectReason::Graceful));
    panic_with(guard);
    assert_eq!(
        words(&lines.one()),
        "agent_to_client ended: graceful",
        "its own stands"
    );
}

#[test]
fn step_2_a_panic_is_stored_for_what_runs_over_it() {
    let (lines, over) = (Lines::default(), Lines::default());
    let guard = lines.guard();
    let session = over.guard().with_cause(guard.cause().child());
    panic_with(guard);
    drop(session);
    assert_eq!(words(&lines.one()), PANICKED);
    let inherited =
        "agent_to_client ended: unknown (panic, from agent_to_client): ended by a panic";
    assert_eq!(words(&over.one()), inherited);
}

#[test]
fn step_3_a_shutdown_is_stored_for_what_runs_over_it() {
    let (lines, over) = (Lines::default(), Lines::default());
    let guard = lines.guard().shutdown_when(Initiator::Agent, || true);
    let session = over.guard().with_cause(guard.cause().child());
    drop(guard);
    drop(session);
    assert_eq!(words(&lines.one()), SHUTDOWN);
    let inherited = "agent_to_client ended by agent: server_shutdown (from agent_to_client)";
    assert_eq!(words(&over.one()), inherited);
}

#[test]
fn step_3_asks_when_the_guard_ends() {
    let rows = [
        (
            Initiator::Agent,
            "agent_to_client ended by agent: server_shutdown",
        ),
        (
            Initiator::Server,
            "agent_to_client ended by server: server_shutdown",
        ),
        (
            Initiator::Client,
            "agent_to_client ended by client: client_closed",
        ),
        (Initiator::Network, "agent_to_client ended: server_shutdown"),
    ];
    for (side, shutdown) in rows {
        let stopping = Arc::new(AtomicBool::new(false));
        for (is_stopping, expected) in [(false, DROPPED), (true, shutdown)] {
            let (lines, asked) = (Lines::default(), Arc::clone(&stopping));
            let guard = lines
                .guard()
                .shutdown_when(side, move || asked.load(Ordering::Relaxed));
            stopping.store(is_stopping, Ordering::Relaxed);
            drop(guard);
            assert_eq!(words(&lines.one()), expected);
        }
    }
}

#[test]
fn step_4_is_the_text_of_an_error_that_explained_nothing() {
    let own = line(|guard| {
        guard.failed(&io::Error::other("device gone"));
        guard.failed(&io::Error::other("later"));
        guard
            .cause()
            .record(Evidence::Presumed, end(DisconnectReason::Graceful));
        guard.cause().presume(client_closed());
    });
    assert_eq!(own, "agent_to_client ended: unknown: device gone");
    let inherited = line_below(|parent, guard| {
        let connection =
            DisconnectGuard::new(ConnectType::ServerToAgent, drop).with_cause(parent.clone());
        connection.failed(&io::Error::other("device gone"));
        guard.cause().presume(client_closed());
    });
    assert_eq!(
        inherited,
        "agent_to_client ended: unknown (from server_to_agent): device gone"
    );
    let before_what_else_is_weak = line_below(|parent, guard| {
        let connection =
            DisconnectGuard::new(ConnectType::ServerToAgent, drop).with_cause(parent.clone());
        connection.failed(&io::Error::from(ErrorKind::NotConnected));
        guard.failed(&io::Error::from(ErrorKind::NotConnected));
        guard.failed(&io::Error::other("device gone"));
        guard.cause().presume(client_closed());
    });
    assert_eq!(
        before_what_else_is_weak,
        "agent_to_client ended: unknown: device gone"
    );
}

#[test]
fn step_5_is_the_presumption_that_stands_its_own_or_its_nearest_parents() {
    let own = line(|guard| {
        guard
            .cause()
            .record(Evidence::Presumed, end(DisconnectReason::Graceful));
        guard.cause().presume(client_closed());
    });
    assert_eq!(own, "agent_to_client ended by client: client_closed");
    let taken_back = line(|guard| {
        guard.cause().presume(client_closed());
        guard.cause().presume(None);
    });
    assert_eq!(taken_back, DROPPED);
    let parents = line_below(|parent, _| parent.presume(server_end(DisconnectReason::Rejected)));
    assert_eq!(
        parents,
        "agent_to_client ended: rejected (from server_to_agent)"
    );
    let nearest = line_below(|parent, guard| {
        parent.presume(server_end(DisconnectReason::Rejected));
        guard.cause().presume(client_closed());
    });
    assert_eq!(nearest, "agent_to_client ended by client: client_closed");
    let shutdown_wins = line_below(|parent, guard| {
        guard.cause().presume(client_closed());
        let shutdown = Disconnect::shutdown(ConnectType::ServerToAgent, Initiator::Agent);
        parent.record(Evidence::Local, shutdown);
    });
    let expected = "agent_to_client ended by agent: server_shutdown (from server_to_agent)";
    assert_eq!(shutdown_wins, expected);
}

#[test]
fn step_6_is_what_else_was_observed_weakly() {
    let presumed = line(|guard| {
        guard
            .cause()
            .record(Evidence::Presumed, end(DisconnectReason::Graceful));
    });
    assert_eq!(presumed, "agent_to_client ended: graceful");
    let failed = line(|guard| {
        guard
            .cause()
            .record(Evidence::Presumed, end(DisconnectReason::Graceful));
        guard.failed(&io::Error::from(ErrorKind::NotConnected));
    });
    let not_connected = "agent_to_client ended by network: network_error (aborted): not connected";
    assert_eq!(failed, not_connected);
    let inherited = line_below(|parent, _| {
        parent.record(Evidence::Presumed, server_end(DisconnectReason::Graceful));
    });
    assert_eq!(
        inherited,
        "agent_to_client ended: graceful (from server_to_agent)"
    );
    let yields_to_a_presumption = line(|guard| {
        guard.failed(&io::Error::from(ErrorKind::NotConnected));
        guard.cause().presume(client_closed());
    });
    assert_eq!(
        yields_to_a_presumption,
        "agent_to_client ended by client: client_closed"
    );
}

#[test]
fn step_7_is_not_stored() {
    let lines = Lines::default();
    let guard = lines.guard();
    let cause = guard.cause();
    let over = Lines::default();
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
