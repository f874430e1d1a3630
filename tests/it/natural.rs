//! The natural code of a new user, and the line that it logs: real sockets, processes and terminals.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
    classify_channel_close, classify_pty_exit,
};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::time::{sleep, timeout};

use crate::support::{
    DROPPED, END_OF_FILE, Lines, client_closed, connection, end, ended, line, reset, shutdown,
    tokio_connection, track, words,
};

const MOMENT: Duration = Duration::from_millis(20);

fn in_tokio(story: impl AsyncFnOnce(DisconnectGuard)) -> impl FnOnce(DisconnectGuard) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    move |guard| runtime.expect("a runtime").block_on(story(guard))
}

fn tokio_line(story: impl AsyncFnOnce(DisconnectGuard)) -> String {
    line(in_tokio(story))
}

const GOODBYE: &str = "agent_to_client ended by client: client_closed (end_of_file, peer client)";
const CUT: &str =
    "agent_to_client ended by network: network_error (end_of_file, peer client): failed to fill whole buffer";

#[test]
fn a_frame_that_is_cut_is_no_goodbye() {
    for goodbye_is_presumed in [false, true] {
        let read_frame = line(|guard| {
            let (mut client, socket) = connection();
            let mut stream = track(&guard, socket);
            if goodbye_is_presumed {
                guard.cause().presume(end(DisconnectReason::ClientClosed));
            } else {
                stream = stream.with_goodbye();
            }
            client.write_all(b"half").expect("sent");
            drop(client);
            let read = stream.read_exact(&mut [0; 8]);
            assert!(read.inspect_err(|error| guard.record_error(error)).is_err());
        });
        assert_eq!(read_frame, CUT, "presumed: {goodbye_is_presumed}");
    }
    // What a codec makes of it: an `InvalidData`, its own text, a decision of the site.
    let codec = |record: &dyn Fn(&DisconnectGuard)| {
        line(|guard| {
            let (client, socket) = connection();
            let mut stream = track(&guard, socket).with_goodbye();
            drop(client);
            assert_eq!(stream.read(&mut [0; 8]).expect("read"), 0);
            record(&guard);
        })
    };
    let bad_length =
        codec(&|guard| guard.record_error(&io::Error::new(ErrorKind::InvalidData, "bad length")));
    assert_eq!(bad_length, "agent_to_client ended: protocol_error (end_of_file, peer client): bad length");
    let text = codec(&|guard| guard.record_error(&io::Error::other("bytes remaining on stream")));
    assert_eq!(text, "agent_to_client ended: unknown (end_of_file, peer client): bytes remaining on stream");
    let decided = codec(&|guard| {
        let end = Disconnect::protocol_error(AgentToClient, Initiator::Client);
        assert!(guard.cause().record(Evidence::Local, end));
    });
    assert_eq!(decided, "agent_to_client ended by client: protocol_error (end_of_file, peer client)");
    assert_eq!(codec(&|_| {}), GOODBYE);
}

#[test]
fn a_timer_of_this_program_is_a_deadline() {
    let deadline = "agent_to_client ended by network: network_error (deadline): ";
    let tokio = tokio_line(async |guard| {
        let (_client, socket) = tokio_connection();
        let mut stream = track(&guard, socket);
        let mut buffer = [0];
        let read = timeout(MOMENT, stream.read(&mut buffer)).await;
        assert!(read.inspect_err(|error| guard.record_error(error)).is_err());
    });
    assert_eq!(tokio, format!("{deadline}deadline has elapsed"));
    let as_io = tokio_line(async |guard| {
        let elapsed = timeout(MOMENT, std::future::pending::<()>()).await.expect_err("late");
        guard.record_error(&io::Error::from(elapsed));
    });
    assert_eq!(as_io, format!("{deadline}timed out"));
    let blocking = line(|guard| {
        let (_client, socket) = connection();
        socket.set_read_timeout(Some(MOMENT)).expect("set");
        let mut stream = track(&guard, socket);
        let read = stream.read_exact(&mut [0]);
        assert!(read.inspect_err(|error| guard.record_error(error)).is_err());
    });
    assert_eq!(blocking, format!("{deadline}Resource temporarily unavailable (os error 11)"));
}

#[test]
fn both_halves_of_a_socket_are_one_transport() {
    let halves = ended(in_tokio(async |guard| {
        let (mut client, socket) = tokio_connection();
        let (read, write) = socket.into_split();
        let mut write = track(&guard, write);
        let mut read = track(&guard, read);
        client.write_all(b"hi").expect("sent");
        read.read_exact(&mut [0; 2]).await.expect("read");
        write.write_all(b"hello").await.expect("written");
        write.shutdown().await.expect("shut down");
        client.read_to_end(&mut Vec::new()).expect("read");
        drop(client);
        assert_eq!(read.read(&mut [0]).await.expect("read"), 0);
    }));
    assert_eq!(words(&halves), "agent_to_client ended by agent: graceful");
    let clones = ended(|guard| {
        let (mut client, socket) = connection();
        let mut read = track(&guard, socket.try_clone().expect("cloned"));
        let mut write = track(&guard, socket);
        write.write_all(b"hello").expect("written");
        client.read_exact(&mut [0; 5]).expect("read");
        std::thread::sleep(MOMENT);
        client.write_all(b"hi").expect("written");
        read.read_exact(&mut [0; 2]).expect("read");
    });
    assert!(clones.peer_silence() < clones.connection_duration(), "one of them heard the client");
    for end in [halves, clones] {
        assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(2), Some(5)));
    }
}

#[test]
fn a_proxy_names_the_leg_that_broke() {
    for (is_client, peer) in [(true, "client"), (false, "server")] {
        let reset_leg = tokio_line(async |guard| {
            let ((client, one), (server, other)) = (tokio_connection(), tokio_connection());
            let mut one = track(&guard, one).with_half_close();
            let mut other = guard.track(other, Initiator::Server).with_half_close();
            let (broken, _kept) = if is_client { (client, server) } else { (server, client) };
            reset(broken);
            assert!(copy_bidirectional(&mut one, &mut other).await.is_err());
        });
        let expected = format!(
            "agent_to_client ended by network: network_error (reset, peer {peer}): \
             read failed: Connection reset by peer (os error 104)"
        );
        assert_eq!(reset_leg, expected);
    }
}

#[test]
fn half_a_hello_is_no_check_of_a_load_balancer() {
    let connect = |hello: &[u8]| {
        line(|guard| {
            guard.cause().presume(client_closed());
            let (mut client, socket) = connection();
            let mut stream = track(&guard, socket);
            client.write_all(hello).expect("sent");
            drop(client);
            assert!(stream.read_exact(&mut [0; 8]).is_err());
        })
    };
    assert_eq!(connect(b""), GOODBYE);
    assert_eq!(connect(b"half"), END_OF_FILE);
}

#[test]
fn a_proxy_that_is_aborted_while_a_leg_flows_is_not_a_client_that_left() {
    let aborted = tokio_line(async |guard| {
        let ((client, one), (mut server, other)) = (tokio_connection(), tokio_connection());
        let task = tokio::spawn(async move {
            let mut one = track(&guard, one).with_half_close();
            let mut other = guard.track(other, Initiator::Server).with_half_close();
            let _ = copy_bidirectional(&mut one, &mut other).await;
        });
        client.shutdown(Shutdown::Write).expect("shut down");
        sleep(MOMENT).await;
        server.read_to_end(&mut Vec::new()).expect("the half close was passed on");
        task.abort();
        assert!(task.await.is_err());
    });
    assert_eq!(aborted, DROPPED);
}

/// The commonest end of a download through a proxy: the client is gone, and the server goes on sending.
#[test]
fn a_client_that_leaves_a_proxy_while_the_server_sends_has_left() {
    let left = tokio_line(async |guard| {
        let ((client, one), (mut server, other)) = (tokio_connection(), tokio_connection());
        let mut one = track(&guard, one).with_half_close();
        let mut other = guard.track(other, Initiator::Server).with_half_close();
        drop(client);
        let send = std::thread::spawn(move || while server.write_all(&[0; 1000]).is_ok() {});
        assert!(copy_bidirectional(&mut one, &mut other).await.is_err());
        drop((one, other));
        send.join().expect("no panic");
    });
    assert_eq!(left, GOODBYE);
}

#[test]
fn a_client_that_presumes_its_own_close_still_sees_the_server_crash() {
    for crash in [reset as fn(TcpStream), drop] {
        let crashed = line(|guard| {
            guard.cause().presume(client_closed());
            let (client, socket) = connection();
            let mut stream = guard.track(client, Initiator::Server);
            crash(socket);
            let _ = stream.read(&mut [0]);
        });
        assert!(crashed.starts_with("agent_to_client ended by network: network_error"), "{crashed}");
    }
    let dropped = line(|guard| {
        guard.cause().presume(client_closed());
        let (client, _socket) = connection();
        let _stream = guard.track(client, Initiator::Server);
    });
    assert_eq!(dropped, "agent_to_client ended by client: client_closed");
}

#[test]
fn what_this_side_does_in_a_phase_is_not_the_clients_act() {
    let aborted = tokio_line(async |guard| {
        let (_client, socket) = tokio_connection();
        let idle = tokio::spawn(async move {
            let mut stream = track(&guard, socket);
            guard.cause().presume(client_closed());
            let _ = stream.read(&mut [0]).await;
        });
        sleep(MOMENT).await;
        idle.abort();
        assert!(idle.await.is_err());
    });
    assert_eq!(aborted, DROPPED);
    let refused = tokio_line(async |guard| {
        let (mut client, socket) = tokio_connection();
        guard.cause().presume(client_closed());
        let mut stream = track(&guard, socket);
        client.write_all(b"garbage").expect("sent");
        let _ = stream.read(&mut [0; 100]).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("answered");
        stream.shutdown().await.expect("shut down");
    });
    assert_eq!(refused, "agent_to_client ended by agent: graceful");
}

#[test]
fn idle_connections_that_a_draining_server_lets_go_read_as_the_drain() {
    let drained = line(|guard| {
        let server = Cause::default();
        let guard = guard.with_cause(server.child());
        guard.cause().presume(client_closed());
        let (_client, socket) = connection();
        let _stream = track(&guard, socket);
        server.presume(shutdown());
    });
    assert_eq!(drained, "agent_to_client ended by agent: server_shutdown");
}

#[test]
fn a_terminal_that_its_shell_left_has_ended() {
    let terminal = nix::pty::openpty(None, None).expect("a terminal");
    let stdio = || Stdio::from(terminal.slave.try_clone().expect("cloned"));
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo hi"]).stdin(stdio()).stdout(stdio()).stderr(stdio());
    assert!(shell.status().expect("run").success());
    drop((shell, terminal.slave));
    let mut master = std::fs::File::from(terminal.master);
    let mut text = Vec::new();
    let result = master.read_to_end(&mut text);
    assert_eq!(text, b"hi\r\n");
    let end = classify_pty_exit(false, &result);
    assert_eq!((end.reason(), end.exit_code()), (DisconnectReason::Graceful, None));
    let end = classify_pty_exit(true, &result);
    assert_eq!((end.reason(), end.exit_code()), (DisconnectReason::ServerShutdown, Some(1)));
    let terminal = line(|guard| {
        let mut stream = guard.track(master, Initiator::Agent).with_goodbye();
        assert!(stream.read(&mut [0]).is_err());
    });
    assert_eq!(terminal, "agent_to_client ended by agent: graceful (end_of_file, peer agent)");
}

#[test]
fn the_connections_that_a_processs_shutdown_ends_are_original_lines() {
    let lines = Lines::default();
    let process = Cause::default();
    let connection = DisconnectGuard::boxed(ServerToAgent, lines.emit()).with_cause(process.child());
    let session = lines.guard().with_cause(connection.cause().child());
    process.record(Evidence::Local, shutdown());
    drop(session);
    drop(connection);
    let origins: Vec<_> = lines.take().iter().map(Disconnect::origin).collect();
    assert_eq!(origins, [Some(ServerToAgent), None]);
}

#[test]
fn a_later_word_above_never_contradicts_what_is_known_below() {
    let root = Cause::default();
    let child = root.child();
    let by = |side| Disconnect::closed_by(AgentToClient, side);
    root.record(Evidence::Transport, Disconnect::network_error(AgentToClient, Trigger::Reset));
    child.record(Evidence::Peer, by(Initiator::Client));
    root.record(Evidence::Peer, by(Initiator::Agent));
    assert_eq!(child.get(), Some(by(Initiator::Client)));
    assert_eq!(root.get(), Some(by(Initiator::Agent)));
}

#[test]
fn a_task_that_panicked_is_a_panic() {
    let joined = |task: &'static (dyn Fn() + Sync)| {
        tokio_line(async |guard| {
            let task = tokio::spawn(async { task() });
            let joined = task.await;
            assert!(joined.inspect_err(|error| guard.record_error(error)).is_err());
        })
    };
    let panicked = joined(&|| panic!("a bug"));
    assert!(panicked.starts_with("agent_to_client ended: unknown (panic): task "), "{panicked}");
    let cancelled = tokio_line(async |guard| {
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        guard.record_error(&task.await.expect_err("aborted"));
    });
    assert!(cancelled.starts_with("agent_to_client ended: unknown (dropped): task "), "{cancelled}");
}

/// A socket as tokio 1.40 shows it: its `shutdown` returns a `NotConnected`.
struct OlderTokio(tokio::net::TcpStream);

impl tokio::io::AsyncWrite for OlderTokio {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.0).shutdown(Shutdown::Write))
    }
}

#[test]
fn a_shutdown_after_the_peers_reset_is_the_same_under_any_tokio() {
    let shut_down = |older: bool| {
        tokio_line(async |guard| {
            let (client, socket) = tokio_connection();
            reset(client);
            sleep(MOMENT).await;
            if older {
                let mut stream = track(&guard, OlderTokio(socket));
                let error = stream.shutdown().await.expect_err("not connected");
                assert_eq!(error.kind(), ErrorKind::NotConnected);
            } else {
                let mut stream = track(&guard, socket);
                stream.shutdown().await.expect("shut down");
            }
        })
    };
    assert_eq!(shut_down(false), "agent_to_client ended by agent: graceful");
    assert_eq!(shut_down(true), shut_down(false));
}

#[test]
fn errors_that_libraries_wrap_or_print_are_read() {
    let of = |error: &(dyn std::error::Error + 'static)| {
        let end = Disconnect::from_error(AgentToClient, error);
        (end.reason(), end.trigger())
    };
    let network = |trigger| (DisconnectReason::NetworkError, Some(trigger));
    let os = io::Error::from_raw_os_error;
    // Longer than a detail may be.
    let url = "https://example.com/".repeat(20);
    let rows: [(io::Error, Trigger); 4] = [
        (io::Error::other(format!("GET {url}: {}", os(111))), Trigger::Refused),
        (io::Error::new(ErrorKind::TimedOut, os(110)), Trigger::TimedOut),
        (io::Error::new(ErrorKind::TimedOut, os(110).to_string()), Trigger::TimedOut),
        (io::Error::other("redis: Connection reset by peer (os error 104)"), Trigger::Reset),
    ];
    for (error, trigger) in rows {
        assert_eq!(of(&error), network(trigger), "{error:?}");
        assert_eq!(of(&Arc::new(error)), network(trigger));
    }
    assert_eq!(of(&io::Error::other("(os error 999999999999)")).0, DisconnectReason::Unknown);
    assert_eq!(of(&io::Error::other("os error 104")).0, DisconnectReason::Unknown);
    let classified = |error: Box<dyn std::error::Error + Send + Sync>| {
        let result: Result<(), _> = Err(error);
        classify_channel_close(&result).trigger()
    };
    assert_eq!(classified(Box::new(os(104))), Some(Trigger::Reset));
    let text: Result<(), String> = Err(os(104).to_string());
    assert_eq!(classify_channel_close(&text).trigger(), Some(Trigger::Reset));
}

#[test]
fn two_upstreams_of_one_kind_stand_for_themselves() {
    let aborted = |second_stops: bool| {
        tokio_line(async |guard| {
            let ((first, one), (mut second, other)) = (tokio_connection(), tokio_connection());
            let mut one = guard.track(one, Initiator::Server).with_half_close();
            let mut other = guard.track(other, Initiator::Server).with_half_close();
            drop(first);
            assert_eq!(one.read(&mut [0]).await.expect("read"), 0);
            other.write_all(b"x").await.expect("written");
            second.read_exact(&mut [0]).expect("read");
            second.write_all(b"y").expect("written");
            other.read_exact(&mut [0]).await.expect("read");
            if second_stops {
                drop(second);
                let _ = other.read(&mut [0]).await;
            }
        })
    };
    assert!(aborted(false).contains("(dropped)"));
    assert!(aborted(true).starts_with("agent_to_client ended by server: graceful (end_of_file"));
}

/// A library that reads ahead sees the socket end before it looks at the goodbye.
#[test]
fn a_close_code_that_was_still_buffered_when_the_socket_ended_is_the_cause() {
    let line = line(|guard| {
        let (mut client, socket) = connection();
        let mut stream = track(&guard, socket);
        client.write_all(b"websocket:1001").expect("sent");
        drop(client);
        let mut buffered = String::new();
        stream.read_to_string(&mut buffered).expect("read ahead");
        assert_eq!(guard.cause().get().as_ref().map(words).as_deref(), Some(END_OF_FILE));
        let code: CloseCode = buffered.parse().expect("a close code");
        let goodbye = Disconnect::from_close_code(AgentToClient, code, Initiator::Client);
        assert!(guard.cause().record(Evidence::Peer, goodbye));
    });
    assert_eq!(line, "agent_to_client ended by client: client_closed (websocket:1001)");
}

#[test]
fn one_outage_under_65_channels_is_one_line_without_an_origin_and_a_tab_that_was_closed_is_none_of_them() {
    let (channels, tab) = (Lines::default(), Lines::default());
    let connection = line(|guard| {
        let (client, socket) = connection();
        let mut stream = track(&guard, socket);
        let closed = tab.guard().with_cause(guard.cause().child());
        let open: Vec<_> = (0..65).map(|_| channels.guard().with_cause(guard.cause().child())).collect();
        closed.cause().record(Evidence::Peer, client_closed());
        drop(closed);
        reset(client);
        stream.read(&mut [0]).expect_err("reset");
        drop(open);
    });
    assert_eq!(words(&tab.one()), "agent_to_client ended by client: client_closed");
    assert!(connection.contains("network_error (reset, peer client)"), "{connection}");
    let lines = channels.take();
    assert_eq!(lines.len(), 65);
    let is_inherited = |line: &Disconnect| line.origin() == Some(AgentToClient);
    assert!(lines.iter().all(|line| is_inherited(line) && line.trigger() == Some(Trigger::Reset)));
}
