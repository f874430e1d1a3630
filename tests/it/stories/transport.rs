//! What a transport shows: it ends, only seems to, carries garbage, or never comes to be.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectReason, Initiator, Trigger};

use super::{line, read_to_the_end};
use crate::support::{END_OF_FILE, Lines, client_closed, end, reset, track};

#[test]
#[cfg(unix)] // elsewhere a killed process may reset
fn a_client_process_that_is_killed_is_an_end_of_file() {
    if let Some(address) = std::env::var_os("STORY_AGENT") {
        let address = address.to_str().expect("text");
        let mut socket = TcpStream::connect(address).expect("connected");
        socket.write_all(b"hello").expect("sent");
        loop {
            std::thread::park(); // until killed
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let mut client = crate::support::respawned::respawn(
        "stories::transport::a_client_process_that_is_killed_is_an_end_of_file",
    )
    .env("STORY_AGENT", address.to_string())
    .stdout(Stdio::null())
    .spawn()
    .expect("respawned");
    let (accepted, _) = listener.accept().expect("a client");
    let (greeted, is_greeted) = mpsc::channel();
    let line = super::line_of(
        accepted,
        || {
            is_greeted.recv().expect("greeted");
            client.kill().expect("SIGKILL");
            client.wait().expect("reaped");
        },
        |guard, mut stream| {
            stream.read_exact(&mut [0; 5]).expect("a greeting");
            greeted.send(()).expect("heard");
            read_to_the_end(guard, stream)
        },
    );
    assert_eq!(line, END_OF_FILE);
}

#[test]
fn an_end_of_file_means_what_the_protocol_makes_of_it() {
    assert_eq!(line(drop, read_to_the_end), END_OF_FILE);

    let goodbye = line(drop, |guard, stream| read_to_the_end(guard, stream.with_goodbye()));
    assert_eq!(goodbye, "agent_to_client ended by client: client_closed (end_of_file, peer client)");

    // A connection that is kept alive: between two requests, a client that leaves just leaves.
    let idle = line(drop, |guard, stream| {
        guard.cause().presume(client_closed());
        read_to_the_end(guard, stream)
    });
    assert_eq!(idle, "agent_to_client ended by client: client_closed (end_of_file, peer client)");

    // A login that was refused: what the client does then changes nothing.
    let refused = line(reset, |guard, stream| {
        let rejected = end(DisconnectReason::Rejected).with_initiator(Initiator::Agent);
        guard.cause().presume(rejected.with_detail("no such user"));
        read_to_the_end(guard, stream)
    });
    assert_eq!(refused, "agent_to_client ended by agent: rejected (reset, peer client): no such user");
}

#[test]
fn a_client_that_stops_sending_and_goes_on_receiving_stopped_first() {
    let line = line(
        |mut socket| {
            socket.write_all(b"all my questions").expect("sent");
            socket.shutdown(Shutdown::Write).expect("half closed");
            let mut answers = String::new();
            socket.read_to_string(&mut answers).expect("answered");
            assert_eq!(answers, "all my answers");
        },
        |guard, stream| {
            let mut stream = stream.with_half_close();
            stream.read_to_end(&mut Vec::new()).expect("questions");
            assert_eq!(guard.cause().get(), None, "the connection lives on");
            stream.write_all(b"all my answers").expect("sent");
            None
        },
    );
    assert_eq!(line, "agent_to_client ended by client: client_closed (end_of_file, peer client)");
}

#[test]
fn a_write_to_a_peer_that_is_gone_is_a_network_error() {
    let line = line(reset, |_, mut stream| {
        // The first ones may still go into the kernel's buffer.
        while stream.write_all(&[0; 1024]).is_ok() {}
        None
    });
    let expected = "agent_to_client ended by network: network_error (";
    assert!(line.starts_with(expected) && line.contains("): write failed: "), "{line}");
}

#[test]
fn a_read_deadline_that_passes_ends_nothing() {
    let (passed, has_passed) = mpsc::channel();
    let line = line(
        |mut socket| {
            has_passed.recv().expect("a deadline");
            socket.write_all(b"late").expect("sent");
        },
        |guard, mut stream| {
            let timeout = |millis: u64| Some(Duration::from_millis(millis));
            stream.get_ref().set_read_timeout(timeout(1)).expect("set");
            let error = stream.read(&mut [0; 4]).expect_err("nothing to read yet");
            assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            stream.get_ref().set_read_timeout(None).expect("set");
            passed.send(()).expect("heard");
            stream.read_exact(&mut [0; 4]).expect("late, but there");
            assert_eq!(guard.cause().get(), None);
            Some(Disconnect::closed_by(AgentToClient, Initiator::Agent).with_trigger(Trigger::IdleTimeout))
        },
    );
    assert_eq!(line, "agent_to_client ended by agent: graceful (idle_timeout)");
}

#[test]
fn garbage_is_a_protocol_error() {
    let line = line(
        |mut socket| {
            socket.write_all(b"hello\n\xff\xfe\x00garbage\n").expect("sent");
            let _ = socket.read(&mut [0]); // stays until this side hangs up
        },
        |guard, stream| {
            let error = BufReader::new(stream).lines().find_map(Result::err);
            guard.record_error(&error.expect("a protocol of text lines"));
            None
        },
    );
    let expected = "agent_to_client ended: protocol_error: stream did not contain valid UTF-8";
    assert_eq!(line, expected);
}

#[test]
fn a_connection_that_was_never_established_logs_nothing() {
    let lines = Lines::default();
    let closed_port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("bound")
    };
    let dial = || -> std::io::Result<()> {
        let socket = TcpStream::connect(closed_port)?;
        let guard = lines.guard();
        let _stream = track(&guard, socket);
        Ok(())
    };
    assert_eq!(dial().expect_err("refused").kind(), ErrorKind::ConnectionRefused);
    assert_eq!(lines.take(), []);
}
