//! What a line holds: the first step that knows something decides.

use std::io::{self, ErrorKind};

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::DisconnectReason::{Graceful, NetworkError, ProcessExited, Rejected};
use disconnect_attribution::Evidence::{Local, Peer, Transport};
use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, Initiator, TrackedStream};

use crate::support::{DROPPED, Lines, PANICKED, client_closed, known, panic_with, reported, shutdown, words};

/// What happens to a cause, by a word of the tables below.
fn happens(word: &str, layer: ConnectType, cause: &Cause) {
    let end = |reason| Disconnect::new(layer, reason);
    let error = |kind: ErrorKind| cause.record_error(layer, &io::Error::from(kind));
    let stream = |peer| TrackedStream::new(io::empty(), layer, peer, cause.clone());
    let ends = |mut stream| drop(io::copy::<TrackedStream<_>, _>(&mut stream, &mut io::sink()));
    match word {
        "announced" => drop(cause.record(Peer, end(Rejected))),
        "decided" => drop(cause.record(Local, end(Rejected).with_detail("why"))),
        "shutdown" => drop(cause.record(Local, shutdown())),
        "finished" => drop(cause.record(Local, end(Graceful))),
        "status" => drop(cause.record(Local, end(ProcessExited))),
        "broken" => drop(cause.record(Transport, end(NetworkError))),
        "presumed" => cause.presume(client_closed()),
        "refusal presumed" => cause.presume(end(Rejected)),
        "taken back" => cause.presume(None),
        "device error" => cause.record_error(layer, &io::Error::other("device gone")),
        "other error" => cause.record_error(layer, &io::Error::other("another one")),
        "reset error" => error(ErrorKind::ConnectionReset),
        "refused error" => error(ErrorKind::ConnectionRefused),
        "cut error" => error(ErrorKind::UnexpectedEof),
        "timer error" => error(ErrorKind::TimedOut),
        "bytes error" => error(ErrorKind::InvalidData),
        "unconnected" => error(ErrorKind::NotConnected),
        "child's bytes error" => happens("bytes error", layer, &cause.child()),
        "goodbye" => ends(stream(Initiator::Client).with_goodbye()),
        "half close" => ends(stream(Initiator::Client).with_half_close()),
        "goodbye of nobody's stream" => ends(stream(Initiator::Unknown).with_goodbye()),
        "client's bytes" => {
            let broken = Disconnect::protocol_error(layer, Initiator::Client);
            cause.record(Local, broken.with_peer(Initiator::Client));
        }
        "end of nobody's stream" => ends(stream(Initiator::Unknown)),
        _ => panic!("{word}"),
    }
}

/// The line of a guard below a cause that has a line, after what happened to its own cause, or above it.
fn line_after(story: &str, end: fn(DisconnectGuard)) -> String {
    let (lines, parent) = (Lines::default(), reported(ServerToAgent));
    let guard = lines.guard().with_cause(parent.child());
    for word in story.split(", ").filter(|word| !word.is_empty()) {
        match word.strip_prefix("above: ") {
            Some(word) => happens(word, ServerToAgent, &parent),
            None => happens(word, AgentToClient, &guard.cause()),
        }
    }
    assert_eq!(guard.cause().child().get(), guard.cause().get(), "{story}: seen below");
    end(guard);
    words(&lines.one())
}

#[test]
fn the_first_step_that_knows_something_decides() {
    const CUT: &str = " by network: network_error (end_of_file, peer client): unexpected end of file";
    let rows = [
        // What its path knows.
        ("announced, device error, presumed", ": rejected"),
        ("presumed, above: decided", ": rejected (from server_to_agent): why"),
        ("reset error, above: shutdown", " by network: network_error (reset): connection reset"),
        ("bytes error, above: shutdown", ": protocol_error: invalid data"),
        ("timer error", " by network: network_error (deadline): timed out"),
        ("device error, unconnected, above: shutdown", " by agent: server_shutdown (from server_to_agent)"),
        // The peer's word refines an error of the transport, and none of the protocol.
        ("reset error, announced", ": rejected"),
        ("unconnected, announced", ": rejected"),
        ("bytes error, announced", ": protocol_error: invalid data"),
        // A tracked stream sees a transport's error itself, but no truncation, no deadline and no dial of another one.
        ("half close, reset error", " by client: client_closed (end_of_file, peer client)"),
        ("half close, refused error", " by network: network_error (refused): connection refused"),
        ("half close, cut error", " by network: network_error (end_of_file): unexpected end of file"),
        ("half close, timer error", " by network: network_error (deadline): timed out"),
        // A FIN is the answer of a peer that was asked to leave.
        ("shutdown, goodbye", " by agent: server_shutdown"),
        // The text of an error that explained nothing, the first and the nearest.
        ("unconnected, device error, other error, presumed", ": unknown: device gone"),
        ("presumed, above: device error", ": unknown (from server_to_agent): device gone"),
        ("above: unconnected, device error", ": unknown: device gone"),
        // The nearest presumption.
        ("unconnected, presumed", " by client: client_closed"),
        ("above: refusal presumed", ": rejected (from server_to_agent)"),
        ("above: refusal presumed, presumed", " by client: client_closed"),
        ("presumed, end of nobody's stream", " by client: client_closed (end_of_file)"),
        // An error that explained nothing new.
        ("unconnected", " by network: network_error (aborted): not connected"),
        ("above: unconnected", " by network: network_error (aborted, from server_to_agent): not connected"),
        // Nothing.
        (
            "presumed, taken back",
            ": unknown (dropped): no cause was recorded: cancelled task or early return",
        ),
        // An assumed goodbye is corrected by what says that the bytes were wrong, and by nothing else: once, and
        // only in its own cause.
        ("goodbye, bytes error", ": protocol_error (end_of_file, peer client): invalid data"),
        ("goodbye, cut error", CUT),
        ("goodbye, decided", ": rejected (end_of_file, peer client): why"),
        ("goodbye, cut error, decided", CUT),
        ("goodbye, cut error, announced", ": rejected"),
        // Of a stream whose peer was not known, a site may have learned it.
        (
            "goodbye of nobody's stream, client's bytes",
            " by client: protocol_error (end_of_file, peer client)",
        ),
        // What the peer announced is no assumption.
        ("goodbye, announced, decided", ": rejected"),
        ("device error, goodbye", ": unknown (end_of_file, peer client): device gone"),
        ("goodbye, status", " by client: client_closed (end_of_file, peer client)"),
        ("goodbye, broken", " by client: client_closed (end_of_file, peer client)"),
        ("goodbye, shutdown", " by client: client_closed (end_of_file, peer client)"),
        ("goodbye, reset error", " by client: client_closed (end_of_file, peer client)"),
        ("goodbye, child's bytes error", " by client: client_closed (end_of_file, peer client)"),
    ];
    for (story, expected) in rows {
        assert_eq!(line_after(story, drop), format!("agent_to_client ended{expected}"), "{story}");
    }
}

#[test]
fn a_panic_comes_before_what_is_inherited_or_assumed_and_expected() {
    let rows = [
        ("above: shutdown", PANICKED),
        ("above: shutdown, broken", PANICKED),
        ("above: broken", "agent_to_client ended: network_error (from server_to_agent)"),
        ("finished", "agent_to_client ended: graceful"),
        ("goodbye", PANICKED),
    ];
    for (story, expected) in rows {
        assert_eq!(line_after(story, panic_with), expected, "{story}");
    }
    let guard = Lines::default().guard();
    let cause = guard.cause();
    happens("goodbye", AgentToClient, &cause);
    panic_with(guard);
    let goodbye = "agent_to_client ended by client: client_closed (end_of_file, peer client)";
    assert_eq!(known(&cause).as_deref(), Some(goodbye), "what is known stays");
}

#[test]
fn a_panic_is_stored_for_what_runs_over_it_and_a_drop_is_not() {
    let over = |end: fn(DisconnectGuard)| {
        let (lines, over) = (Lines::default(), Lines::default());
        let guard = lines.guard();
        let cause = guard.cause();
        let session = over.guard().with_cause(cause.child());
        end(guard);
        // The peer's goodbye, which comes a moment later.
        cause.record(Peer, client_closed());
        drop(session);
        (words(&lines.one()), words(&over.one()))
    };
    let panicked = "agent_to_client ended: unknown (panic, from agent_to_client): ended by a panic";
    assert_eq!(over(panic_with), (PANICKED.to_owned(), panicked.to_owned()));
    let goodbye = "agent_to_client ended by client: client_closed (from agent_to_client)";
    assert_eq!(over(drop), (DROPPED.to_owned(), goodbye.to_owned()));
}

#[test]
fn an_origin_is_the_lines_own_and_no_record_or_cause_keeps_it() {
    let parent = reported(ServerToAgent);
    parent.record(Local, Disconnect::new(ServerToAgent, Rejected));
    let lines = Lines::default();
    let inherited = lines.guard().with_cause(parent.child()).finish();
    assert_eq!((inherited.origin(), lines.take()), (Some(ServerToAgent), vec![]));
    let cause = Cause::default();
    assert!(cause.record(Local, inherited.clone()));
    assert_eq!(cause.get().expect("recorded").origin(), None);
    lines.guard().close(inherited);
    assert_eq!(lines.one().origin(), None);
}

/// What a process knows has no layer: the connections that it ends are original lines.
#[test]
fn a_guard_names_the_layer_after_its_line_and_after_it_was_finished() {
    for is_finished in [false, true] {
        let (process, connection, session) = (Cause::default(), Lines::default(), Lines::default());
        let guard = DisconnectGuard::boxed(ServerToAgent, connection.emit()).with_cause(process.child());
        let over = session.guard().with_cause(guard.cause().child());
        let channel = session.guard().with_cause(over.cause().child());
        process.record(Local, shutdown());
        let own = if is_finished {
            guard.finish()
        } else {
            drop(guard);
            connection.one()
        };
        drop((over, channel));
        let origins = session.take().iter().map(Disconnect::origin).collect::<Vec<_>>();
        assert_eq!((own.origin(), origins), (None, vec![Some(ServerToAgent); 2]));
    }
}
