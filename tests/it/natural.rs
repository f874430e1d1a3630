//! The natural code of a new user, and the line that it logs: real sockets, processes and terminals.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use disconnect_attribution::ConnectType::{AgentToClient, ClientToServer, ServerToAgent};
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger, classify_pty_exit,
};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::time::{sleep, timeout};

use crate::support::{Lines, words};

const MOMENT: Duration = Duration::from_millis(20);

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let client = TcpStream::connect(address).expect("connected");
    (client, listener.accept().expect("accepted").0)
}

fn tokio_pair() -> (TcpStream, tokio::net::TcpStream) {
    let (client, socket) = pair();
    socket.set_nonblocking(true).expect("set");
    (client, tokio::net::TcpStream::from_std(socket).expect("registered"))
}

fn reset(socket: TcpStream) {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("set");
    drop(socket);
}

fn guard(lines: &Lines) -> DisconnectGuard {
    DisconnectGuard::boxed(ClientToServer, lines.emit())
}

fn client_closed() -> Disconnect {
    Disconnect::closed_by(ClientToServer, Initiator::Client)
}

fn line(run: impl FnOnce(&Lines)) -> String {
    let lines = Lines::default();
    run(&lines);
    words(&lines.one())
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future);
}

const CUT: &str = "client_to_server ended by network: network_error (end_of_file, peer client): failed to fill whole buffer";

#[test]
fn a_frame_that_is_cut_is_no_goodbye() {
    for goodbye_is_presumed in [false, true] {
        let read_frame = line(|lines| {
            let guard = guard(lines);
            let (mut client, socket) = pair();
            let mut stream = guard.track(socket, Initiator::Client);
            if goodbye_is_presumed {
                guard.cause().presume(Disconnect::new(ClientToServer, DisconnectReason::ClientClosed));
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
        line(|lines| {
            let guard = guard(lines);
            let (client, socket) = pair();
            let mut stream = guard.track(socket, Initiator::Client).with_goodbye();
            drop(client);
            assert_eq!(stream.read(&mut [0; 8]).expect("read"), 0);
            record(&guard);
        })
    };
    assert_eq!(
        codec(&|guard| guard.record_error(&io::Error::new(ErrorKind::InvalidData, "bad length"))),
        "client_to_server ended: protocol_error (end_of_file, peer client): bad length"
    );
    assert_eq!(
        codec(&|guard| guard.record_error(&io::Error::other("bytes remaining on stream"))),
        "client_to_server ended: unknown (end_of_file, peer client): bytes remaining on stream"
    );
    assert_eq!(
        codec(&|guard| {
            let end = Disconnect::protocol_error(ClientToServer, Initiator::Client);
            assert!(guard.cause().record(Evidence::Local, end));
        }),
        "client_to_server ended by client: protocol_error (end_of_file, peer client)"
    );
    assert_eq!(codec(&|_| {}), "client_to_server ended by client: client_closed (end_of_file, peer client)");
}

#[test]
fn a_timer_of_this_program_is_a_deadline() {
    let deadline = "client_to_server ended by network: network_error (deadline): ";
    let tokio = line(|lines| {
        block_on(async {
            let guard = guard(lines);
            let (_client, socket) = tokio_pair();
            let mut stream = guard.track(socket, Initiator::Client);
            let mut buffer = [0];
            let read = timeout(MOMENT, stream.read(&mut buffer)).await;
            assert!(read.inspect_err(|error| guard.record_error(error)).is_err());
        });
    });
    assert_eq!(tokio, format!("{deadline}deadline has elapsed"));
    let as_io = line(|lines| {
        block_on(async {
            let guard = guard(lines);
            let elapsed = timeout(MOMENT, std::future::pending::<()>()).await.expect_err("late");
            guard.record_error(&io::Error::from(elapsed));
        });
    });
    assert_eq!(as_io, format!("{deadline}timed out"));
    let blocking = line(|lines| {
        let guard = guard(lines);
        let (_client, socket) = pair();
        socket.set_read_timeout(Some(MOMENT)).expect("set");
        let mut stream = guard.track(socket, Initiator::Client);
        let read = stream.read_exact(&mut [0]);
        assert!(read.inspect_err(|error| guard.record_error(error)).is_err());
    });
    assert_eq!(blocking, format!("{deadline}Resource temporarily unavailable (os error 11)"));
}

#[test]
fn both_halves_of_a_socket_are_one_transport() {
    let lines = Lines::default();
    block_on(async {
        let guard = guard(&lines);
        let (mut client, socket) = tokio_pair();
        let (read, write) = socket.into_split();
        let mut write = guard.track(write, Initiator::Client);
        let mut read = guard.track(read, Initiator::Client);
        client.write_all(b"hi").expect("sent");
        read.read_exact(&mut [0; 2]).await.expect("read");
        write.write_all(b"hello").await.expect("written");
        write.shutdown().await.expect("shut down");
        client.read_to_end(&mut Vec::new()).expect("read");
        drop(client);
        assert_eq!(read.read(&mut [0]).await.expect("read"), 0);
    });
    let end = lines.one();
    assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(2), Some(5)));
    assert_eq!(words(&end), "client_to_server ended by server: graceful");

    let lines = Lines::default();
    let guard = guard(&lines);
    let (mut client, socket) = pair();
    let mut read = guard.track(socket.try_clone().expect("cloned"), Initiator::Client);
    let mut write = guard.track(socket, Initiator::Client);
    write.write_all(b"hello").expect("written");
    client.read_exact(&mut [0; 5]).expect("read");
    client.write_all(b"hi").expect("written");
    read.read_exact(&mut [0; 2]).expect("read");
    drop(guard);
    let end = lines.one();
    assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(2), Some(5)));
}

#[test]
fn a_proxy_names_the_leg_that_broke() {
    for (broken, peer) in [(Initiator::Client, "client"), (Initiator::Server, "server")] {
        let reset_leg = line(|lines| {
            block_on(async {
                let guard = guard(lines);
                let ((client, one), (server, other)) = (tokio_pair(), tokio_pair());
                let mut one = guard.track(one, Initiator::Client).with_half_close();
                let mut other = guard.track(other, Initiator::Server).with_half_close();
                let (broken, _kept) =
                    if broken == Initiator::Client { (client, server) } else { (server, client) };
                reset(broken);
                assert!(copy_bidirectional(&mut one, &mut other).await.is_err());
            });
        });
        assert_eq!(
            reset_leg,
            format!(
                "client_to_server ended by network: network_error (reset, peer {peer}): \
                 read failed: Connection reset by peer (os error 104)"
            )
        );
    }
}

#[test]
fn half_a_hello_is_no_check_of_a_load_balancer() {
    let connect = |hello: &[u8]| {
        line(|lines| {
            let guard = guard(lines);
            guard.cause().presume(client_closed());
            let (mut client, socket) = pair();
            let mut stream = guard.track(socket, Initiator::Client);
            client.write_all(hello).expect("sent");
            drop(client);
            assert!(stream.read_exact(&mut [0; 8]).is_err());
        })
    };
    assert_eq!(connect(b""), "client_to_server ended by client: client_closed (end_of_file, peer client)");
    assert_eq!(
        connect(b"half"),
        "client_to_server ended by network: network_error (end_of_file, peer client)"
    );
}

#[test]
fn a_proxy_that_is_aborted_while_a_leg_flows_is_not_a_client_that_left() {
    let lines = Lines::default();
    block_on(async {
        let guard = guard(&lines);
        let ((client, one), (mut server, other)) = (tokio_pair(), tokio_pair());
        let task = tokio::spawn(async move {
            let mut one = guard.track(one, Initiator::Client).with_half_close();
            let mut other = guard.track(other, Initiator::Server).with_half_close();
            let _ = copy_bidirectional(&mut one, &mut other).await;
        });
        client.shutdown(Shutdown::Write).expect("shut down");
        sleep(MOMENT).await;
        server.read_to_end(&mut Vec::new()).expect("the half close was passed on");
        task.abort();
        assert!(task.await.is_err());
    });
    assert_eq!(
        words(&lines.one()),
        "client_to_server ended: unknown (dropped): no cause was recorded: cancelled task or early return"
    );
}

/// The commonest end of a download through a proxy: the client is gone, and the server goes on sending.
#[test]
fn a_client_that_leaves_a_proxy_while_the_server_sends_has_left() {
    let left = line(|lines| {
        block_on(async {
            let guard = guard(lines);
            let ((client, one), (mut server, other)) = (tokio_pair(), tokio_pair());
            let mut one = guard.track(one, Initiator::Client).with_half_close();
            let mut other = guard.track(other, Initiator::Server).with_half_close();
            drop(client);
            let send = std::thread::spawn(move || while server.write_all(&[0; 1000]).is_ok() {});
            assert!(copy_bidirectional(&mut one, &mut other).await.is_err());
            drop((one, other));
            send.join().expect("no panic");
        });
    });
    assert_eq!(left, "client_to_server ended by client: client_closed (end_of_file, peer client)");
}

#[test]
fn a_client_that_presumes_its_own_close_still_sees_the_server_crash() {
    for crash in [reset as fn(TcpStream), drop] {
        let crashed = line(|lines| {
            let guard = guard(lines);
            guard.cause().presume(client_closed());
            let (client, socket) = pair();
            let mut stream = guard.track(client, Initiator::Server);
            crash(socket);
            let _ = stream.read(&mut [0]);
        });
        assert!(crashed.starts_with("client_to_server ended by network: network_error"), "{crashed}");
    }
    let dropped = line(|lines| {
        let guard = guard(lines);
        guard.cause().presume(client_closed());
        let (client, _socket) = pair();
        let _stream = guard.track(client, Initiator::Server);
    });
    assert_eq!(dropped, "client_to_server ended by client: client_closed");
}

#[test]
fn what_this_side_does_in_a_phase_is_not_the_clients_act() {
    let lines = Lines::default();
    block_on(async {
        let guard = guard(&lines);
        let (_client, socket) = tokio_pair();
        let idle = tokio::spawn(async move {
            let mut stream = guard.track(socket, Initiator::Client);
            guard.cause().presume(client_closed());
            let _ = stream.read(&mut [0]).await;
        });
        sleep(MOMENT).await;
        idle.abort();
        assert!(idle.await.is_err());
    });
    assert_eq!(lines.one().trigger(), Some(Trigger::Dropped));
    let refused = line(|lines| {
        block_on(async {
            let guard = guard(lines);
            let (mut client, socket) = tokio_pair();
            guard.cause().presume(client_closed());
            let mut stream = guard.track(socket, Initiator::Client);
            client.write_all(b"garbage").expect("sent");
            let _ = stream.read(&mut [0; 100]).await;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("answered");
            stream.shutdown().await.expect("shut down");
        });
    });
    assert_eq!(refused, "client_to_server ended by server: graceful");
}

#[test]
fn idle_connections_that_a_draining_server_lets_go_read_as_the_drain() {
    let drained = line(|lines| {
        let server = Cause::default();
        let guard = guard(lines).with_cause(server.child());
        guard.cause().presume(client_closed());
        let (_client, socket) = pair();
        let _stream = guard.track(socket, Initiator::Client);
        server.presume(Disconnect::shutdown(ClientToServer, Initiator::Server));
    });
    assert_eq!(drained, "client_to_server ended by server: server_shutdown");
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
    let terminal = line(|lines| {
        let guard = guard(lines);
        let mut stream = guard.track(master, Initiator::Agent).with_goodbye();
        assert!(stream.read(&mut [0]).is_err());
    });
    assert_eq!(terminal, "client_to_server ended by agent: graceful (end_of_file, peer agent)");
}

#[test]
fn the_connections_that_a_processs_shutdown_ends_are_original_lines() {
    let lines = Lines::default();
    let process = Cause::default();
    let connection = DisconnectGuard::boxed(ServerToAgent, lines.emit()).with_cause(process.child());
    let session = DisconnectGuard::boxed(AgentToClient, lines.emit()).with_cause(connection.cause().child());
    process.record(Evidence::Local, Disconnect::shutdown(AgentToClient, Initiator::Agent));
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
        line(|lines| {
            block_on(async {
                let guard = guard(lines);
                let task = tokio::spawn(async { task() });
                let joined = task.await;
                assert!(joined.inspect_err(|error| guard.record_error(error)).is_err());
            });
        })
    };
    let panicked = joined(&|| panic!("a bug"));
    assert!(panicked.starts_with("client_to_server ended: unknown (panic): task "), "{panicked}");
    let cancelled = line(|lines| {
        block_on(async {
            let guard = guard(lines);
            let task = tokio::spawn(std::future::pending::<()>());
            task.abort();
            guard.record_error(&task.await.expect_err("aborted"));
        });
    });
    assert!(cancelled.starts_with("client_to_server ended: unknown (dropped): task "), "{cancelled}");
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
        line(|lines| {
            block_on(async {
                let guard = guard(lines);
                let (client, socket) = tokio_pair();
                reset(client);
                sleep(MOMENT).await;
                if older {
                    let mut stream = guard.track(OlderTokio(socket), Initiator::Client);
                    let error = stream.shutdown().await.expect_err("not connected");
                    assert_eq!(error.kind(), ErrorKind::NotConnected);
                } else {
                    let mut stream = guard.track(socket, Initiator::Client);
                    stream.shutdown().await.expect("shut down");
                }
            });
        })
    };
    assert_eq!(shut_down(false), "client_to_server ended by server: graceful");
    assert_eq!(shut_down(true), shut_down(false));
}

#[test]
fn errors_that_libraries_wrap_or_print_are_read() {
    let of = |error: &(dyn std::error::Error + 'static)| {
        let end = Disconnect::from_error(ClientToServer, error);
        (end.reason(), end.trigger())
    };
    let network = |trigger| (DisconnectReason::NetworkError, Some(trigger));
    let os = io::Error::from_raw_os_error;
    let rows: [(io::Error, Trigger); 11] = [
        (ErrorKind::TimedOut.into(), Trigger::Deadline),
        (os(110), Trigger::TimedOut),
        (io::Error::new(ErrorKind::TimedOut, os(110)), Trigger::TimedOut),
        (io::Error::new(ErrorKind::TimedOut, os(110).to_string()), Trigger::TimedOut),
        (ErrorKind::ConnectionAborted.into(), Trigger::EndOfFile),
        (os(103), Trigger::Aborted),
        (os(112), Trigger::Unreachable),
        (os(64), Trigger::Unreachable),
        (os(102), Trigger::Reset),
        (os(108), Trigger::BrokenPipe),
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
        disconnect_attribution::classify_channel_close(&result).trigger()
    };
    assert_eq!(classified(Box::new(os(104))), Some(Trigger::Reset));
    let text: Result<(), String> = Err(os(104).to_string());
    assert_eq!(disconnect_attribution::classify_channel_close(&text).trigger(), Some(Trigger::Reset));
}

#[test]
fn two_upstreams_of_one_kind_stand_for_themselves() {
    let aborted = |second_stops: bool| {
        line(|lines| {
            block_on(async {
                let guard = guard(lines);
                let ((first, one), (mut second, other)) = (tokio_pair(), tokio_pair());
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
            });
        })
    };
    assert!(aborted(false).contains("(dropped)"));
    assert!(aborted(true).starts_with("client_to_server ended by server: graceful (end_of_file"));
}
