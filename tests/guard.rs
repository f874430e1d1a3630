//! Exactly one line for every guard, on every way out, and the seven steps of what it holds.

mod lines;
#[path = "support/words.rs"]
mod words;

use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
};
use lines::{Lines, end};
use words::words;

const DROPPED: &str = "agent_to_client ended: unknown (dropped): \
                       no cause was recorded: cancelled task or early return";
const PANICKED: &str = "agent_to_client ended: unknown (panic): ended by a panic";
const SHUTDOWN: &str = "agent_to_client ended by agent: server_shutdown";

/// The line of a guard after `story`.
fn line(story: impl FnOnce(&DisconnectGuard)) -> String {
    let lines = Lines::default();
    let guard = lines.guard();
    story(&guard);
    drop(guard);
    words(&lines.one())
}

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

fn client_closed() -> Disconnect {
    Disconnect::closed_by(ConnectType::AgentToClient, Initiator::Client)
}

/// Runs a panic with the guard on its way.
fn panic_with<T>(value: T) {
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _value = value;
        panic!("of the session");
    }));
    assert!(died.is_err());
}

#[test]
fn step_1_what_the_cause_and_its_parents_know() {
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
fn step_4_the_text_of_an_error_that_explained_nothing() {
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
fn step_5_the_presumption_that_stands_its_own_or_its_nearest_parents() {
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
fn step_6_what_else_was_observed_weakly() {
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

#[test]
fn an_error_counts_as_what_it_explains() {
    type MakeError = fn() -> io::Error;
    let rows: [(MakeError, &str); 5] = [
        (
            || ErrorKind::ConnectionReset.into(),
            "agent_to_client ended by network: network_error (reset): connection reset",
        ),
        (
            || io::Error::new(ErrorKind::InvalidData, "bad frame"),
            "agent_to_client ended: protocol_error: bad frame",
        ),
        (
            || io::Error::new(ErrorKind::TimedOut, "deadline has elapsed"),
            "agent_to_client ended by network: network_error (timed_out): deadline has elapsed",
        ),
        (|| ErrorKind::NotConnected.into(), SHUTDOWN),
        (|| io::Error::other("device gone"), SHUTDOWN),
    ];
    for (error, expected) in rows {
        let (lines, agent) = (Lines::default(), Cause::default());
        let guard = lines.guard().with_cause(agent.child());
        guard.failed(&error());
        let shutdown = Disconnect::shutdown(ConnectType::AgentToClient, Initiator::Agent);
        agent.record(Evidence::Local, shutdown);
        drop(guard);
        let line = words(&lines.one()).replace(" (from agent_to_client)", "");
        assert_eq!(line, expected, "{:?}", error());
    }
}

#[test]
fn a_goodbye_refines_an_error_of_the_transport_and_none_of_the_protocol() {
    for (kind, is_refined) in [
        (ErrorKind::ConnectionReset, true),
        (ErrorKind::NotConnected, true),
        (ErrorKind::InvalidData, false),
    ] {
        let guard = Lines::default().guard();
        guard.failed(&io::Error::from(kind));
        let is_kept = guard.cause().record(Evidence::Peer, client_closed());
        assert_eq!(is_kept, is_refined, "{kind:?}");
    }
}

#[test]
fn a_tracked_stream_sees_a_transport_error_itself_but_no_truncation_and_no_deadline() {
    let rows: [(ErrorKind, &str); 3] = [
        (
            ErrorKind::ConnectionReset,
            "by client: client_closed (end_of_file)",
        ),
        (
            ErrorKind::UnexpectedEof,
            "by network: network_error (end_of_file): unexpected end of file",
        ),
        (
            ErrorKind::TimedOut,
            "by network: network_error (timed_out): timed out",
        ),
    ];
    for (kind, expected) in rows {
        let line = line(|guard| {
            let mut stream = guard.track(io::empty()).with_half_close(Initiator::Client);
            assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
            guard.failed(&io::Error::from(kind));
        });
        assert_eq!(line, format!("agent_to_client ended {expected}"));
    }
}

#[test]
fn close_is_a_decision_of_this_side_and_close_as_is_what_it_is_given() {
    let after_reset = |close: fn(DisconnectGuard)| {
        let lines = Lines::default();
        let guard = lines.guard();
        let reset = end(DisconnectReason::NetworkError).with_trigger(Trigger::Reset);
        guard.cause().record(Evidence::Transport, reset);
        close(guard);
        words(&lines.one())
    };
    let reset = "agent_to_client ended: network_error (reset)";
    assert_eq!(after_reset(|guard| guard.close(client_closed())), reset);
    let goodbye = "agent_to_client ended by client: client_closed";
    assert_eq!(
        after_reset(|guard| guard.close_as(Evidence::Peer, client_closed())),
        goodbye
    );

    let lines = Lines::default();
    lines.guard().close(end(DisconnectReason::Graceful));
    assert_eq!(words(&lines.one()), "agent_to_client ended: graceful");
}

#[test]
fn question_mark_loses_no_error() {
    fn session(guard: DisconnectGuard) -> io::Result<()> {
        let refused = || Err::<(), _>(io::Error::from(ErrorKind::PermissionDenied));
        refused().inspect_err(|error| guard.failed(error))?;
        guard.close(end(DisconnectReason::Graceful));
        Ok(())
    }
    let lines = Lines::default();
    session(lines.guard()).expect_err("fails");
    assert_eq!(
        words(&lines.one()),
        "agent_to_client ended: unknown: permission denied"
    );
}

#[test]
fn disarm_logs_nothing() {
    let lines = Lines::default();
    lines.guard().disarm();
    assert_eq!(lines.take(), []);
}

#[test]
fn debug_shows_the_layer_and_the_cause() {
    let guard = Lines::default().guard();
    guard
        .cause()
        .record(Evidence::Peer, end(DisconnectReason::Rejected));
    let text = format!("{guard:?}");
    guard.disarm();
    for part in ["DisconnectGuard", "AgentToClient", "Rejected"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

/// A connection that a destructor opens and closes while its thread unwinds did not panic itself.
#[test]
fn a_guard_made_while_unwinding_does_not_blame_that_panic() {
    struct Cleanup(Lines);
    impl Drop for Cleanup {
        fn drop(&mut self) {
            drop(self.0.guard());
        }
    }
    let lines = Lines::default();
    panic_with(Cleanup(lines.clone()));
    assert_eq!(words(&lines.one()), DROPPED);
}

#[test]
fn a_guard_with_its_cause_is_one_allocation_and_a_box_one_more() {
    let parent = Cause::default();
    let layer = ConnectType::AgentToClient;
    let count = |run: &dyn Fn()| allocation_counter::measure(run).count_total;
    assert_eq!(count(&|| DisconnectGuard::new(layer, drop).disarm()), 0);
    let with_cause = || {
        let guard = DisconnectGuard::new(layer, drop);
        assert_eq!(guard.cause().get(), None);
        guard.disarm();
    };
    assert_eq!(count(&with_cause), 1);
    let child = || {
        DisconnectGuard::new(layer, drop)
            .with_cause(parent.child())
            .disarm();
    };
    assert_eq!(count(&child), 1);
    let captured = 7;
    let boxed = || {
        let emit = move |end| drop((end, captured));
        DisconnectGuard::boxed(layer, emit)
            .with_cause(parent.child())
            .disarm();
    };
    assert_eq!(count(&boxed), 2);
}
