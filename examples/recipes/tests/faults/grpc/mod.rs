//! gRPC, between tonic and tonic.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use bytes::{Buf, BufMut, Bytes};
use disconnect_attribution::Cause;
use futures_util::stream::{self, Stream, StreamExt};
use recipes::axum_listener::Connection;
use recipes::tonic_client::connector;
use recipes::tonic_server::attributed;
use tokio::runtime::Runtime;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};
use tower::service_fn;

use crate::lines::Lines;
use crate::peer::Peer;
use crate::respawned::{RESPAWNED, respawn};
use crate::site::{LONG, SHORT, Site, World, serve_axum};

pub(crate) mod client;
mod server;

type Responses = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// Answers `up`, then does what the path reads.
async fn answer(path: String, connection: Cause, lines: Lines) -> Result<Response<Responses>, Status> {
    let up = stream::iter([Ok(Bytes::from_static(b"up"))]);
    let then: Responses = match &*path {
        "/site/refuse" => return Err(Status::unavailable("too many agents")),
        "/site/never" => std::future::pending().await,
        "/site/finish" => Box::pin(up),
        "/site/fail" => Box::pin(up.chain(stream::iter([Err(Status::permission_denied("token revoked"))]))),
        "/site/panic" => Box::pin(up.chain(stream::once(async {
            tokio::time::sleep(SHORT).await;
            panic!("a bug")
        }))),
        _ => Box::pin(up.chain(stream::pending())),
    };
    Ok(Response::new(Box::pin(attributed(then, &connection, lines.emit()))))
}

fn serve() -> Site {
    let world = World::default();
    let lines = world.lines.clone();
    let call = async move |ConnectInfo(Connection(cause)): ConnectInfo<Connection>, request: Request| {
        let path = request.uri().path().to_owned();
        let method = service_fn(move |_| answer(path.clone(), cause.clone(), lines.clone()));
        tonic::server::Grpc::new(Raw).server_streaming(method, request).await
    };
    serve_axum(true, world, Router::new().fallback(call))
}

/// A call, and the channel that carries it.
struct Call {
    agent: Cause,
    connection: Cause,
    channel: Grpc<Channel>,
    responses: Streaming<Bytes>,
}

/// Calls; the status of a call that is refused comes with the cause of the connection that it was to have.
async fn call(
    address: SocketAddr,
    path: &'static str,
    requests: impl Stream<Item = Bytes> + Send + 'static,
    deadline: Option<Duration>,
) -> Result<Call, (Status, Cause)> {
    let (agent, latest) = (Cause::default(), Arc::<Mutex<Cause>>::default());
    let connector = connector(address, agent.clone(), Arc::clone(&latest));
    let pings = if path == "/site/frozen" { SHORT } else { LONG };
    let channel = Channel::from_static("http://site").http2_keep_alive_interval(pings);
    let channel = channel.keep_alive_timeout(pings).connect_with_connector_lazy(connector);
    let mut channel = Grpc::new(channel);
    channel.ready().await.expect("a lazy channel is always ready");
    let mut request = tonic::Request::new(requests);
    if let Some(deadline) = deadline {
        request.set_timeout(deadline);
    }
    let called = channel.streaming(request, PathAndQuery::from_static(path), Raw).await;
    let connection = latest.lock().expect("no panic").clone();
    match called {
        Ok(response) => Ok(Call { agent, connection, channel, responses: response.into_inner() }),
        Err(status) => Err((status, connection)),
    }
}

/// The one message of a call that sends no more.
fn one() -> impl Stream<Item = Bytes> + Send + 'static {
    stream::iter([Bytes::new()])
}

/// A call whose stream is up.
async fn open(
    address: SocketAddr,
    path: &'static str,
    requests: impl Stream<Item = Bytes> + Send + 'static,
) -> Call {
    let Ok(mut call) = call(address, path, requests, None).await else { panic!("refused") };
    let up = call.responses.message().await.expect("a message");
    assert_eq!(up.as_deref(), Some(&b"up"[..]));
    call
}

pub(crate) const PROCESS: &str = "grpc::a_process_serves_or_calls_until_it_is_killed";

/// A process that is killed: a server that prints its address, or a client of one, with a call that goes both ways or not.
#[test]
fn a_process_serves_or_calls_until_it_is_killed() {
    let Ok(what) = std::env::var(RESPAWNED) else {
        return;
    };
    Runtime::new().expect("a runtime").block_on(async {
        if what == "server" {
            let server = serve();
            println!("listening on {}", server.address);
            std::future::pending::<()>().await;
        }
        let (path, address) = what.split_once(' ').expect("a path and an address");
        let address = address.parse().expect("an address");
        let requests: Pin<Box<dyn Stream<Item = Bytes> + Send>> =
            if path == "both" { Box::pin(stream::pending()) } else { Box::pin(one()) };
        let _call = open(address, "/site/stay", requests).await;
        println!("up");
        std::future::pending::<()>().await;
    });
}

fn client_process(kind: &str, site: &Site) -> Peer {
    let mut client = Peer::spawn(respawn(PROCESS).env(RESPAWNED, format!("{kind} {}", site.address)));
    client.read_until("up");
    client
}

/// Messages that are bytes, so that the tests need no compiler for them.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}
