//! What no sample shows: corrections, peers and origins at their edges.

use std::io::{self, ErrorKind, Read, Write};

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
};

use super::{line, panic_with};
use crate::support::{
    Lines, PANICKED, SHUTDOWN, client_closed, connection, end, known, shutdown, track, words,
};

const GOODBYE: &str = "agent_to_client ended by client: client_closed (end_of_file, peer client)";

/// Reads a client's goodbye under a guard.
fn goodbye(guard: &DisconnectGuard) {
    let mut stream = track(guard, io::empty()).with_goodbye();
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn a_guard_names_the_layer_after_its_line_and_after_it_was_finished() {
    for is_finished in [false, true] {
        let (connection, session) = (Lines::default(), Lines::default());
        let guard = DisconnectGuard::boxed(ServerToAgent, connection.emit());
        let over = session.guard().with_cause(guard.cause().child());
        guard.cause().record(Evidence::Local, shutdown());
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
    guard.record_error(&io::Error::from(ErrorKind::UnexpectedEof));
    let cut =
        "agent_to_client ended by network: network_error (end_of_file, peer client): unexpected end of file";
    assert_eq!((known(&child).as_deref(), known(&cause).as_deref()), (Some(cut), Some(cut)));
    // Once, and only in its own cause.
    assert!(!cause.record(Evidence::Local, Disconnect::protocol_error(AgentToClient, Initiator::Client)));
    assert!(cause.record(Evidence::Peer, end(DisconnectReason::WorkspaceStopped)));
    assert_eq!(known(&child).as_deref(), Some("agent_to_client ended: workspace_stopped"));
}

#[test]
fn nothing_else_corrects_a_goodbye() {
    type Act = fn(&DisconnectGuard);
    let rows: [(&str, Act); 5] = [
        ("a status", |guard| {
            guard.cause().record(Evidence::Local, end(DisconnectReason::ProcessExited));
        }),
        ("the transport", |guard| {
            guard
                .cause()
                .record(Evidence::Transport, Disconnect::network_error(AgentToClient, Trigger::Reset));
        }),
        ("an expected end", |guard| {
            guard.cause().record(Evidence::Local, shutdown());
        }),
        ("an error of the transport", |guard| {
            guard.record_error(&io::Error::from(ErrorKind::ConnectionReset));
        }),
        ("a child", |guard| {
            guard.cause().child().record_error(AgentToClient, &io::Error::from(ErrorKind::InvalidData));
        }),
    ];
    for (name, record) in rows {
        let line = line(|guard| {
            goodbye(guard);
            record(guard);
        });
        assert_eq!(line, GOODBYE, "{name}");
    }
}

#[test]
fn an_error_text_before_the_goodbye_corrects_it_too() {
    let line = line(|guard| {
        guard.record_error(&io::Error::other("bytes remaining on stream"));
        goodbye(guard);
    });
    assert_eq!(line, "agent_to_client ended: unknown (end_of_file, peer client): bytes remaining on stream");
}

/// A stream over another one that is told of the end by a word of the protocol, as TLS is.
struct WithNotify<S>(S);

impl<S: Read> Read for WithNotify<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

#[test]
fn a_layer_over_a_tracked_transport_corrects_it_and_adds_no_bytes() {
    let lines = Lines::default();
    let guard = lines.guard();
    let (mut client, socket) = connection();
    let transport = track(&guard, socket).with_goodbye();
    let mut over = track(&guard, WithNotify(transport));
    client.write_all(b"hello").expect("sent");
    drop(client);
    over.read_exact(&mut [0; 6]).expect_err("no close_notify");
    drop((over, guard));
    let end = lines.one();
    assert!(
        words(&end).starts_with("agent_to_client ended by network: network_error (end_of_file, peer client)")
    );
    assert_eq!(end.bytes_received(), Some(5));
}

#[test]
fn an_error_of_another_peers_stream_corrects_nothing() {
    let line = line(|guard| {
        goodbye(guard);
        let mut upstream = guard.track(WithNotify(io::empty()), Initiator::Server);
        upstream.read(&mut [0]).expect_err("cut");
    });
    assert_eq!(line, GOODBYE);
}

#[test]
fn any_presumption_explains_a_stream_without_a_peer() {
    let line = line(|guard| {
        guard.cause().presume(client_closed());
        let mut stream = guard.track(&b"hi"[..], Initiator::Unknown);
        stream.read_to_end(&mut Vec::new()).expect("the end");
    });
    assert_eq!(line, "agent_to_client ended by client: client_closed (end_of_file)");
}

#[test]
fn the_fin_of_a_peer_that_was_asked_to_leave_is_the_answer() {
    let line = line(|guard| {
        guard.cause().record(Evidence::Local, shutdown());
        goodbye(guard);
    });
    assert_eq!(line, SHUTDOWN);
}

#[test]
fn a_panic_after_an_assumed_goodbye_is_a_panic() {
    let lines = Lines::default();
    let guard = lines.guard();
    let cause: Cause = guard.cause();
    goodbye(&guard);
    panic_with(guard);
    assert_eq!(words(&lines.one()), PANICKED);
    assert_eq!(known(&cause).as_deref(), Some(GOODBYE), "what is known stays");
}

#[test]
fn silence_is_that_of_the_nearest_transport_and_no_longer_than_the_connection() {
    let lines = Lines::default();
    let connection = Lines::default().guard();
    let mut stream = track(&connection, &b"hi"[..]);
    stream.read_exact(&mut [0; 2]).expect("read");
    std::thread::sleep(std::time::Duration::from_millis(50));
    drop(lines.guard().with_cause(connection.cause().child()));
    let session = lines.one();
    assert_eq!(session.peer_silence(), session.connection_duration());
    assert_eq!(session.bytes_received(), None);
}

#[test]
fn the_origin_of_a_line_stays_with_that_line() {
    let parent = crate::support::reported(ServerToAgent);
    parent.record(Evidence::Local, shutdown());
    let inherited = Lines::default().guard().with_cause(parent.child()).finish();
    assert_eq!(inherited.origin(), Some(ServerToAgent));
    let cause = Cause::default();
    assert!(cause.record(Evidence::Local, inherited));
    assert_eq!(cause.get().expect("recorded").origin(), None);
}
