//! An HTTP/1 connection on hyper, with any service: an axum `Router`, one of your own.
//!
//! Fits this crate with `tokio`, hyper 1 with `http1` and `server`, hyper-util 0.1 with
//! `tokio`, and tokio 1 with `macros`, `net` and `time`. An axum `Router` goes in through
//! `hyper_util::service::TowerToHyperService` (feature `service`); for `axum::serve`, which
//! owns the socket, see the recipe of axum.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a request in progress may take once this side shuts down.
const PATIENCE: Duration = Duration::from_millis(200);

/// Serves one connection until it ends. The cause of the connection is an extension of each
/// request.
pub async fn serve<S, B>(
    socket: TcpStream,
    agent: &Cause,
    idle: Duration,
    service: S,
    log: impl FnOnce(Disconnect) + Send + Unpin + 'static,
) where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    let cause = guard.cause();
    // hyper owns the socket, and an upgrade moves it elsewhere: the guard goes with it.
    let stream = guard.track(socket, Initiator::Client).carrying(guard);

    let client_left = Disconnect::closed_by(ClientToServer, Initiator::Client);
    // A client that leaves before its first request, or between two, just leaves.
    cause.presume(client_left.clone());
    let service = service_fn(|mut request: Request<Incoming>| {
        // In a request, an end is nothing that anyone meant.
        cause.presume(None);
        request.extensions_mut().insert(cause.clone());
        let response = service.call(request);
        let (cause, client_left) = (&cause, &client_left);
        async move {
            let response = response.await?;
            // It may go while its response streams, too. What follows an upgrade has rules of
            // its own.
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                cause.presume(client_left.clone());
            }
            Ok::<_, S::Error>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle) // counts between two requests as well
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    let served = tokio::select! {
        served = connection.as_mut() => served,
        // Recorded once, where it was decided. hyper finishes the response that it is writing.
        _ = agent.ended() => {
            connection.as_mut().graceful_shutdown();
            timeout(PATIENCE, connection.as_mut()).await.unwrap_or(Ok(()))
        }
    };

    match served {
        Ok(()) => {} // the stream and the presumption know, or it lives on as an upgrade
        Err(error) if error.is_timeout() => {
            let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
            cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
        }
        // hyper has answered 400, or 431 for too much.
        Err(error) if error.is_parse() => {
            let end = Disconnect::protocol_error(ClientToServer, Initiator::Client);
            cause.record(Evidence::Local, end.with_detail(error.to_string()));
        }
        // Of the transport, which the tracked stream has seen, or of the service: a text is
        // better than none.
        Err(error) => cause.record_error(ClientToServer, &error),
    }
}
