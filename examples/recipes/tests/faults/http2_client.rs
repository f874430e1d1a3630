//! A client that keeps its connection's future, against h2 and a server that is no HTTP/2.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator};
use h2::Reason;
use http_body_util::Empty;
use nix::sys::signal::Signal;
use recipes::http2_client::{Connection, connect};
use tokio::net::TcpListener;

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, reset};
use crate::respawned::{is_respawned, respawn};

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(150);

type Requests = Connection<Empty<Bytes>>;

async fn dial(address: SocketAddr, pings: Duration) -> (Requests, Cause, Lines) {
    let (agent, lines) = (Cause::default(), Lines::default());
    let dialled = connect(&address.to_string(), &agent, pings, lines.emit()).await;
    (dialled.expect("connected"), agent, lines)
}

/// The line of a client whose server, of h2, closes with a code while a request is open.
async fn closed_with(reason: Option<Reason>) -> Disconnect {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(socket).await.expect("HTTP/2");
        let asked = connection.accept().await;
        match reason {
            Some(reason) => connection.abrupt_shutdown(reason),
            None => connection.graceful_shutdown(),
        }
        // It finishes a request before it leaves in good order.
        drop(reason.is_none().then_some(asked));
        while connection.accept().await.is_some() {}
    });
    let (mut requests, _, lines) = dial(address, LONG).await;
    let asked = requests.requests.send_request(hyper::Request::new(Empty::new())).await;
    assert!(asked.is_err());
    lines.wait()
}

/// A server that is a process of its own.
#[test]
fn a_process_serves_until_it_is_killed() {
    if !is_respawned() {
        return;
    }
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("listening on {}", listener.local_addr().expect("bound"));
        let (socket, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(socket).await.expect("HTTP/2");
        println!("up");
        while connection.accept().await.is_some() {}
    });
}

async fn server_process(pings: Duration) -> (Peer, Requests, Lines) {
    let mut server = Peer::spawn(&mut respawn("http2_client::a_process_serves_until_it_is_killed"));
    let line = server.read_until("listening on ");
    let (_, address) = line.trim().rsplit_once(' ').expect("an address");
    let (requests, _, lines) = dial(address.parse().expect("an address"), pings).await;
    server.read_until("up");
    (server, requests, lines)
}

/// The line of a client after what is done to its server's socket.
async fn server_that(ends: fn(std::net::TcpStream) -> Option<std::net::TcpStream>) -> Disconnect {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (_requests, _, lines) = dial(listener.local_addr().expect("bound"), LONG).await;
    let (mut socket, _) = listener.accept().expect("a client");
    socket.read_exact(&mut [0; 24]).expect("a preface");
    let _held = ends(socket);
    lines.wait()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_its_connection_ends_as_its_row_records() {
    let mut row = Row::of("HTTP/2 client");
    row.check("clean close", &closed_with(None).await);
    let end = closed_with(Some(Reason::ENHANCE_YOUR_CALM)).await;
    row.check("GOAWAY, enhance your calm", &end);
    let end = closed_with(Some(Reason::INTERNAL_ERROR)).await;
    row.check("GOAWAY, internal error", &end);

    let (mut server, _requests, lines) = server_process(LONG).await;
    server.kill();
    row.check("killed", &lines.wait());
    let (server, _requests, lines) = server_process(SHORT).await;
    server.signal(Signal::SIGSTOP);
    row.check("ping not answered", &lines.wait());

    let end = server_that(|socket| {
        reset(&socket);
        None
    });
    row.check("reset", &end.await);
    let end = server_that(|mut socket| {
        let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        socket.write_all(answer).expect("sent");
        Some(socket)
    });
    row.check("the server speaks HTTP/1", &end.await);

    let (_server, requests, lines) = server_process(LONG).await;
    drop(requests);
    row.check("this side drops its requests", &lines.wait());

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (requests, agent, lines) = dial(listener.local_addr().expect("bound"), LONG).await;
    agent.record(Evidence::Local, Disconnect::shutdown(AgentToClient, Initiator::Agent));
    drop(requests);
    row.check("shutdown", &lines.wait());
    row.complete();
}
