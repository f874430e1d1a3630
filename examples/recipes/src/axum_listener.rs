//! Attribution under `axum::serve`, which owns the socket: for axum's handlers, and for tonic.
//!
//! Fits this crate with `tokio`, axum 0.8, and tokio 1 with `net`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Initiator, TrackedStream};
use tokio::net::{TcpListener, TcpStream};

/// A listener whose connections log how they ended.
pub struct Attributed<F> {
    pub listener: TcpListener,
    pub agent: Cause,
    pub log: F,
}

impl<F: Fn(Disconnect) + Clone + Send + Sync + 'static> Listener for Attributed<F> {
    /// The guard lives as long as the socket, wherever that goes.
    type Io = TrackedStream<TcpStream, DisconnectGuard>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        // axum's own, which survives an error of `accept`.
        let (socket, address) = Listener::accept(&mut self.listener).await;
        let guard =
            DisconnectGuard::boxed(ClientToServer, self.log.clone()).with_cause(self.agent.child());
        guard.cause().presume(client_left());
        (
            guard.track(socket, Initiator::Client).carrying(guard),
            address,
        )
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection as its handlers see it: `ConnectInfo<Connection>`, after
/// `into_make_service_with_connect_info::<Connection>()`.
#[derive(Clone)]
pub struct Connection {
    pub cause: Cause,
    in_progress: Arc<Mutex<usize>>,
}

impl<F: Fn(Disconnect) + Clone + Send + Sync + 'static> Connected<IncomingStream<'_, Attributed<F>>>
    for Connection
{
    fn connect_info(stream: IncomingStream<'_, Attributed<F>>) -> Self {
        Self {
            cause: stream.io().cause(),
            in_progress: Arc::default(),
        }
    }
}

/// A client that leaves while nothing is in progress just leaves.
fn client_left() -> Disconnect {
    Disconnect::closed_by(ClientToServer, Initiator::Client)
}

/// A request in progress. HTTP/2 has many at a time; while one is held, an end is nothing that
/// anyone meant.
pub struct InProgress(Connection);

impl InProgress {
    pub fn new(connection: Connection) -> Self {
        let mut count = connection
            .in_progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        connection.cause.presume(None);
        drop(count);
        Self(connection)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut count = self
            .0
            .in_progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            self.0.cause.presume(client_left());
        }
    }
}

/// A layer for handlers: `middleware::from_fn(in_progress)`.
///
/// While the body of a response streams, the client may go: for a line of its own, see the
/// recipe of bodies.
pub async fn in_progress(
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let _in_progress = InProgress::new(connection);
    next.run(request).await
}
