//! What a line holds: the first step that knows something decides.

use std::io::{self, ErrorKind};

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::DisconnectReason::{
    Graceful, NetworkError, ProcessExited, Rejected, ServerShutdown, WorkspaceStopped,
};
use disconnect_attribution::Evidence::{Local, Peer, Transport};
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, DisconnectReason, Initiator, Trigger};

use super::{GOODBYE, goodbye, panic_with};
use crate::support::{
    DROPPED, Lines, PANICKED, SHUTDOWN, client_closed, end, known, reported, shutdown, track, words,
};

/// What happens to a cause that has a line, and to a guard below it.
type Story = fn(&Cause, &DisconnectGuard);

fn line_of(story: Story, panics: bool) -> String {
    let (lines, parent) = (Lines::default(), reported(ServerToAgent));
    let guard = lines.guard().with_cause(parent.child());
    story(&parent, &guard);
    if panics {
        panic_with(guard);
    } else {
        drop(guard);
    }
    words(&lines.one())
}

fn server_end(reason: DisconnectReason) -> Disconnect {
    Disconnect::new(ServerToAgent, reason)
}

fn device_gone() -> io::Error {
    io::Error::other("device gone")
}

fn failed(guard: &DisconnectGuard, kind: ErrorKind) {
    guard.record_error(&io::Error::from(kind));
}

const CLIENT_CLOSED: &str = "agent_to_client ended by client: client_closed";
const DEVICE_GONE: &str = "agent_to_client ended: unknown: device gone";

const STEPS: &[(&str, Story, &str)] = &[
    (
        "what its cause knows",
        |_, guard| {
            guard.cause().record(Peer, end(Rejected));
            guard.record_error(&device_gone());
            guard.cause().presume(client_closed());
        },
        "agent_to_client ended: rejected",
    ),
    (
        "what a cause above it knows",
        |parent, guard| {
            guard.cause().presume(client_closed());
            parent.record(Local, server_end(Rejected).with_detail("why"));
        },
        "agent_to_client ended: rejected (from server_to_agent): why",
    ),
    (
        "an error of the network, and what it says",
        |parent, guard| {
            failed(guard, ErrorKind::ConnectionReset);
            parent.record(Local, shutdown());
        },
        "agent_to_client ended by network: network_error (reset): connection reset",
    ),
    (
        "an error of the protocol",
        |parent, guard| {
            guard.record_error(&io::Error::new(ErrorKind::InvalidData, "bad frame"));
            parent.record(Local, shutdown());
        },
        "agent_to_client ended: protocol_error: bad frame",
    ),
    (
        "a deadline",
        |_, guard| guard.record_error(&io::Error::new(ErrorKind::TimedOut, "deadline has elapsed")),
        "agent_to_client ended by network: network_error (deadline): deadline has elapsed",
    ),
    (
        "not an error that explained nothing, before what is known",
        |parent, guard| {
            guard.record_error(&device_gone());
            failed(guard, ErrorKind::NotConnected);
            parent.record(Local, shutdown());
        },
        "agent_to_client ended by agent: server_shutdown (from server_to_agent)",
    ),
    (
        "not a reset, if the stream saw an end of file",
        |_, guard| {
            half_close(guard);
            failed(guard, ErrorKind::ConnectionReset);
        },
        GOODBYE,
    ),
    (
        "a frame that was cut, which no stream sees",
        |_, guard| {
            half_close(guard);
            failed(guard, ErrorKind::UnexpectedEof);
        },
        "agent_to_client ended by network: network_error (end_of_file): unexpected end of file",
    ),
    (
        "a deadline, which no stream sees",
        |_, guard| {
            half_close(guard);
            failed(guard, ErrorKind::TimedOut);
        },
        "agent_to_client ended by network: network_error (deadline): timed out",
    ),
    (
        "a shutdown, whose answer is a FIN",
        |_, guard| {
            guard.cause().record(Local, shutdown());
            goodbye(guard);
        },
        SHUTDOWN,
    ),
    (
        "the first text of an error that explained nothing",
        |_, guard| {
            failed(guard, ErrorKind::NotConnected);
            guard.record_error(&device_gone());
            guard.record_error(&io::Error::other("later"));
            guard.cause().presume(client_closed());
        },
        DEVICE_GONE,
    ),
    (
        "such a text above",
        |parent, guard| {
            parent.record_error(ServerToAgent, &device_gone());
            guard.cause().presume(client_closed());
        },
        "agent_to_client ended: unknown (from server_to_agent): device gone",
    ),
    (
        "such a text, before what is weaker above",
        |parent, guard| {
            parent.record_error(ServerToAgent, &io::Error::from(ErrorKind::NotConnected));
            guard.record_error(&device_gone());
        },
        DEVICE_GONE,
    ),
    (
        "what is presumed",
        |_, guard| {
            failed(guard, ErrorKind::NotConnected);
            guard.cause().presume(client_closed());
        },
        CLIENT_CLOSED,
    ),
    (
        "what is presumed above",
        |parent, _| parent.presume(server_end(Rejected)),
        "agent_to_client ended: rejected (from server_to_agent)",
    ),
    (
        "the nearest presumption",
        |parent, guard| {
            parent.presume(server_end(Rejected));
            guard.cause().presume(client_closed());
        },
        CLIENT_CLOSED,
    ),
    (
        "an error that explained nothing new",
        |_, guard| failed(guard, ErrorKind::NotConnected),
        "agent_to_client ended by network: network_error (aborted): not connected",
    ),
    (
        "such an error above",
        |parent, _| parent.record_error(ServerToAgent, &io::Error::from(ErrorKind::NotConnected)),
        "agent_to_client ended by network: network_error (aborted, from server_to_agent): not connected",
    ),
    (
        "a drop, if a presumption was taken back",
        |_, guard| {
            guard.cause().presume(client_closed());
            guard.cause().presume(None);
        },
        DROPPED,
    ),
    (
        "any presumption, for a stream without a peer",
        |_, guard| {
            guard.cause().presume(client_closed());
            let mut stream = guard.track(&b"hi"[..], Initiator::Unknown);
            io::copy(&mut stream, &mut io::sink()).expect("the end");
        },
        "agent_to_client ended by client: client_closed (end_of_file)",
    ),
    ("a drop, if nothing is known", |_, _| {}, DROPPED),
];

/// An assumed goodbye is corrected by what says that the bytes were wrong, and by nothing else.
const GOODBYES: &[(&str, Story, &str)] = &[
    (
        "a goodbye, and not a status",
        |_, guard| {
            goodbye(guard);
            guard.cause().record(Local, end(ProcessExited));
        },
        GOODBYE,
    ),
    (
        "a goodbye, and not the transport",
        |_, guard| {
            goodbye(guard);
            guard.cause().record(Transport, Disconnect::network_error(AgentToClient, Trigger::Reset));
        },
        GOODBYE,
    ),
    (
        "a goodbye, and not an expected end",
        |_, guard| {
            goodbye(guard);
            guard.cause().record(Local, shutdown());
        },
        GOODBYE,
    ),
    (
        "a goodbye, and not an error of the transport",
        |_, guard| {
            goodbye(guard);
            failed(guard, ErrorKind::ConnectionReset);
        },
        GOODBYE,
    ),
    (
        "a goodbye, and not what a child records",
        |_, guard| {
            goodbye(guard);
            let child = guard.cause().child();
            child.record_error(AgentToClient, &io::Error::from(ErrorKind::InvalidData));
        },
        GOODBYE,
    ),
    (
        "the text of an error before the goodbye",
        |_, guard| {
            guard.record_error(&io::Error::other("bytes remaining on stream"));
            goodbye(guard);
        },
        "agent_to_client ended: unknown (end_of_file, peer client): bytes remaining on stream",
    ),
];

#[test]
fn the_first_step_that_knows_something_decides() {
    for (name, story, expected) in STEPS.iter().chain(GOODBYES) {
        assert_eq!(line_of(*story, false), *expected, "{name}");
    }
}

/// A client that stops sending.
fn half_close(guard: &DisconnectGuard) {
    let mut stream = track(guard, io::empty()).with_half_close();
    assert_eq!(io::copy(&mut stream, &mut io::sink()).expect("the end"), 0);
}

#[test]
fn a_panic_comes_before_what_is_inherited_or_assumed_and_expected() {
    let rows: [(&str, Story, &str); 5] = [
        (
            "inherited, expected",
            |parent, _| assert!(parent.record(Local, server_end(ServerShutdown))),
            PANICKED,
        ),
        (
            "inherited, and then the connection's own stream ended",
            |parent, guard| {
                parent.record(Local, server_end(ServerShutdown));
                guard.cause().record(Transport, end(NetworkError));
            },
            PANICKED,
        ),
        (
            "inherited, unexpected",
            |parent, _| assert!(parent.record(Local, server_end(NetworkError))),
            "agent_to_client ended: network_error (from server_to_agent)",
        ),
        (
            "its own",
            |_, guard| assert!(guard.cause().record(Local, end(Graceful))),
            "agent_to_client ended: graceful",
        ),
        ("assumed", |_, guard| goodbye(guard), PANICKED),
    ];
    for (name, story, expected) in rows {
        assert_eq!(line_of(story, true), expected, "{name}");
    }
    let guard = Lines::default().guard();
    let cause = guard.cause();
    goodbye(&guard);
    panic_with(guard);
    assert_eq!(known(&cause).as_deref(), Some(GOODBYE), "what is known stays");
}

#[test]
fn a_panic_is_stored_for_what_runs_over_it_and_a_drop_is_not() {
    let over = |panics: bool| {
        let (lines, over) = (Lines::default(), Lines::default());
        let guard = lines.guard();
        let cause = guard.cause();
        let session = over.guard().with_cause(cause.child());
        if panics {
            panic_with(guard);
        } else {
            drop(guard);
        }
        // The peer's goodbye, which comes a moment later.
        cause.record(Peer, client_closed());
        drop(session);
        (words(&lines.one()), words(&over.one()))
    };
    let panicked = "agent_to_client ended: unknown (panic, from agent_to_client): ended by a panic";
    assert_eq!(over(true), (PANICKED.to_owned(), panicked.to_owned()));
    let goodbye = "agent_to_client ended by client: client_closed (from agent_to_client)";
    assert_eq!(over(false), (DROPPED.to_owned(), goodbye.to_owned()));
}

#[test]
fn close_is_a_decision_of_this_side() {
    for (known, expected) in [
        (None, "graceful"),
        (Some(Trigger::Reset), "network_error (reset)"),
        (Some(Trigger::Aborted), "network_error (aborted)"),
    ] {
        let lines = Lines::default();
        let guard = lines.guard();
        if let Some(trigger) = known {
            guard.cause().record(Transport, end(NetworkError).with_trigger(trigger));
        }
        guard.close(end(Graceful));
        assert_eq!(words(&lines.one()), format!("agent_to_client ended: {expected}"));
    }
}

#[test]
fn an_origin_is_the_lines_own_and_no_record_or_cause_keeps_it() {
    let parent = reported(ServerToAgent);
    parent.record(Local, server_end(Rejected));
    let lines = Lines::default();
    let inherited = lines.guard().with_cause(parent.child()).finish();
    assert_eq!((inherited.origin(), lines.take()), (Some(ServerToAgent), vec![]));
    let cause = Cause::default();
    assert!(cause.record(Local, inherited.clone()));
    assert_eq!(cause.get().expect("recorded").origin(), None);
    lines.guard().close(inherited);
    assert_eq!(lines.one().origin(), None);
}

#[test]
fn a_guard_names_the_layer_after_its_line_and_after_it_was_finished() {
    for is_finished in [false, true] {
        let (connection, session) = (Lines::default(), Lines::default());
        let guard = DisconnectGuard::boxed(ServerToAgent, connection.emit());
        let over = session.guard().with_cause(guard.cause().child());
        guard.cause().record(Local, shutdown());
        if is_finished {
            assert_eq!(guard.finish().origin(), None);
        } else {
            drop(guard);
        }
        drop(over);
        assert_eq!(session.one().origin(), Some(ServerToAgent));
        assert_eq!(connection.take().len(), usize::from(!is_finished));
    }
}

#[test]
fn a_correction_is_seen_below_and_refined_by_a_word_of_the_peer() {
    let guard = Lines::default().guard();
    let (cause, child) = (guard.cause(), guard.cause().child());
    goodbye(&guard);
    assert_eq!(known(&child).as_deref(), Some(GOODBYE));
    failed(&guard, ErrorKind::UnexpectedEof);
    let cut =
        "agent_to_client ended by network: network_error (end_of_file, peer client): unexpected end of file";
    assert_eq!((known(&child).as_deref(), known(&cause).as_deref()), (Some(cut), Some(cut)));
    // Once, and only in its own cause.
    assert!(!cause.record(Local, Disconnect::protocol_error(AgentToClient, Initiator::Client)));
    assert!(cause.record(Peer, end(WorkspaceStopped)));
    assert_eq!(known(&child).as_deref(), Some("agent_to_client ended: workspace_stopped"));
}

#[test]
fn a_goodbye_refines_an_error_of_the_transport_and_none_of_the_protocol() {
    for (kind, is_refined) in
        [(ErrorKind::ConnectionReset, true), (ErrorKind::NotConnected, true), (ErrorKind::InvalidData, false)]
    {
        let guard = Lines::default().guard();
        failed(&guard, kind);
        assert_eq!(guard.cause().record(Peer, client_closed()), is_refined, "{kind:?}");
    }
}
