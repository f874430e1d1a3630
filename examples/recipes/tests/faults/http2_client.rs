//! A client that keeps its connection's future, against h2 and a server that is no HTTP/2.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use h2::Reason;
use http_body_util::Empty;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use nix::sys::signal::Signal;
use recipes::http2::record_end;

use crate::grpc::{self, client::goes_away};
use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, listen, reset};
use crate::site::{LONG, SHORT, shutdown};

/// What requests are sent over; its drop is this side's close.
struct Client {
    _in_use: Arc<()>,
    requests: SendRequest<Empty<Bytes>>,
    agent: Cause,
    lines: Lines,
}

async fn dial(address: SocketAddr, pings: Duration) -> Client {
    let (agent, lines, in_use) = (Cause::default(), Lines::default(), Arc::new(()));
    let socket = tokio::net::TcpStream::connect(address).await.expect("accepted");
    let guard = DisconnectGuard::new(ClientToServer, lines.emit()).with_cause(agent.child());
    let stream = guard.track(socket, Initiator::Server).with_goodbye();
    let connected = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(pings)
        .keep_alive_timeout(pings)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream));
    let (requests, connection) = connected.await.expect("connected");
    let held = Arc::downgrade(&in_use);
    tokio::spawn(async move {
        let ended = connection.await;
        record_end(&guard.cause(), ClientToServer, &ended, held.strong_count() > 0);
        drop(guard);
    });
    Client { _in_use: in_use, requests, agent, lines }
}

/// A server that is a process of its own, and has answered.
async fn server_process(pings: Duration) -> (Peer, Client) {
    let (server, address) = Peer::serving(grpc::PROCESS, "server");
    let mut client = dial(address, pings).await;
    client.requests.send_request(hyper::Request::new(Empty::new())).await.expect("answered");
    (server, client)
}

/// The line of a client after what is done to its server's socket.
async fn server_that(ends: fn(TcpStream) -> Option<TcpStream>) -> Disconnect {
    let (listener, address) = listen();
    let client = dial(address, LONG).await;
    let (mut socket, _) = listener.accept().expect("a client");
    socket.read_exact(&mut [0; 24]).expect("a preface");
    let _held = ends(socket);
    client.lines.wait()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_its_connection_ends_as_its_row_records() {
    let mut row = Row::of("HTTP/2 client");
    for (fault, reason) in [
        ("clean close", None),
        ("GOAWAY, enhance your calm", Some(Reason::ENHANCE_YOUR_CALM)),
        ("GOAWAY, internal error", Some(Reason::INTERNAL_ERROR)),
    ] {
        let mut client = dial(goes_away(reason).await, LONG).await;
        client.requests.send_request(hyper::Request::new(Empty::new())).await.expect("answered");
        row.check(fault, &client.lines.wait());
    }

    let (mut server, client) = server_process(LONG).await;
    server.kill();
    row.check("killed", &client.lines.wait());
    let (server, client) = server_process(SHORT).await;
    server.signal(Signal::SIGSTOP);
    row.check("ping not answered", &client.lines.wait());

    let end = server_that(|socket| {
        reset(socket);
        None
    });
    row.check("reset", &end.await);
    let end = server_that(|mut socket| {
        let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        socket.write_all(answer).expect("sent");
        Some(socket)
    });
    row.check("the server speaks HTTP/1", &end.await);

    for (fault, is_shutdown) in [("this side drops its requests", false), ("shutdown", true)] {
        let (_server, client) = server_process(LONG).await;
        let lines = client.lines.clone();
        if is_shutdown {
            client.agent.record(Evidence::Local, shutdown());
        }
        drop(client);
        row.check(fault, &lines.wait());
    }
}

/// hyper's task may learn that the connection is gone before it learns why.
#[test]
fn a_connection_that_ends_without_an_error_keeps_what_its_stream_saw() {
    let cause = Cause::default();
    cause.record(Evidence::Transport, Disconnect::network_error(ClientToServer, Trigger::Reset));
    record_end(&cause, ClientToServer, &Ok(()), true);
    assert_eq!(cause.get().and_then(|end| end.trigger()), Some(Trigger::Reset));
}
