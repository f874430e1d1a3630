//! Streams that a client reads, and calls that fail before there is one.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use disconnect_attribution::{Disconnect, Evidence};
use nix::sys::signal::Signal;
use recipes::tonic_client::{explain, read};
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::timeout;
use tonic::codegen::http;

use super::{Call, PROCESS, call, one, open, serve};
use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, listen, reset};
use crate::site::{LONG, SHORT, shutdown};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_stream_ends_as_its_row_records() {
    let mut row = Row::of("gRPC client");
    let server = serve();
    for (fault, path, idle) in [
        ("clean close", "/site/finish", LONG),
        ("PERMISSION_DENIED", "/site/fail", LONG),
        ("the server panics", "/site/panic", LONG),
        ("idle timeout", "/site/stay", SHORT),
    ] {
        row.check(fault, &end_of(open(server.address, path, one()).await, idle).await);
    }
    the_network_ends_it(&mut row).await;
    this_side_ends_it(&mut row, server.address).await;
    a_call_fails_before_there_is_a_stream(&mut row, server.address).await;
}

/// What the client's line reads after a fault.
async fn end_of(call: Call, idle: Duration) -> Disconnect {
    let lines = Lines::default();
    read(call.responses, &call.connection, idle, drop, lines.emit()).await;
    lines.one()
}

async fn the_network_ends_it(row: &mut Row) {
    let (mut server, address) = Peer::serving(PROCESS, "server");
    let held = open(address, "/site/stay", one()).await;
    server.kill();
    row.check("killed", &end_of(held, LONG).await);
    let (server, address) = Peer::serving(PROCESS, "server");
    let held = open(address, "/site/frozen", one()).await;
    server.signal(Signal::SIGSTOP);
    row.check("ping not answered", &end_of(held, LONG).await);

    let held = open(goes_away(Some(h2::Reason::ENHANCE_YOUR_CALM)).await, "/site/stay", one()).await;
    row.check("GOAWAY, enhance your calm", &end_of(held, LONG).await);

    // A server that has accepted, answers no more, and resets.
    let (listener, address) = listen();
    let failed = tokio::spawn(call(address, "/site/stay", one(), None));
    let accepted = spawn_blocking(move || listener.accept()).await;
    let (socket, _) = accepted.expect("no panic").expect("a client");
    // It has sent its preface, so it is connected.
    block_in_place(|| (&socket).read_exact(&mut [0; 24])).expect("a preface");
    reset(socket);
    let Err((status, connection)) = failed.await.expect("no panic") else { panic!("accepted") };
    assert!(explain(&status, &connection).is_none(), "{status:?} {connection:?}");
    row.check("reset", &connection.get().expect("recorded"));
}

/// A server of h2 that answers `up`, and then closes in good order or with a code.
pub(crate) async fn goes_away(reason: Option<h2::Reason>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(socket).await.expect("HTTP/2");
        let (_, mut respond) = connection.accept().await.expect("a call").expect("HTTP/2");
        let head = http::Response::builder().header("content-type", "application/grpc");
        let mut body = respond.send_response(head.body(()).expect("a head"), false).expect("sent");
        body.send_data(Bytes::from_static(b"\0\0\0\0\x02up"), false).expect("sent");
        let _ = timeout(SHORT, connection.accept()).await;
        match reason {
            Some(reason) => connection.abrupt_shutdown(reason),
            // It finishes a response before it leaves.
            None => connection.graceful_shutdown(),
        }
        drop((respond, body));
        while connection.accept().await.is_some() {}
    });
    address
}

async fn this_side_ends_it(row: &mut Row, server: SocketAddr) {
    let held = open(server, "/site/stay", one()).await;
    let agent = held.agent.clone();
    let reading = tokio::spawn(end_of(held, LONG));
    agent.record(Evidence::Local, shutdown());
    row.check("shutdown", &reading.await.expect("no panic"));

    for fault in ["aborted", "panic"] {
        let lines = Lines::default();
        // Its first message is still to be handled.
        let Ok(held) = call(server, "/site/stay", one(), None).await else { panic!("refused") };
        let log = lines.emit();
        let reading = tokio::spawn(async move {
            let on_message = |_| assert_ne!(fault, "panic", "a bug");
            read(held.responses, &held.connection, LONG, on_message, log).await;
        });
        tokio::time::sleep(SHORT).await;
        reading.abort();
        row.check(fault, &lines.wait());
    }
}

async fn a_call_fails_before_there_is_a_stream(row: &mut Row, server: SocketAddr) {
    let (_, nowhere) = listen();
    for (fault, address, path, deadline) in [
        ("UNAVAILABLE from the wire", server, "/site/refuse", None),
        ("a dial that is refused", nowhere, "/site/stay", None),
        ("our own deadline", server, "/site/never", Some(SHORT)),
    ] {
        let failed = call(address, path, one(), deadline).await;
        let Err((status, connection)) = failed else { panic!("accepted") };
        let (_, end) = explain(&status, &connection).expect("what the connection does not know");
        row.check(fault, &end);
    }
}
