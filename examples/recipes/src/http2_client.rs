//! A client over HTTP/2 that keeps its connection's future, which alone knows of a GOAWAY and of an unanswered ping.
//!
//! Fits this crate with `tokio`, hyper 1 with `client` and `http2`, hyper-util 0.1 with `tokio`, tokio 1 with `net` and
//! `rt`, and `http2.rs`. tokio-postgres' `Connection` and async-nats' events are alike: what the server announced is known
//! there, and to each query only that the connection has closed.

use std::error::Error;
use std::io;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Initiator};
use hyper::body::Body;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::http2;

/// Dials. Requests that run over the connection have children of its cause.
pub async fn connect<B>(
    address: &str,
    agent: &Cause,
    keepalive: Duration,
    log: impl FnOnce(Disconnect) + Send + 'static,
) -> io::Result<(SendRequest<B>, Cause)>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let socket = TcpStream::connect(address).await?;
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    let cause = guard.cause();
    // Over HTTP/2 a FIN is a goodbye, unless a request is cut or the GOAWAY before it has a code.
    let stream = guard.track(socket, Initiator::Server).with_goodbye();
    let (requests, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(keepalive)
        .keep_alive_timeout(keepalive)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let of_requests = guard.cause();
    tokio::spawn(async move {
        // Not dropped with the last request alone: this side closes, and has no other word for it.
        cause.presume(Disconnect::closed_by(ClientToServer, Initiator::Client));
        if let Err(error) = connection.await {
            match http2::explain(ClientToServer, Initiator::Server, &error) {
                Some((evidence, end)) => {
                    cause.record(evidence, end);
                }
                None => guard.record_error(&error),
            }
        }
        drop(guard);
    });
    Ok((requests, of_requests))
}
