//! Attribution under `axum::serve`, which owns the socket.
//!
//! Fits this crate with `tokio`, axum 0.8, tokio 1 with `net`, and `http_server.rs` for `answered`.
//!
//! `axum::serve` keeps hyper's errors to itself: a TLS hello or an SSH banner on its port, which it answers with 400, reads
//! as `graceful` by this side, and it sends no pings. A server that is reached from outside serves its `Router` with
//! `http_server.rs`.
//!
//! A WebSocket in a handler runs over its connection one to one: it shares the connection's cause and has no guard of its
//! own, which would log a second line. Its loop records with `goodbye` and `broke` of `websocket.rs`.

use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Initiator, TrackedStream};
use tokio::net::{TcpListener, TcpStream};

use crate::http_server::answered;

/// A listener whose connections log how they ended.
pub struct Attributed<F> {
    pub listener: TcpListener,
    pub agent: Cause,
    /// Whether it serves HTTP/2 alone, as gRPC does: a FIN is a goodbye there.
    pub is_http2: bool,
    pub log: F,
}

impl<F: Fn(Disconnect) + Clone + Send + Sync + 'static> Listener for Attributed<F> {
    /// The guard lives as long as the socket, wherever that goes.
    type Io = TrackedStream<TcpStream, DisconnectGuard>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        // axum's own, which survives an error of `accept`.
        let (socket, address) = Listener::accept(&mut self.listener).await;
        let guard = DisconnectGuard::boxed(ClientToServer, self.log.clone());
        let guard = guard.with_cause(self.agent.child());
        // A client that leaves before its first request just leaves.
        let left = Disconnect::closed_by(ClientToServer, Initiator::Client);
        guard.cause().presume(left);
        let mut stream = guard.track(socket, Initiator::Client);
        if self.is_http2 {
            stream = stream.with_goodbye();
        }
        (stream.carrying(guard), address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The cause of a connection, as its handlers see it: `ConnectInfo<Connection>`, after
/// `into_make_service_with_connect_info::<Connection>()`.
#[derive(Clone)]
pub struct Connection(pub Cause);

impl<F: Fn(Disconnect) + Clone + Send + Sync + 'static> Connected<IncomingStream<'_, Attributed<F>>>
    for Connection
{
    fn connect_info(stream: IncomingStream<'_, Attributed<F>>) -> Self {
        Self(stream.io().cause())
    }
}

/// A layer for handlers: `middleware::from_fn(between_requests)`.
pub async fn between_requests(
    ConnectInfo(Connection(cause)): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let version = request.version();
    let response = next.run(request).await;
    answered(&cause, version, response.status());
    response
}
