//! Streams that a server answers with, those that go both ways, and the connection under them.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Request};
use bytes::Bytes;
use disconnect_attribution::Cause;
use futures_util::FutureExt;
use futures_util::stream::{self, Stream, StreamExt};
use nix::sys::signal::Signal;
use recipes::{http_server, tonic_server};
use tokio::sync::oneshot;
use tonic::{Response, Status, Streaming};
use tower::service_fn;

use super::{Call, Raw, client_process, one, open, serve};
use crate::matrix::Row;
use crate::peer::{listen, reset};
use crate::site::{self, Client, LONG, SHORT, SSH_BANNER, Site, TLS_HELLO, check_faults, spawner, wait};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_stream_ends_as_its_row_records() {
    let mut row = Row::of("gRPC server");
    check_faults(&mut row, |_| serve().with(|site| relayed(site, one(), true)), &[]);

    let site = serve();
    client_process("one", &site).kill();
    row.check("killed", &site.wait());
    row.check("its connection, killed", &site.connection());

    for _ in 0..10 {
        drop(open(site.address, "/site/stay", one()).await);
        row.check("the client leaves with the stream open", &site.wait());
        row.check("its connection, left with the stream open", &site.connection());
    }

    let held = open(site.address, "/site/stay", one()).await;
    drop(held.responses);
    row.check("the client cancels", &site.wait());
    drop(held.channel);
    site.connection();

    let mut held = open(site.address, "/site/finish", one()).await;
    assert!(held.responses.message().await.expect("OK").is_none());
    row.check("clean close", &site.wait());
    drop(held);
    row.check("its connection, when the channel is dropped", &site.connection());

    for (fault, path) in [("panic", "/site/panic"), ("PERMISSION_DENIED", "/site/fail")] {
        let _held = open(site.address, path, one()).await;
        row.check(fault, &site.wait());
    }
}

/// A call over a relay, which can reset it: a channel does not hand out its own socket.
struct Relayed {
    call: Call,
    legs: JoinHandle<[TcpStream; 2]>,
    /// Whether this side ends the stream with a status.
    is_told: bool,
}

fn relayed(site: &Site, requests: impl Stream<Item = Bytes> + Send + 'static, is_told: bool) -> Relayed {
    let ((listener, address), server) = (listen(), site.connect());
    let legs = thread::spawn(move || {
        let client = listener.accept().expect("a client").0;
        for (from, to) in [(&client, &server), (&server, &client)] {
            let [from, to] = [from, to].map(|socket| socket.try_clone().expect("cloned"));
            thread::spawn(move || io::copy(&mut &from, &mut &to));
        }
        [client, server]
    });
    Relayed { call: wait(open(address, "/site/stay", requests)), legs, is_told }
}

impl Client for Relayed {
    fn reset(self) {
        let [client, server] = self.legs.join().expect("no panic");
        for leg in [&client, &server] {
            leg.shutdown(Shutdown::Read).expect("stopped");
        }
        // What is dropped here are the last handles of both, once the threads have stopped. The call does not take its leave.
        std::mem::forget(self.call);
        reset(server);
    }

    fn read_goodbye(&mut self, _: &str) {
        if self.is_told {
            let status = wait(self.call.responses.message()).expect_err("cut");
            assert_eq!(status.message(), "shutting down");
        }
    }
}

/// Serves streams whose inbound half is read in a task of its own, over hyper.
fn serve_both_ways(idle: Duration, pings: Duration) -> Site {
    // What reads the inbound halves is what is aborted.
    let (sender, task) = spawner();
    let site = site::serve(move |socket, world| {
        let (sender, agent, lines) = (sender.clone(), world.agent.clone(), world.lines);
        let call = async move |Extension(connection): Extension<Cause>, request: Request| {
            let method = service_fn(move |request: tonic::Request<Streaming<Bytes>>| {
                let (agent, connection, log) = (agent.clone(), connection.clone(), lines.emit());
                let (begin, has_begun) = oneshot::channel();
                let sent = sender.send(async move {
                    let _ = begin.send(());
                    let on_message = |message: Bytes| assert_ne!(message, "panic", "a bug");
                    let requests = request.into_inner();
                    tonic_server::read(requests, &connection, &agent, idle, on_message, log).await;
                });
                assert!(sent.is_ok(), "nothing reads");
                let up = stream::once(has_begun.map(|_| Ok(Bytes::from_static(b"up"))));
                async { Ok::<_, Status>(Response::new(up.chain(stream::pending()))) }
            });
            tonic::server::Grpc::new(Raw).streaming(method, request).await
        };
        let router = Router::new().fallback(call);
        async move { http_server::serve(socket, &world.agent, pings, router, world.connection.emit()).await }
    });
    Site { task, ..site }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_goes_both_ways_ends_as_its_row_records() {
    let mut row = Row::of("gRPC server, both ways");
    let start = |idle| serve_both_ways(idle, LONG).with(|site| relayed(site, stream::pending(), false));
    check_faults(&mut row, start, &[]);
    let site = serve_both_ways(LONG, LONG);
    let _held = open(site.address, "/site/stay", stream::iter([Bytes::from_static(b"all")])).await;
    row.check("clean close", &site.wait());
    let sent = stream::iter([Bytes::from_static(b"panic")]).chain(stream::pending());
    let _held = open(site.address, "/site/stay", sent).await;
    row.check("panic", &site.wait());

    let site = serve_both_ways(LONG, LONG);
    for _ in 0..10 {
        let (sender, dropped) = oneshot::channel::<()>();
        let held = open(site.address, "/site/stay", stream::pending().take_until(dropped)).await;
        drop((sender, held));
        row.check("the client leaves with the stream open", &site.wait());
        row.check("its connection, left with the stream open", &site.connection());
    }
    for _ in 0..5 {
        client_process("both", &site).kill();
        row.check("killed", &site.wait());
        row.check("its connection, killed", &site.connection());
    }
    for (fault, bytes) in [
        ("an SSH banner", SSH_BANNER),
        ("a TLS hello", TLS_HELLO),
        ("a frame that is too large", &[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[255; 200]].concat()),
    ] {
        let _client = site.send(bytes);
        row.check(fault, &site.connection());
    }

    let site = serve_both_ways(LONG, SHORT);
    let peer = client_process("both", &site);
    peer.signal(Signal::SIGSTOP);
    row.check("ping not answered", &site.wait());
    row.check("its connection, ping not answered", &site.connection());
}
