//! Streams that a server answers with, and the connection under them.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use disconnect_attribution::Evidence;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{open, process, serve, shutdown};
use crate::matrix::Row;
use crate::peer::reset;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_stream_ends_as_its_row_records() {
    let mut row = Row::of("gRPC server");
    the_client_ends_it(&mut row).await;
    this_side_ends_it(&mut row).await;
    row.complete();
}

async fn the_client_ends_it(row: &mut Row) {
    let server = serve();
    let mut client = process(&server.address.to_string());
    client.read_until("up");
    client.kill();
    row.check("killed", &server.streams.wait());
    row.check("its connection, killed", &server.connection.wait());

    for _ in 0..10 {
        let server = serve();
        drop(open(server.address, "/site/stay").await);
        let end = server.streams.wait();
        row.check("the client leaves with the stream open", &end);
        let end = server.connection.wait();
        row.check("its connection, left with the stream open", &end);
    }

    let server = serve();
    let relay = Relay::to(server.address);
    let _held = open(relay.address, "/site/stay").await;
    relay.reset().await;
    row.check("reset", &server.streams.wait());

    let server = serve();
    let held = open(server.address, "/site/stay").await;
    drop(held.responses);
    row.check("the client cancels", &server.streams.wait());
    drop(held.channel);
}

async fn this_side_ends_it(row: &mut Row) {
    let server = serve();
    let mut held = open(server.address, "/site/finish").await;
    assert!(held.responses.message().await.expect("OK").is_none());
    row.check("clean close", &server.streams.wait());
    drop(held);
    let end = server.connection.wait();
    row.check("its connection, when the channel is dropped", &end);

    let server = serve();
    let mut held = open(server.address, "/site/stay").await;
    server.agent.record(Evidence::Local, shutdown());
    let status = held.responses.message().await.expect_err("cut");
    assert_eq!(status.message(), "shutting down");
    row.check("shutdown", &server.streams.wait());

    let mut server = serve();
    let _held = open(server.address, "/site/stay").await;
    let runtime = server.runtime.take().expect("running");
    let dropped = spawn_blocking(move || drop(runtime));
    dropped.await.expect("no panic");
    row.check("aborted", &server.streams.wait());

    for (fault, path) in [("panic", "/site/panic"), ("PERMISSION_DENIED", "/site/fail")] {
        let server = serve();
        let _held = open(server.address, path).await;
        row.check(fault, &server.streams.wait());
    }
}

/// Passes a connection's bytes on, and can reset it: a channel does not hand out its own socket.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    legs: JoinHandle<[TcpStream; 2]>,
}

impl Relay {
    pub(super) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let legs = spawn_blocking(move || {
            let client = listener.accept().expect("a client").0;
            let server = TcpStream::connect(server).expect("accepted");
            for (from, to) in [(&client, &server), (&server, &client)] {
                let [from, to] = [from, to].map(|socket| socket.try_clone().expect("cloned"));
                thread::spawn(move || io::copy(&mut &from, &mut &to));
            }
            [client, server]
        });
        Self { address, legs }
    }

    /// Resets the server's leg.
    pub(super) async fn reset(self) {
        let legs = self.legs.await.expect("no panic");
        reset(&legs[1]);
        for leg in &legs {
            leg.shutdown(Shutdown::Read).expect("stopped");
        }
        // What is dropped here are the last handles of both, once the threads have stopped.
    }
}
