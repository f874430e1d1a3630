//! How connections really end: real sockets and processes, and the line that must come out.

mod support;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    TrackedStream, classify_coordinator_rpc_exit,
};
use socket2::SockRef;

type Tracked = TrackedStream<TcpStream>;

/// Runs one side of a real connection under a guard, and returns the one line it logs.
fn line(
    client: impl FnOnce(SocketAddr),
    agent: impl FnOnce(Tracked, &Cause) -> Option<Disconnect> + Send,
) -> Disconnect {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (emit, lines) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            let (socket, _) = listener.accept().expect("a client");
            let guard =
                DisconnectGuard::new(AgentToClient, move |end| emit.send(end).expect("heard"));
            let cause = guard.cause();
            let stream = TrackedStream::new(socket, AgentToClient, cause.clone());
            if let Some(end) = agent(stream, &cause) {
                guard.close(end);
            }
        });
        client(address);
    });
    let lines: Vec<_> = lines.iter().collect();
    let [line] = lines.try_into().expect("exactly one line");
    line
}

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("accepted")
}

/// Reads until the stream ends one way or the other; the session itself knows no reason.
fn read_to_the_end(mut stream: Tracked, _: &Cause) -> Option<Disconnect> {
    let _ = stream.read_to_end(&mut Vec::new());
    None
}

fn end(reason: DisconnectReason) -> Disconnect {
    Disconnect::new(AgentToClient, reason)
}

fn network_error() -> Disconnect {
    end(DisconnectReason::NetworkError).with_initiator(Initiator::Network)
}

fn shutdown() -> Disconnect {
    end(DisconnectReason::ServerShutdown).with_initiator(Initiator::Agent)
}

/// Resets instead of saying goodbye, as a host that has lost its state does.
fn reset(socket: TcpStream) {
    SockRef::from(&socket)
        .set_linger(Some(Duration::ZERO))
        .expect("set");
    drop(socket);
}

#[test]
#[cfg(unix)] // elsewhere a killed process may reset
fn a_client_process_killed_with_sigkill() {
    if let Some(address) = std::env::var_os("STORY_AGENT") {
        let address = address.to_str().expect("text").parse().expect("an address");
        let mut socket = connect(address);
        socket.write_all(b"hello").expect("sent");
        loop {
            thread::park(); // until killed
        }
    }
    let (greeted, is_greeted) = mpsc::channel();
    let line = line(
        |address| {
            let mut client = support::respawn("a_client_process_killed_with_sigkill")
                .env("STORY_AGENT", address.to_string())
                .stdout(Stdio::null())
                .spawn()
                .expect("respawned");
            is_greeted.recv().expect("connected");
            client.kill().expect("SIGKILL");
            client.wait().expect("reaped");
        },
        |mut stream, cause| {
            stream.read_exact(&mut [0; 5]).expect("a greeting");
            greeted.send(()).expect("heard");
            read_to_the_end(stream, cause)
        },
    );
    assert_eq!(line, network_error());
}

#[test]
fn a_connection_reset() {
    let line = line(|address| reset(connect(address)), read_to_the_end);
    let detail = line.detail().expect("the error's text").to_owned();
    assert!(detail.starts_with("read failed: "), "{detail}");
    #[cfg(target_os = "linux")]
    assert_eq!(
        detail,
        "read failed: Connection reset by peer (os error 104)"
    );
    assert_eq!(line, network_error().with_detail(detail));
}

#[test]
fn a_clean_end_of_file_means_what_the_protocol_says() {
    let vanished = line(|address| drop(connect(address)), read_to_the_end);
    assert_eq!(vanished, network_error());

    let closed = line(
        |address| drop(connect(address)),
        |stream, cause| {
            let told = stream.with_end_of_file(DisconnectReason::ClientClosed, Initiator::Client);
            read_to_the_end(told, cause)
        },
    );
    assert_eq!(
        closed,
        end(DisconnectReason::ClientClosed).with_initiator(Initiator::Client)
    );
}

#[test]
fn a_half_close_that_goes_on_receiving() {
    let line = line(
        |address| {
            let mut socket = connect(address);
            socket.write_all(b"all my questions").expect("sent");
            socket.shutdown(Shutdown::Write).expect("half closed");
            let mut answers = String::new();
            socket.read_to_string(&mut answers).expect("answered");
            assert_eq!(answers, "all my answers");
        },
        |stream, cause| {
            let mut stream = stream.with_half_close();
            stream.read_to_end(&mut Vec::new()).expect("questions");
            assert_eq!(cause.get(), None, "the connection lives on");
            stream.write_all(b"all my answers").expect("sent");
            Some(end(DisconnectReason::Graceful))
        },
    );
    assert_eq!(line, end(DisconnectReason::Graceful));
}

#[test]
fn a_write_to_a_peer_that_is_gone() {
    let line = line(
        |address| reset(connect(address)),
        |mut stream, _| {
            // The first ones may still go into the kernel's buffer.
            while stream.write_all(&[0; 1024]).is_ok() {}
            None
        },
    );
    assert_eq!(line.reason(), DisconnectReason::NetworkError);
    assert_eq!(line.initiator(), Some(Initiator::Network));
    let detail = line.detail().expect("the error's text");
    assert!(detail.starts_with("write failed: "), "{detail}");
}

#[test]
fn a_read_deadline_that_passes_and_the_connection_lives_on() {
    let (passed, has_passed) = mpsc::channel();
    let line = line(
        |address| {
            let mut socket = connect(address);
            has_passed.recv().expect("a deadline");
            socket.write_all(b"late").expect("sent");
        },
        |mut stream, cause| {
            stream
                .get_ref()
                .set_read_timeout(Some(Duration::from_millis(1)))
                .expect("set");
            let error = stream.read(&mut [0; 4]).expect_err("nothing to read yet");
            assert!(
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{error}"
            );
            assert_eq!(cause.get(), None);
            stream.get_ref().set_read_timeout(None).expect("set");
            passed.send(()).expect("heard");
            stream.read_exact(&mut [0; 4]).expect("late, but there");
            assert_eq!(cause.get(), None);
            Some(end(DisconnectReason::Graceful))
        },
    );
    assert_eq!(line, end(DisconnectReason::Graceful));
}

#[test]
fn garbage_that_breaks_the_protocol() {
    let line = line(
        |address| {
            let mut socket = connect(address);
            socket
                .write_all(b"hello\n\xff\xfe\x00garbage\n")
                .expect("sent");
            // Stays until the agent hangs up.
            let _ = socket.read(&mut [0]);
        },
        |stream, _| {
            let error = BufReader::new(stream)
                .lines()
                .find_map(Result::err)
                .expect("a protocol of text lines");
            Some(end(DisconnectReason::from_error(&error)).with_detail(error.to_string()))
        },
    );
    let protocol_error = end(DisconnectReason::ProtocolError);
    assert_eq!(
        line,
        protocol_error.with_detail("stream did not contain valid UTF-8")
    );
}

#[test]
fn the_client_vanished_and_then_the_agent_shut_down() {
    let line = line(
        |address| drop(connect(address)),
        |stream, cause| {
            read_to_the_end(stream, cause);
            Some(shutdown())
        },
    );
    assert_eq!(line, network_error());
}

#[test]
fn the_agent_shut_down_and_then_the_client_vanished() {
    let line = line(
        |address| drop(connect(address)),
        |stream, cause| {
            cause.record(Evidence::Local, shutdown());
            read_to_the_end(stream, cause)
        },
    );
    assert_eq!(line, shutdown());
}

#[test]
fn the_workspace_was_stopped_and_then_the_socket_ended() {
    let stopped = end(DisconnectReason::WorkspaceStopped).with_initiator(Initiator::Server);
    let line = line(
        |address| reset(connect(address)),
        |stream, cause| {
            cause.record(Evidence::Peer, stopped.clone());
            read_to_the_end(stream, cause)
        },
    );
    assert_eq!(line, stopped);
}

#[test]
#[cfg(unix)]
fn a_bare_close_came_before_the_exit_status() {
    let line = line(
        |address| {
            // Stays until the agent hangs up.
            let _ = connect(address).read(&mut [0]);
        },
        |stream, cause| {
            drop(stream); // what a library does on its way out
            assert_eq!(
                cause.get().map(|end| end.reason()),
                Some(DisconnectReason::Unknown)
            );
            let status = Command::new("sh").args(["-c", "exit 7"]).status();
            Some(disconnect_attribution::classify_session_exit(
                false, &status,
            ))
        },
    );
    assert_eq!(line.reason(), DisconnectReason::ProcessExited);
    assert_eq!(line.exit_code(), Some(7));
}

/// The agent's code reads ahead: it sees the socket end before it looks at the goodbye.
#[test]
fn a_close_code_was_still_buffered_when_the_socket_ended() {
    let line = line(
        |address| connect(address).write_all(b"websocket:1001").expect("sent"),
        |mut stream, cause| {
            let mut buffered = String::new();
            stream.read_to_string(&mut buffered).expect("read ahead");
            assert_eq!(
                cause.get(),
                Some(network_error()),
                "all that is known so far"
            );
            let code: CloseCode = buffered.parse().expect("a close code");
            let goodbye = Disconnect::from_close_code(AgentToClient, code, Initiator::Client);
            assert!(cause.record(Evidence::Peer, goodbye));
            None
        },
    );
    let goodbye = end(DisconnectReason::ClientClosed).with_initiator(Initiator::Client);
    assert_eq!(line, goodbye.with_code(CloseCode::WebSocket(1001)));
}

/// Two RPCs run over one connection; the failure of the first cancels the second.
#[test]
fn a_siblings_network_failure_cancels_the_shared_token() {
    let (emit, lines) = mpsc::channel();
    let connection = Cause::default();
    let guard = || {
        let emit = emit.clone();
        DisconnectGuard::new(ServerToAgent, move |end| emit.send(end).expect("heard"))
            .with_cause(connection.clone())
    };
    let (coordination, relay_map) = (guard(), guard());

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = connect(listener.local_addr().expect("bound"));
    let (socket, _) = listener.accept().expect("connected");
    let mut stream = TrackedStream::new(socket, ServerToAgent, connection.clone());
    reset(server);

    let result = stream.read(&mut [0]);
    coordination.close(classify_coordinator_rpc_exit(false, &result));
    let token_is_cancelled = result.is_err();
    relay_map.close(classify_coordinator_rpc_exit(
        token_is_cancelled,
        &Ok::<_, ()>(()),
    ));

    drop(emit);
    let lines: Vec<_> = lines
        .iter()
        .map(|end| (end.reason(), end.initiator()))
        .collect();
    let network_error = (DisconnectReason::NetworkError, Some(Initiator::Network));
    assert_eq!(lines, [network_error; 2]);
}

#[test]
fn a_connection_that_was_never_established_logs_nothing() {
    let (emit, lines) = mpsc::channel();
    let closed_port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("bound")
    };
    let dial = move || -> std::io::Result<()> {
        let socket = TcpStream::connect(closed_port)?;
        let guard = DisconnectGuard::new(AgentToClient, move |end| emit.send(end).expect("heard"));
        let _stream = TrackedStream::new(socket, AgentToClient, guard.cause());
        Ok(())
    };
    assert_eq!(
        dial().expect_err("refused").kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(lines.iter().count(), 0);
}
