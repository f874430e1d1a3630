//! gRPC, between tonic and tonic.

use recipes::tonic_client;
use recipes::tonic_server;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, Initiator};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{NamedService, ServerStreamingService};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use crate::axum_server;
use crate::lines::Lines;
use crate::peer::Peer;
use crate::raw_codec::Raw;
use crate::respawned::{RESPAWNED, respawn};
use recipes::axum_listener::Connection;

mod both_ways;
mod client;
mod server;

use tonic_client::Connect;
use tonic_server::Attributed;

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(150);

type Responses = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// Answers `up`, then does what the path reads.
#[derive(Clone)]
struct Site {
    streams: Lines,
}

impl Site {
    fn responses(&self, path: &str, connection: &Connection) -> Result<Responses, Status> {
        let up = stream::iter([Ok(Bytes::from_static(b"up"))]);
        let then: Responses = match path {
            "/site/refuse" => return Err(Status::unavailable("too many agents")),
            "/site/finish" => Box::pin(up),
            "/site/fail" => {
                Box::pin(up.chain(stream::iter([Err(Status::permission_denied("token revoked"))])))
            }
            "/site/panic" => Box::pin(up.chain(stream::once(async {
                tokio::time::sleep(SHORT).await;
                panic!("a bug")
            }))),
            _ => Box::pin(up.chain(stream::pending())),
        };
        Ok(Box::pin(Attributed::new(then, &connection.0, self.streams.emit())))
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
        let ConnectInfo(connection) =
            request.extensions().get::<ConnectInfo<Connection>>().expect("of axum").clone();
        let method = Method(self.clone(), path, connection);
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).server_streaming(method, request).await) })
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
            site.responses(&path, &connection).map(Response::new)
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

fn serve() -> Server {
    let (agent, connection, streams) = (Cause::default(), Lines::default(), Lines::default());
    let site = Site { streams: streams.clone() };
    let router = Router::new().route_service("/site/{method}", site);
    let (address, runtime) = axum_server::serve(router, &agent, &connection, true);
    Server { address, agent, connection, streams, runtime: Some(runtime) }
}

/// A call, and the channel that carries it.
struct Call {
    connect: Connect,
    channel: Grpc<Channel>,
    responses: Streaming<Bytes>,
}

impl Call {
    fn connection(&self) -> Cause {
        self.connect.latest.lock().expect("no panic").clone()
    }
}

async fn call(
    address: SocketAddr,
    path: &'static str,
    deadline: Option<Duration>,
) -> Result<Call, (Status, Connect)> {
    let connect =
        Connect { agent: Cause::default(), address, latest: Arc::new(Mutex::new(Cause::default())) };
    let pings = if path == "/site/frozen" { SHORT } else { LONG };
    let channel = Channel::from_static("http://site").http2_keep_alive_interval(pings);
    let channel = channel.keep_alive_timeout(pings).connect_with_connector_lazy(connect.clone());
    let mut channel = Grpc::new(channel);
    channel.ready().await.expect("a lazy channel is always ready");
    let mut request = Request::new(Bytes::new());
    if let Some(deadline) = deadline {
        request.set_timeout(deadline);
    }
    let path = PathAndQuery::from_static(path);
    match channel.server_streaming(request, path, Raw).await {
        Ok(response) => Ok(Call { connect, channel, responses: response.into_inner() }),
        Err(status) => Err((status, connect)),
    }
}

/// A call whose stream is up.
async fn open(address: SocketAddr, path: &'static str) -> Call {
    let Ok(mut call) = call(address, path, None).await else { panic!("refused") };
    let up = call.responses.message().await.expect("a message");
    assert_eq!(up.as_deref(), Some(&b"up"[..]));
    call
}

fn shutdown() -> Disconnect {
    Disconnect::shutdown(AgentToClient, Initiator::Agent)
}

/// A process that is killed: a client of an address, or a server that prints its own.
#[test]
fn a_process_serves_or_calls_until_it_is_killed() {
    let Some(what) = std::env::var_os(RESPAWNED) else {
        return;
    };
    let what = what.to_str().expect("text");
    if what == "server" {
        let server = serve();
        println!("listening on {}", server.address);
        loop {
            std::thread::park();
        }
    }
    if let Some(address) = what.strip_prefix("both ways ") {
        let address = address.parse().expect("an address");
        return Runtime::new().expect("a runtime").block_on(async {
            let _call = both_ways::open(address, stream::pending()).await;
            println!("up");
            std::future::pending::<()>().await;
        });
    }
    let address = what.parse().expect("an address");
    Runtime::new().expect("a runtime").block_on(async {
        let _call = open(address, "/site/stay").await;
        println!("up");
        std::future::pending::<()>().await;
    });
}

fn process(what: &str) -> Peer {
    Peer::spawn(respawn("grpc::a_process_serves_or_calls_until_it_is_killed").env(RESPAWNED, what))
}
