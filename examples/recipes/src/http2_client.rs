//! A client over HTTP/2 that keeps its connection's future, which alone knows of a GOAWAY and of an unanswered ping.
//!
//! Fits this crate with `tokio`, hyper 1 with `client` and `http2`, hyper-util 0.1 with `tokio`, tokio 1 with `net` and
//! `rt`, and `http2.rs`. tokio-postgres' `Connection` and async-nats' events are alike: what the server announced is known
//! there, and to each query only that the connection has closed.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, CloseCode, Disconnect, DisconnectGuard, Evidence, Initiator};
use hyper::body::Body;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::http2;

/// What requests are sent over; its drop is this side's close.
pub struct Connection<B> {
    /// Dropped first. Who clones the requests clones this, too.
    pub in_use: Arc<()>,
    pub requests: SendRequest<B>,
    /// What runs over the connection has a child of it.
    pub cause: Cause,
}

/// Dials, with pings of HTTP/2.
pub async fn connect<B>(
    address: &str,
    agent: &Cause,
    keepalive: Duration,
    log: impl FnOnce(Disconnect) + Send + 'static,
) -> io::Result<Connection<B>>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let socket = TcpStream::connect(address).await?;
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    // Over HTTP/2 a FIN is a goodbye, unless the GOAWAY before it has a code.
    let stream = guard.track(socket, Initiator::Server).with_goodbye();
    let connected = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(keepalive)
        .keep_alive_timeout(keepalive)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream));
    let (requests, connection) = connected.await.map_err(io::Error::other)?;
    let (cause, in_use) = (guard.cause(), Arc::new(()));
    let held = Arc::downgrade(&in_use);
    tokio::spawn(async move {
        let ended = connection.await;
        explain(&guard.cause(), ended.as_ref().err(), held.strong_count() > 0);
        drop(guard);
    });
    Ok(Connection { in_use, requests, cause })
}

/// Records why a connection's future ended, beyond what the transport did.
pub fn explain(cause: &Cause, error: Option<&hyper::Error>, is_in_use: bool) {
    let (evidence, end) = match error {
        Some(error) => match http2::explain(ClientToServer, Initiator::Server, error) {
            Some(explained) => explained,
            None => return cause.record_error(ClientToServer, error),
        },
        // The server has sent a GOAWAY without an error.
        None if is_in_use => {
            let code = CloseCode::Http2(0);
            let end = Disconnect::from_close_code(ClientToServer, code, Initiator::Server);
            (Evidence::Peer, end)
        }
        None => (Evidence::Local, Disconnect::closed_by(ClientToServer, Initiator::Client)),
    };
    cause.record(evidence, end);
}
