//! gRPC, between tonic and tonic.

use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator};
use futures_util::stream::{self, Stream, StreamExt};
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{NamedService, ServerStreamingService};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use crate::axum_listener::{self, Connection};
use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::Peer;
use crate::raw_codec::Raw;
use crate::respawned::{RESPAWNED, respawn};

#[path = "../../../../src/pages/recipes/tonic_client.rs"]
mod tonic_client;
#[path = "../../../../src/pages/recipes/tonic_server.rs"]
mod tonic_server;

use tonic_client::Connect;
use tonic_server::Attributed;

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(150);

type Responses = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// Answers `up`, then does what the path reads.
#[derive(Clone)]
struct Site {
    streams: Lines,
    idle: Duration,
}

impl Site {
    fn responses(&self, path: &str, connection: Connection) -> Result<Responses, Status> {
        let up = stream::iter([Ok(Bytes::from_static(b"up"))]);
        let then: Responses = match path {
            "/site/refuse" => return Err(Status::unavailable("too many agents")),
            "/site/finish" => Box::pin(up),
            "/site/fail" => Box::pin(up.chain(stream::iter([Err(Status::permission_denied(
                "token revoked",
            ))]))),
            "/site/panic" => Box::pin(up.chain(stream::once(async {
                tokio::time::sleep(SHORT).await;
                panic!("a bug")
            }))),
            _ => Box::pin(up.chain(stream::pending())),
        };
        Ok(Box::pin(Attributed::new(
            then,
            connection,
            self.idle,
            self.streams.emit(),
        )))
    }
}

impl NamedService for Site {
    const NAME: &'static str = "site";
}

impl Service<http::Request<axum::body::Body>> for Site {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<axum::body::Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let ConnectInfo(connection) = request
            .extensions()
            .get::<ConnectInfo<Connection>>()
            .expect("of axum")
            .clone();
        let method = Method(self.clone(), path, connection);
        Box::pin(async move {
            Ok(tonic::server::Grpc::new(Raw)
                .server_streaming(method, request)
                .await)
        })
    }
}

struct Method(Site, String, Connection);

impl ServerStreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Responses;
    type Future = BoxFuture<Response<Responses>, Status>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let Self(site, path, connection) = self;
        let (site, path, connection) = (site.clone(), path.clone(), connection.clone());
        Box::pin(async move {
            if path == "/site/never" {
                tokio::time::sleep(LONG).await;
            }
            site.responses(&path, connection).map(Response::new)
        })
    }
}

struct Server {
    address: SocketAddr,
    agent: Cause,
    connection: Lines,
    streams: Lines,
    runtime: Option<Runtime>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A server with a runtime of its own, so that its tasks can be dropped.
fn serve(idle: Duration) -> Server {
    let runtime = Runtime::new().expect("a runtime");
    let (agent, connection, streams) = (Cause::default(), Lines::default(), Lines::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("set");
    let lines = connection.clone();
    let (cause, site) = (
        agent.clone(),
        Site {
            streams: streams.clone(),
            idle,
        },
    );
    runtime.spawn(async move {
        let listener = axum_listener::Attributed {
            listener: TcpListener::from_std(listener).expect("in a runtime"),
            agent: cause,
            log: move |end| lines.emit()(end),
        };
        let router = Router::new().route_service("/site/{method}", site);
        axum::serve(
            listener,
            router.into_make_service_with_connect_info::<Connection>(),
        )
        .await
    });
    Server {
        address,
        agent,
        connection,
        streams,
        runtime: Some(runtime),
    }
}

/// A call, and the channel that carries it.
struct Call {
    connect: Connect,
    channel: Grpc<Channel>,
    responses: Streaming<Bytes>,
}

async fn call(
    address: SocketAddr,
    path: &'static str,
    deadline: Option<Duration>,
) -> Result<Call, (Status, Connect)> {
    let connect = Connect {
        agent: Cause::default(),
        address,
        latest: Arc::new(Mutex::new(Cause::default())),
    };
    let channel = Channel::from_static("http://site").connect_with_connector_lazy(connect.clone());
    let mut channel = Grpc::new(channel);
    channel
        .ready()
        .await
        .expect("a lazy channel is always ready");
    let mut request = Request::new(Bytes::new());
    if let Some(deadline) = deadline {
        request.set_timeout(deadline);
    }
    let path = PathAndQuery::from_static(path);
    match channel.server_streaming(request, path, Raw).await {
        Ok(response) => Ok(Call {
            connect,
            channel,
            responses: response.into_inner(),
        }),
        Err(status) => Err((status, connect)),
    }
}

/// A call whose stream is up.
async fn open(address: SocketAddr, path: &'static str) -> Call {
    let Ok(mut call) = call(address, path, None).await else {
        panic!("refused")
    };
    let up = call.responses.message().await.expect("a message");
    assert_eq!(up.as_deref(), Some(&b"up"[..]));
    call
}

fn shutdown() -> Disconnect {
    Disconnect::shutdown(AgentToClient, Initiator::Agent)
}

/// A process that is killed: a client of an address, or a server that prints its own.
#[test]
fn a_process() {
    let Some(what) = std::env::var_os(RESPAWNED) else {
        return;
    };
    let what = what.to_str().expect("text");
    if what == "server" {
        let server = serve(LONG);
        println!("listening on {}", server.address);
        loop {
            std::thread::park();
        }
    }
    let address = what.parse().expect("an address");
    Runtime::new().expect("a runtime").block_on(async {
        let _call = open(address, "/site/stay").await;
        println!("up");
        std::future::pending::<()>().await;
    });
}

fn process(what: &str) -> Peer {
    Peer::spawn(respawn("grpc::a_process").env(RESPAWNED, what))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_streams() {
    let mut row = Row::of("gRPC server");
    let start = || serve(LONG);

    let server = start();
    let mut held = open(server.address, "/site/finish").await;
    assert!(held.responses.message().await.expect("OK").is_none());
    row.check("clean close", &server.streams.wait());
    drop(held);
    row.check(
        "its connection, when the channel is dropped",
        &server.connection.wait(),
    );

    let server = start();
    let mut client = process(&server.address.to_string());
    client.read_until("up");
    client.kill();
    row.check("killed", &server.streams.wait());
    row.check("its connection, killed", &server.connection.wait());

    // A connection that is not tonic's alone, to reset it.
    let server = start();
    let relay = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let held = {
        let call = open(relay.local_addr().expect("bound"), "/site/stay");
        let relayed = tokio::task::spawn_blocking({
            let address = server.address;
            move || {
                let (client, _) = relay.accept().expect("a client");
                let server = std::net::TcpStream::connect(address).expect("accepted");
                let (from, to) = (
                    client.try_clone().expect("cloned"),
                    server.try_clone().expect("cloned"),
                );
                std::thread::spawn(move || std::io::copy(&mut &from, &mut &to));
                let (from, to) = (
                    server.try_clone().expect("cloned"),
                    client.try_clone().expect("cloned"),
                );
                std::thread::spawn(move || std::io::copy(&mut &from, &mut &to));
                (client, server)
            }
        });
        let call = call.await;
        (call, relayed.await.expect("no panic"))
    };
    let (_call, (to_client, to_server)) = held;
    SockRef::from(&to_server.as_fd())
        .set_linger(Some(Duration::ZERO))
        .expect("set");
    to_server
        .shutdown(std::net::Shutdown::Read)
        .expect("stopped");
    to_client
        .shutdown(std::net::Shutdown::Read)
        .expect("stopped");
    drop((to_client, to_server)); // the last handles of both, once the threads have stopped
    row.check("reset", &server.streams.wait());

    let server = serve(SHORT);
    let mut held = open(server.address, "/site/stay").await;
    let status = held.responses.message().await.expect_err("cut");
    assert_eq!(status.message(), "idle");
    row.check("idle timeout", &server.streams.wait());

    let server = start();
    let mut held = open(server.address, "/site/stay").await;
    server.agent.record(Evidence::Local, shutdown());
    let status = held.responses.message().await.expect_err("cut");
    assert_eq!(status.message(), "shutting down");
    row.check("shutdown", &server.streams.wait());

    let mut server = start();
    let _held = open(server.address, "/site/stay").await;
    let runtime = server.runtime.take().expect("running");
    let dropped = tokio::task::spawn_blocking(move || drop(runtime));
    dropped.await.expect("no panic");
    row.check("aborted", &server.streams.wait());

    let server = start();
    let _held = open(server.address, "/site/panic").await;
    row.check("panic", &server.streams.wait());

    let server = start();
    let held = open(server.address, "/site/stay").await;
    drop(held.responses);
    row.check("the client cancels", &server.streams.wait());
    drop(held.channel);

    let server = start();
    let _held = open(server.address, "/site/fail").await;
    row.check("PERMISSION_DENIED", &server.streams.wait());
    row.complete();
}

/// What the client's line reads after a fault.
async fn read(call: Call, idle: Duration) -> Disconnect {
    let lines = Lines::default();
    tonic_client::read(call.responses, &call.connect, idle, drop, lines.emit()).await;
    lines.one()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_streams() {
    let mut row = Row::of("gRPC client");
    let server = serve(LONG);
    let address = server.address;

    row.check(
        "clean close",
        &read(open(address, "/site/finish").await, LONG).await,
    );
    row.check(
        "PERMISSION_DENIED",
        &read(open(address, "/site/fail").await, LONG).await,
    );
    row.check(
        "idle timeout",
        &read(open(address, "/site/stay").await, SHORT).await,
    );
    row.check(
        "the server panics",
        &read(open(address, "/site/panic").await, LONG).await,
    );

    let mut other = process("server");
    let line = other.read_until("listening on ");
    let (_, port) = line.trim().rsplit_once(':').expect("an address");
    let port: u16 = port.parse().expect("a port");
    let held = open(([127, 0, 0, 1], port).into(), "/site/stay").await;
    other.kill();
    row.check("killed", &read(held, LONG).await);

    // A server that has accepted, answers no more, and resets.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let refused = tokio::spawn(call(
        listener.local_addr().expect("bound"),
        "/site/stay",
        None,
    ));
    let (socket, _) = tokio::task::spawn_blocking(move || listener.accept())
        .await
        .expect("no panic")
        .expect("a client");
    // It has sent its preface, so it is connected.
    tokio::task::block_in_place(|| (&socket).read_exact(&mut [0; 24])).expect("a preface");
    crate::peer::reset(&socket);
    drop(socket);
    let Err((status, connect)) = refused.await.expect("no panic") else {
        panic!("accepted")
    };
    let connection = connect.latest.lock().expect("no panic").clone();
    assert!(
        tonic_client::explain(&status, &connection).is_none(),
        "{status:?} {connection:?}"
    );
    row.check("reset", &connection.get().expect("recorded"));

    let stopping = open(address, "/site/stay").await;
    let agent = stopping.connect.agent.clone();
    let reading = tokio::spawn(read(stopping, LONG));
    tokio::time::sleep(SHORT).await;
    agent.record(Evidence::Local, shutdown());
    row.check("shutdown", &reading.await.expect("no panic"));

    for fault in ["aborted", "panic"] {
        let lines = Lines::default();
        // Its first message is still to be handled.
        let Ok(held) = call(address, "/site/stay", None).await else {
            panic!("refused")
        };
        let log = lines.emit();
        let reading = tokio::spawn(async move {
            let on_message = |_| assert_ne!(fault, "panic", "a bug");
            tonic_client::read(held.responses, &held.connect, LONG, on_message, log).await;
        });
        tokio::time::sleep(SHORT).await;
        reading.abort();
        row.check(fault, &lines.wait());
    }

    let Err((status, connect)) = call(address, "/site/refuse", None).await else {
        panic!("accepted")
    };
    let connection = connect.latest.lock().expect("no panic").clone();
    let (_, end) = tonic_client::explain(&status, &connection).expect("the server's word");
    row.check("UNAVAILABLE from the wire", &end);

    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nowhere = closed.local_addr().expect("bound");
    drop(closed);
    let Err((status, connect)) = call(nowhere, "/site/stay", None).await else {
        panic!("accepted")
    };
    let connection = connect.latest.lock().expect("no panic").clone();
    let (_, end) = tonic_client::explain(&status, &connection).expect("no connection knows");
    row.check("a dial that is refused", &end);

    let Err((status, connect)) = call(address, "/site/never", Some(SHORT)).await else {
        panic!("accepted")
    };
    let connection = connect.latest.lock().expect("no panic").clone();
    let (_, end) = tonic_client::explain(&status, &connection).expect("our own deadline");
    row.check("our own deadline", &end);
    row.complete();
}
