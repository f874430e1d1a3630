//! Streams that a client reads, and calls that fail before there is one.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bytes::Bytes;
use disconnect_attribution::{Cause, Disconnect, Evidence};
use nix::sys::signal::Signal;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::timeout;
use tonic::Status;
use tonic::codegen::http;

use super::{Call, LONG, SHORT, call, open, process, serve, shutdown, tonic_client};
use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::reset;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_stream_ends_as_its_row_records() {
    let mut row = Row::of("gRPC client");
    let server = serve();
    a_stream_is_read_to_its_end(&mut row, server.address).await;
    the_network_ends_it(&mut row).await;
    this_side_ends_it(&mut row, server.address).await;
    a_call_fails_before_there_is_a_stream(&mut row, server.address).await;
    row.complete();
}

/// What the client's line reads after a fault.
async fn read(call: Call, idle: Duration) -> Disconnect {
    let lines = Lines::default();
    let connection = call.connection();
    tonic_client::read(call.responses, &connection, idle, drop, lines.emit()).await;
    lines.one()
}

async fn a_stream_is_read_to_its_end(row: &mut Row, server: SocketAddr) {
    for (fault, path, idle) in [
        ("clean close", "/site/finish", LONG),
        ("PERMISSION_DENIED", "/site/fail", LONG),
        ("the server panics", "/site/panic", LONG),
        ("idle timeout", "/site/stay", SHORT),
    ] {
        row.check(fault, &read(open(server, path).await, idle).await);
    }
}

async fn the_network_ends_it(row: &mut Row) {
    let open_at_process = async |path| {
        let mut server = process("server");
        let line = server.read_until("listening on ");
        let (_, address) = line.trim().rsplit_once(' ').expect("an address");
        let held = open(address.parse().expect("an address"), path).await;
        (server, held)
    };
    let (mut server, held) = open_at_process("/site/stay").await;
    server.kill();
    row.check("killed", &read(held, LONG).await);
    let (server, held) = open_at_process("/site/frozen").await;
    server.signal(Signal::SIGSTOP);
    row.check("ping not answered", &read(held, LONG).await);

    let held = open(goes_away().await, "/site/stay").await;
    row.check("GOAWAY, enhance your calm", &read(held, LONG).await);

    // A server that has accepted, answers no more, and resets.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let failed = tokio::spawn(failed_call(address, "/site/stay", None));
    let accepted = spawn_blocking(move || listener.accept()).await;
    let (socket, _) = accepted.expect("no panic").expect("a client");
    // It has sent its preface, so it is connected.
    block_in_place(|| (&socket).read_exact(&mut [0; 24])).expect("a preface");
    reset(&socket);
    drop(socket);
    let (status, connection) = failed.await.expect("no panic");
    let explained = tonic_client::explain(&status, &connection);
    assert!(explained.is_none(), "{status:?} {connection:?}");
    row.check("reset", &connection.get().expect("recorded"));
}

/// A server of h2 that answers `up`, and then closes with a code.
async fn goes_away() -> SocketAddr {
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
        connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
        while connection.accept().await.is_some() {}
    });
    address
}

async fn this_side_ends_it(row: &mut Row, server: SocketAddr) {
    let held = open(server, "/site/stay").await;
    let agent = held.connect.agent.clone();
    let reading = tokio::spawn(read(held, LONG));
    tokio::time::sleep(SHORT).await;
    agent.record(Evidence::Local, shutdown());
    row.check("shutdown", &reading.await.expect("no panic"));

    for fault in ["aborted", "panic"] {
        let lines = Lines::default();
        // Its first message is still to be handled.
        let Ok(held) = call(server, "/site/stay", None).await else { panic!("refused") };
        let (log, connection) = (lines.emit(), held.connection());
        let reading = tokio::spawn(async move {
            let on_message = |_| assert_ne!(fault, "panic", "a bug");
            tonic_client::read(held.responses, &connection, LONG, on_message, log).await;
        });
        tokio::time::sleep(SHORT).await;
        reading.abort();
        row.check(fault, &lines.wait());
    }
}

async fn a_call_fails_before_there_is_a_stream(row: &mut Row, server: SocketAddr) {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nowhere = closed.local_addr().expect("bound");
    drop(closed);
    for (fault, address, path, deadline) in [
        ("UNAVAILABLE from the wire", server, "/site/refuse", None),
        ("a dial that is refused", nowhere, "/site/stay", None),
        ("our own deadline", server, "/site/never", Some(SHORT)),
    ] {
        let (status, connection) = failed_call(address, path, deadline).await;
        let explained = tonic_client::explain(&status, &connection);
        let (_, end) = explained.expect("what the connection does not know");
        row.check(fault, &end);
    }
}

/// The status of a call that fails at once, and the cause of the connection that it was to have.
async fn failed_call(address: SocketAddr, path: &'static str, deadline: Option<Duration>) -> (Status, Cause) {
    let Err((status, connect)) = call(address, path, deadline).await else { panic!("accepted") };
    let connection = connect.latest.lock().expect("no panic").clone();
    (status, connection)
}
