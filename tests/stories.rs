//! How connections really end: real sockets and processes, and the line that must come out.

mod lines;
#[path = "support/respawned.rs"]
mod respawned;
#[path = "support/words.rs"]
mod words;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    TrackedStream, Trigger, classify_coordinator_rpc_exit,
};
use lines::{Lines, end};
use socket2::SockRef;
use words::words;

type Tracked = TrackedStream<TcpStream>;

const END_OF_FILE: &str = "agent_to_client ended by network: network_error (end_of_file)";
const SHUTDOWN: &str = "agent_to_client ended by agent: server_shutdown";

/// Runs both sides of a real connection, this one under a guard, and returns the one line it logs.
fn line(
    client: impl FnOnce(TcpStream),
    agent: impl FnOnce(&DisconnectGuard, Tracked) -> Option<Disconnect> + Send,
) -> String {
    let (socket, accepted) = connection();
    line_of(accepted, || client(socket), agent)
}

fn line_of(
    accepted: TcpStream,
    client: impl FnOnce(),
    agent: impl FnOnce(&DisconnectGuard, Tracked) -> Option<Disconnect> + Send,
) -> String {
    let lines = Lines::default();
    thread::scope(|scope| {
        let guard = lines.guard();
        scope.spawn(move || {
            let stream = guard.track(accepted);
            if let Some(end) = agent(&guard, stream) {
                guard.close(end);
            }
        });
        client();
    });
    words(&lines.one())
}

/// The client's side of a connection, and the accepted one: a client that is gone before may not be accepted.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("a client").0)
}

/// Reads until the stream ends one way or the other; the session itself knows no reason.
fn read_to_the_end(_: &DisconnectGuard, mut stream: Tracked) -> Option<Disconnect> {
    let _ = stream.read_to_end(&mut Vec::new());
    None
}

fn client_closed() -> Disconnect {
    Disconnect::closed_by(AgentToClient, Initiator::Client)
}

fn shutdown() -> Disconnect {
    Disconnect::shutdown(AgentToClient, Initiator::Agent)
}

/// Resets instead of saying goodbye, as a host that has lost its state does.
fn reset(socket: TcpStream) {
    let linger = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    linger.expect("set");
    drop(socket);
}

#[test]
#[cfg(unix)] // elsewhere a killed process may reset
fn a_client_process_that_is_killed_is_an_end_of_file() {
    if let Some(address) = std::env::var_os("STORY_AGENT") {
        let address = address.to_str().expect("text");
        let mut socket = TcpStream::connect(address).expect("connected");
        socket.write_all(b"hello").expect("sent");
        loop {
            thread::park(); // until killed
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut client = respawned::respawn("a_client_process_that_is_killed_is_an_end_of_file")
        .env(
            "STORY_AGENT",
            listener.local_addr().expect("bound").to_string(),
        )
        .stdout(Stdio::null())
        .spawn()
        .expect("respawned");
    let (accepted, _) = listener.accept().expect("a client");
    let (greeted, is_greeted) = mpsc::channel();
    let line = line_of(
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
fn a_connection_that_is_reset() {
    let line = line(reset, read_to_the_end);
    let expected = "agent_to_client ended by network: network_error (reset): read failed: ";
    assert!(line.starts_with(expected), "{line}");
    #[cfg(target_os = "linux")]
    assert!(
        line.ends_with("Connection reset by peer (os error 104)"),
        "{line}"
    );
}

#[test]
fn an_end_of_file_means_what_the_protocol_makes_of_it() {
    assert_eq!(line(drop, read_to_the_end), END_OF_FILE);

    let goodbye = line(drop, |guard, stream| {
        let (reason, who) = (DisconnectReason::ClientClosed, Initiator::Client);
        read_to_the_end(guard, stream.with_end_of_file(reason, who))
    });
    assert_eq!(
        goodbye,
        "agent_to_client ended by client: client_closed (end_of_file)"
    );

    // A connection that is kept alive: between two requests, a client that leaves just leaves.
    let idle = line(drop, |guard, stream| {
        guard.cause().presume(client_closed());
        read_to_the_end(guard, stream)
    });
    assert_eq!(
        idle,
        "agent_to_client ended by client: client_closed (end_of_file)"
    );

    // A login that was refused: what the client does then is no news.
    let refused = line(reset, |guard, stream| {
        let rejected = end(DisconnectReason::Rejected).with_initiator(Initiator::Agent);
        guard.cause().presume(rejected.with_detail("no such user"));
        read_to_the_end(guard, stream)
    });
    assert_eq!(
        refused,
        "agent_to_client ended by agent: rejected (reset): no such user"
    );
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
            let mut stream = stream.with_half_close(Initiator::Client);
            stream.read_to_end(&mut Vec::new()).expect("questions");
            assert_eq!(guard.cause().get(), None, "the connection lives on");
            stream.write_all(b"all my answers").expect("sent");
            None
        },
    );
    assert_eq!(
        line,
        "agent_to_client ended by client: client_closed (end_of_file)"
    );
}

#[test]
fn a_write_to_a_peer_that_is_gone() {
    let line = line(reset, |_, mut stream| {
        // The first ones may still go into the kernel's buffer.
        while stream.write_all(&[0; 1024]).is_ok() {}
        None
    });
    let expected = "agent_to_client ended by network: network_error (";
    assert!(
        line.starts_with(expected) && line.contains("): write failed: "),
        "{line}"
    );
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
            assert!(
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{error}"
            );
            stream.get_ref().set_read_timeout(None).expect("set");
            passed.send(()).expect("heard");
            stream.read_exact(&mut [0; 4]).expect("late, but there");
            assert_eq!(guard.cause().get(), None);
            Some(
                Disconnect::closed_by(AgentToClient, Initiator::Agent)
                    .with_trigger(Trigger::IdleTimeout),
            )
        },
    );
    assert_eq!(
        line,
        "agent_to_client ended by agent: graceful (idle_timeout)"
    );
}

#[test]
fn garbage_that_breaks_the_protocol() {
    let line = line(
        |mut socket| {
            socket
                .write_all(b"hello\n\xff\xfe\x00garbage\n")
                .expect("sent");
            let _ = socket.read(&mut [0]); // stays until this side hangs up
        },
        |guard, stream| {
            let error = BufReader::new(stream).lines().find_map(Result::err);
            guard.failed(&error.expect("a protocol of text lines"));
            None
        },
    );
    let expected = "agent_to_client ended: protocol_error: stream did not contain valid UTF-8";
    assert_eq!(line, expected);
}

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
    assert_eq!(
        stopped_then_reset,
        "agent_to_client ended by server: workspace_stopped"
    );
}

#[test]
#[cfg(unix)]
fn a_process_that_exits_after_its_stream_was_closed_here() {
    let line = line(
        |mut socket| drop(socket.read(&mut [0])), // stays until this side hangs up
        |_, stream| {
            drop(stream); // what a library does on its way out
            let status = Command::new("sh").args(["-c", "exit 7"]).status();
            Some(disconnect_attribution::classify_session_exit(
                false, &status,
            ))
        },
    );
    let expected = "agent_to_client ended: process_exited (exit code 7): \
                    process exited with error status: 7";
    assert_eq!(line, expected);
}

/// A library that reads ahead sees the socket end before it looks at the goodbye.
#[test]
fn a_close_code_that_was_still_buffered_when_the_socket_ended() {
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
    assert_eq!(
        line,
        "agent_to_client ended by client: client_closed (websocket:1001)"
    );
}

/// Two RPCs run over one connection; the failure of the first cancels the second.
#[test]
fn a_siblings_network_failure_that_cancels_a_shared_token() {
    let (client, socket) = connection();
    let lines = Lines::default();
    let connection = Cause::default();
    let mut stream = TrackedStream::new(socket, ServerToAgent, connection.clone());
    let [coordination, relay_map] = [(), ()]
        .map(|()| DisconnectGuard::new(ServerToAgent, lines.emit()).with_cause(connection.child()));
    reset(client);
    let result = stream.read(&mut [0]);
    coordination.close(classify_coordinator_rpc_exit(false, &result));
    let is_cancelled = result.is_err();
    relay_map.close(classify_coordinator_rpc_exit(
        is_cancelled,
        &Ok::<_, std::io::Error>(()),
    ));
    for line in lines.take() {
        assert_eq!(line.reason(), DisconnectReason::NetworkError);
        assert_eq!(line.trigger(), Some(Trigger::Reset));
        assert_eq!(line.origin(), Some(ServerToAgent));
    }
}

#[test]
fn a_user_who_closes_one_tab_does_not_explain_the_outage_of_the_next() {
    let (tab, other_tab) = (Lines::default(), Lines::default());
    let connection = line(reset, |guard, stream| {
        let [closed, open] =
            [&tab, &other_tab].map(|lines| lines.guard().with_cause(guard.cause().child()));
        closed.close_as(Evidence::Peer, client_closed());
        read_to_the_end(guard, stream);
        drop(open);
        None
    });
    assert_eq!(
        words(&tab.one()),
        "agent_to_client ended by client: client_closed"
    );
    assert!(
        connection.contains("network_error (reset): read failed"),
        "{connection}"
    );
    let inherited = other_tab.one();
    assert_eq!(inherited.origin(), Some(AgentToClient));
    assert_eq!(inherited.trigger(), Some(Trigger::Reset));
}

#[test]
fn one_outage_under_65_channels_is_one_line_without_an_origin() {
    let channels = Lines::default();
    let connection = line(reset, |guard, stream| {
        let open: Vec<_> = (0..65)
            .map(|_| channels.guard().with_cause(guard.cause().child()))
            .collect();
        read_to_the_end(guard, stream);
        drop(open);
        None
    });
    assert!(!connection.contains("from "), "{connection}");
    let lines = channels.take();
    assert_eq!(lines.len(), 65);
    assert!(
        lines
            .iter()
            .all(|line| line.origin() == Some(AgentToClient))
    );
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
        let _stream = guard.track(socket);
        Ok(())
    };
    assert_eq!(
        dial().expect_err("refused").kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(lines.take(), []);
}
