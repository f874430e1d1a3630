//! Several things end at once, and one of them is the cause.

use std::io::{Read, Write};
#[cfg(unix)]
use std::process::Command;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{CloseCode, Disconnect, DisconnectReason, Evidence, Initiator};

use super::{line, read_to_the_end};
use crate::support::{END_OF_FILE, SHUTDOWN, end, reset, shutdown, words};

#[test]
fn what_ended_first_is_the_cause() {
    let vanished_then_shutdown = line(drop, |guard, stream| {
        read_to_the_end(guard, stream);
        Some(shutdown())
    });
    assert_eq!(vanished_then_shutdown, END_OF_FILE);
    let shutdown_then_vanished = line(drop, |guard, stream| {
        guard.cause().record(Evidence::Local, shutdown());
        read_to_the_end(guard, stream)
    });
    assert_eq!(shutdown_then_vanished, SHUTDOWN);
    let stopped_then_reset = line(reset, |guard, stream| {
        let stopped = end(DisconnectReason::WorkspaceStopped).with_initiator(Initiator::Server);
        guard.cause().record(Evidence::Peer, stopped);
        read_to_the_end(guard, stream)
    });
    assert_eq!(stopped_then_reset, "agent_to_client ended by server: workspace_stopped");
}

#[test]
#[cfg(unix)]
fn a_stream_that_is_closed_here_hides_no_exit_of_its_process() {
    let line = line(
        |mut socket| drop(socket.read(&mut [0])), // stays until this side hangs up
        |_, stream| {
            drop(stream); // what a library does on its way out
            let status = Command::new("sh").args(["-c", "exit 7"]).status();
            Some(disconnect_attribution::classify_session_exit(false, &status))
        },
    );
    let expected = "agent_to_client ended: process_exited (exit code 7): \
                    process exited with error status: 7";
    assert_eq!(line, expected);
}

/// A library that reads ahead sees the socket end before it looks at the goodbye.
#[test]
fn a_close_code_that_was_still_buffered_when_the_socket_ended_is_the_cause() {
    let line = line(
        |mut socket| socket.write_all(b"websocket:1001").expect("sent"),
        |guard, mut stream| {
            let mut buffered = String::new();
            stream.read_to_string(&mut buffered).expect("read ahead");
            let known = guard.cause().get().expect("an end of file");
            assert_eq!(words(&known), END_OF_FILE, "all that is known so far");
            let code: CloseCode = buffered.parse().expect("a close code");
            let goodbye = Disconnect::from_close_code(AgentToClient, code, Initiator::Client);
            assert!(guard.cause().record(Evidence::Peer, goodbye));
            None
        },
    );
    assert_eq!(line, "agent_to_client ended by client: client_closed (websocket:1001)");
}
