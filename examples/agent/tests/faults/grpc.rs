//! A gRPC stream between a real tonic server and client, ended from either side and by the network.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use disconnect_attribution::ConnectType::ServerToAgent;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, Evidence, Initiator, TrackedStream,
    classify_coordinator_rpc_exit,
};
use futures_util::stream::{Stream, StreamExt, once, pending};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::{BoxFuture, Bytes, Service, http};
use tonic::server::ServerStreamingService;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::raw_codec::Raw;
use crate::respawned::{self, Respawned};
use crate::{check, check_killed};

/// What a user writes: a status that the server sent is its word; one that tonic made up only shows that
/// the transport failed, which the tracked stream below may have seen before.
fn record(cause: &Cause, status: &Status) {
    // tonic gives a status a source only where it made the status up itself.
    let (sender, evidence) = match status.source() {
        None => (Initiator::Server, Evidence::Peer),
        Some(_) => (Initiator::Network, Evidence::Transport),
    };
    let code = CloseCode::Grpc(status.code().into());
    let end = Disconnect::from_close_code(ServerToAgent, code, sender);
    cause.record(evidence, end.with_detail(status.message().to_owned()));
}

type Responses = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// Answers `up`, then does what the path names.
#[derive(Clone)]
struct Coordinator {
    /// Where the server's own lines go.
    lines: mpsc::Sender<Disconnect>,
    shutdown: CancellationToken,
}

impl Coordinator {
    fn responses(self, path: &str) -> Result<Responses, Status> {
        let up = once(async { Ok(Bytes::from_static(b"up")) });
        match path {
            "/finish" => Ok(Box::pin(up)),
            "/refuse" => Err(Status::unavailable("too many agents")),
            "/fail" => {
                let error = once(async { Err(Status::permission_denied("token revoked")) });
                Ok(Box::pin(up.chain(error)))
            }
            _ => {
                // Lives as long as the stream that tonic drops when the client is gone.
                let guard = DisconnectGuard::new(ServerToAgent, move |end| {
                    let _ = self.lines.send(end);
                });
                let until_shutdown = once(async move {
                    let _guard = guard;
                    self.shutdown.cancelled().await;
                    Err(Status::unavailable("server is shutting down"))
                });
                Ok(Box::pin(up.chain(until_shutdown)))
            }
        }
    }
}

impl Service<http::Request<Body>> for Coordinator {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let method = Method(self.clone(), path);
        Box::pin(async move {
            Ok(tonic::server::Grpc::new(Raw)
                .server_streaming(method, request)
                .await)
        })
    }
}

struct Method(Coordinator, String);

impl ServerStreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Responses;
    type Future = BoxFuture<Response<Responses>, Status>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let (coordinator, path) = (self.0.clone(), self.1.clone());
        Box::pin(async move {
            if path == "/never" {
                pending::<()>().next().await;
            }
            coordinator.responses(&path).map(Response::new)
        })
    }
}

/// A running server, and what it logs.
struct Running {
    address: SocketAddr,
    lines: mpsc::Receiver<Disconnect>,
    shutdown: CancellationToken,
}

async fn serve() -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (emit, lines) = mpsc::channel();
    let shutdown = CancellationToken::new();
    let coordinator = Coordinator {
        lines: emit,
        shutdown: shutdown.clone(),
    };
    let stop = shutdown.clone();
    tokio::spawn(async move {
        Server::builder()
            .serve_with_incoming_shutdown(
                coordinator,
                TcpListenerStream::new(listener),
                async move {
                    stop.cancelled().await;
                },
            )
            .await
    });
    Running {
        address,
        lines,
        shutdown,
    }
}

/// Connects a channel over a tracked stream.
#[derive(Clone)]
struct Connect(SocketAddr, Cause);

impl Service<http::Uri> for Connect {
    type Response = TokioIo<TrackedStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = BoxFuture<Self::Response, std::io::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let Self(address, cause) = self.clone();
        Box::pin(async move {
            let socket = TcpStream::connect(address).await?;
            Ok(TokioIo::new(TrackedStream::new(
                socket,
                ServerToAgent,
                cause,
            )))
        })
    }
}

/// A call of the agent's, and the cause of its end.
struct Call {
    cause: Cause,
    /// Nothing where the server refused at once.
    stream: Option<Streaming<Bytes>>,
}

async fn call(address: SocketAddr, path: &'static str, deadline: Option<Duration>) -> Call {
    let cause = Cause::default();
    let channel = Channel::from_static("http://coordinator")
        .connect_with_connector_lazy(Connect(address, cause.clone()));
    let mut client = tonic::client::Grpc::new(channel);
    client
        .ready()
        .await
        .expect("a lazy channel is always ready");
    let mut request = Request::new(Bytes::new());
    if let Some(deadline) = deadline {
        request.set_timeout(deadline);
    }
    let path = PathAndQuery::from_static(path);
    let stream = match client.server_streaming(request, path, Raw).await {
        Ok(response) => Some(response.into_inner()),
        Err(status) => {
            record(&cause, &status);
            None
        }
    };
    Call { cause, stream }
}

/// A call whose stream is up.
async fn open(address: SocketAddr, path: &'static str) -> Call {
    let mut call = call(address, path, None).await;
    let stream = call.stream.as_mut().expect("accepted");
    let up = stream
        .message()
        .await
        .expect("a message")
        .expect("a message");
    assert_eq!(&up[..], b"up");
    call
}

impl Call {
    async fn end(self) -> Disconnect {
        let Self { cause, stream } = self;
        if let Some(mut stream) = stream {
            match stream.message().await {
                Ok(Some(message)) => panic!("not the end: {message:?}"),
                // The status OK came with the trailers.
                Ok(None) => record(&cause, &Status::new(Code::Ok, "")),
                Err(status) => record(&cause, &status),
            }
        }
        cause.get().expect("it has ended")
    }
}

#[tokio::test]
async fn a_server_finishes_its_stream() {
    let server = serve().await;
    let end = open(server.address, "/finish").await.end().await;
    check("gRPC stream finished by the server", &end);
}

#[tokio::test]
async fn a_server_fails_its_stream() {
    let server = serve().await;
    check(
        "gRPC PERMISSION_DENIED",
        &open(server.address, "/fail").await.end().await,
    );
}

#[tokio::test]
async fn a_server_that_shuts_down_ends_its_streams() {
    let server = serve().await;
    let call = open(server.address, "/stay").await;
    server.shutdown.cancel();
    check("gRPC server shutdown", &call.end().await);
}

#[tokio::test]
async fn an_unavailable_from_the_wire_is_the_servers() {
    let server = serve().await;
    let call = call(server.address, "/refuse", None).await;
    check("gRPC UNAVAILABLE from the wire", &call.end().await);
}

#[tokio::test]
async fn an_unavailable_made_up_locally_is_the_networks() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = closed.local_addr().expect("bound");
    drop(closed);
    check(
        "gRPC UNAVAILABLE made up locally",
        &call(address, "/stay", None).await.end().await,
    );
}

#[tokio::test]
async fn a_deadline_ends_a_call() {
    let server = serve().await;
    let call = call(server.address, "/never", Some(Duration::from_millis(20))).await;
    check("gRPC deadline", &call.end().await);
}

/// Each side logs a line of its own.
#[tokio::test]
async fn a_client_that_cancels_ends_the_stream_at_both_sides() {
    let server = serve().await;
    let call = open(server.address, "/stay").await;
    // The agent leaves: it decided, and tonic sends RST_STREAM(CANCEL) when the stream is dropped.
    let shutdown = classify_coordinator_rpc_exit(true, &Ok::<_, Status>(()));
    call.cause.record(Evidence::Local, shutdown);
    drop(call.stream);
    check(
        "gRPC client cancel, at the client",
        &call.cause.get().expect("decided"),
    );

    let line = tokio::task::spawn_blocking(move || server.lines.recv());
    let line = line.await.expect("no panic").expect("a line");
    check("gRPC client cancel, at the server", &line);
}

#[test]
fn a_server_process_that_is_killed_ends_the_stream() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    if respawned::is_respawned() {
        runtime.block_on(async {
            let server = serve().await;
            respawned::print_address(server.address);
            server.shutdown.cancelled().await;
        });
        return;
    }
    let mut server = Respawned::new("grpc::a_server_process_that_is_killed_ends_the_stream");
    let address = server.address();
    let end = runtime.block_on(async {
        let call = open(address, "/stay").await;
        server.kill();
        call.end().await
    });
    check_killed(
        "gRPC server killed",
        "gRPC server killed with bytes unread",
        &end,
    );
}
