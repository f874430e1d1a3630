//! A stream that goes both ways, whose inbound half is read in a task of its own, served over hyper.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Request};
use bytes::Bytes;
use disconnect_attribution::{Cause, Evidence};
use futures_util::stream::{self, Stream, StreamExt};
use nix::sys::signal::Signal;
use recipes::{http, tonic_server};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tonic::client::Grpc;
use tonic::codegen::BoxFuture;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::server::StreamingService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status, Streaming};

use super::{LONG, Responses, SHORT, process, shutdown};
use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::reset;
use crate::raw_codec::Raw;

/// Reads what its clients send.
#[derive(Clone)]
struct Site {
    agent: Cause,
    connection: Cause,
    streams: Lines,
    idle: Duration,
    readers: mpsc::UnboundedSender<AbortHandle>,
}

impl StreamingService<Bytes> for Site {
    type Response = Bytes;
    type ResponseStream = Responses;
    type Future = BoxFuture<Response<Responses>, Status>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let (site, log) = (self.clone(), self.streams.emit());
        let reader = tokio::spawn(async move {
            let on_message = |message: Bytes| assert_ne!(message, "panic", "a bug");
            let requests = request.into_inner();
            let Site { agent, connection, idle, .. } = site;
            tonic_server::read(requests, &connection, &agent, idle, on_message, log).await;
        });
        self.readers.send(reader.abort_handle()).expect("kept");
        let up = stream::iter([Ok(Bytes::from_static(b"up"))]);
        let responses: Responses = Box::pin(up.chain(stream::pending()));
        Box::pin(async { Ok(Response::new(responses)) })
    }
}

struct Server {
    address: SocketAddr,
    agent: Cause,
    connection: Lines,
    streams: Lines,
    readers: mpsc::UnboundedReceiver<AbortHandle>,
}

async fn serve(idle: Duration, pings: Duration) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (agent, connection, streams) = (Cause::default(), Lines::default(), Lines::default());
    let (sender, readers) = mpsc::unbounded_channel();
    let (cause, log, lines) = (agent.clone(), connection.emit(), streams.clone());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a client");
        let process = cause.clone();
        let call = async move |Extension(connection): Extension<Cause>, request: Request| {
            let (agent, streams, readers) = (process, lines, sender);
            let site = Site { agent, connection, streams, idle, readers };
            tonic::server::Grpc::new(Raw).streaming(site, request).await
        };
        http::serve(socket, &cause, pings, Router::new().fallback(call), log).await;
    });
    Server { address, agent, connection, streams, readers }
}

/// A call whose stream is up.
pub(super) async fn open(
    address: SocketAddr,
    requests: impl Stream<Item = Bytes> + Send + 'static,
) -> (Grpc<Channel>, Streaming<Bytes>) {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let mut channel = Grpc::new(endpoint.connect().await.expect("connected"));
    channel.ready().await.expect("ready");
    let path = PathAndQuery::from_static("/site/talk");
    let response = channel.streaming(tonic::Request::new(requests), path, Raw).await;
    let mut responses = response.expect("accepted").into_inner();
    let up = responses.message().await.expect("a message");
    assert_eq!(up.as_deref(), Some(&b"up"[..]));
    (channel, responses)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_goes_both_ways_ends_as_its_row_records() {
    let mut row = Row::of("gRPC server, both ways");
    the_client_ends_it(&mut row).await;
    this_side_ends_it(&mut row).await;
    garbage_ends_its_connection(&mut row).await;
    row.complete();
}

async fn the_client_ends_it(row: &mut Row) {
    let server = serve(LONG, LONG).await;
    let _held = open(server.address, stream::iter([Bytes::from_static(b"all")])).await;
    row.check("clean close", &server.streams.wait());

    for _ in 0..10 {
        let server = serve(LONG, LONG).await;
        let (sender, dropped) = oneshot::channel::<()>();
        let held = open(server.address, stream::pending().take_until(dropped)).await;
        drop((sender, held));
        let end = server.streams.wait();
        row.check("the client leaves with the stream open", &end);
        let end = server.connection.wait();
        row.check("its connection, left with the stream open", &end);
    }

    let client = async |pings| {
        let server = serve(LONG, pings).await;
        let mut client = process(&format!("both ways {}", server.address));
        client.read_until("up");
        (server, client)
    };
    for _ in 0..5 {
        let (server, mut peer) = client(LONG).await;
        peer.kill();
        row.check("killed", &server.streams.wait());
        row.check("its connection, killed", &server.connection.wait());
    }

    let (server, peer) = client(SHORT).await;
    peer.signal(Signal::SIGSTOP);
    row.check("ping not answered", &server.streams.wait());
    row.check("its connection, ping not answered", &server.connection.wait());

    let server = serve(LONG, LONG).await;
    let relay = super::server::Relay::to(server.address);
    let _held = open(relay.address, stream::pending()).await;
    relay.reset().await;
    row.check("reset", &server.streams.wait());
}

async fn garbage_ends_its_connection(row: &mut Row) {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (fault, bytes) in [
        ("an SSH banner", b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
        ("a TLS hello", [&[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[7; 194]].concat()),
        ("a frame that is too large", [&preface[..], &[255; 200]].concat()),
    ] {
        let server = serve(LONG, LONG).await;
        let mut client = TcpStream::connect(server.address).expect("accepted");
        client.write_all(&bytes).expect("sent");
        row.check(fault, &server.connection.wait());
        reset(&client);
    }
}

async fn this_side_ends_it(row: &mut Row) {
    let server = serve(SHORT, LONG).await;
    let _held = open(server.address, stream::pending()).await;
    row.check("idle timeout", &server.streams.wait());

    let server = serve(LONG, LONG).await;
    let _held = open(server.address, stream::pending()).await;
    server.agent.record(Evidence::Local, shutdown());
    row.check("shutdown", &server.streams.wait());

    let mut server = serve(LONG, LONG).await;
    let _held = open(server.address, stream::pending()).await;
    server.readers.recv().await.expect("a reader").abort();
    row.check("aborted", &server.streams.wait());

    let server = serve(LONG, LONG).await;
    let sent = stream::iter([Bytes::from_static(b"panic")]).chain(stream::pending());
    let _held = open(server.address, sent).await;
    row.check("panic", &server.streams.wait());
}
