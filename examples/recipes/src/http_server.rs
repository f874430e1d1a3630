//! An axum `Router` over hyper, which knows why a connection ended: HTTP/1 and HTTP/2, so gRPC too.
//!
//! Fits this crate with `tokio`, axum 0.8, hyper 1 with `http1`, `http2` and `server`, hyper-util 0.1 with `server-auto`,
//! `service` and `tokio`, tokio 1 with `macros`, `net` and `time`, and `http2.rs`. Any other hyper service takes the place
//! of the router.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Version};
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Error as HttpError, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::http2::{self, speaks_http2};

/// How long a request in progress may take once this side shuts down.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long a client may take to answer a ping.
const ANSWER: Duration = Duration::from_millis(200);

/// Serves one connection until it ends. Its cause is an `Extension<Cause>` of each request.
pub async fn serve(
    socket: TcpStream,
    agent: &Cause,
    idle: Duration,
    router: Router,
    log: impl FnOnce(Disconnect) + Send + Unpin + 'static,
) {
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    let cause = guard.cause();
    // A client that leaves before its first request just leaves.
    cause.presume(by(Initiator::Client));
    let mut stream = guard.track(socket, Initiator::Client);
    tokio::select! {
        speaks = speaks_http2(stream.get_ref()) => match speaks {
            Ok(true) => stream = stream.with_goodbye(), // a client sends its GOAWAY and leaves
            Ok(false) => {}
            // The kernel reports it once, and the tracked stream has not seen it.
            Err(error) => _ = cause.record(Evidence::Transport, broken(&error)),
        },
        _ = agent.ended() => return,
        () = sleep(idle) => return guard.close(by(Initiator::Server).with_trigger(Trigger::IdleTimeout)),
    }
    // hyper owns the socket, and an upgrade moves it elsewhere: the guard goes with it.
    let stream = TokioIo::new(stream.carrying(guard));

    let (router, of_requests) = (TowerToHyperService::new(router), cause.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (cause, version) = (of_requests.clone(), request.version());
        request.extensions_mut().insert(cause.clone());
        let response = router.call(request);
        async move {
            let response = response.await?;
            answered(&cause, version, response.status());
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let (http1, http2) = (TokioTimer::new(), TokioTimer::new());
    builder.http1().timer(http1).header_read_timeout(idle); // counts between two requests as well
    builder.http2().timer(http2).keep_alive_interval(idle).keep_alive_timeout(ANSWER);
    let mut connection = pin!(builder.serve_connection_with_upgrades(stream, service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        // Recorded once, where it was decided. hyper finishes the response that it is writing.
        _ = agent.ended() => {
            connection.as_mut().graceful_shutdown();
            timeout(PATIENCE, connection.as_mut()).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        explain(&cause, &*error);
    }
}

fn by(side: Initiator) -> Disconnect {
    Disconnect::closed_by(ClientToServer, side)
}

/// A client that was there before its first byte, and then was not.
fn broken(error: &io::Error) -> Disconnect {
    let end = by(Initiator::Client).with_peer(Initiator::Client);
    end.with_trigger(Trigger::from_io_error_kind(error.kind()).unwrap_or(Trigger::Aborted))
}

/// HTTP/1 has no goodbye: once its response begins, a client may go. Its next byte ends that. What follows an upgrade has
/// rules of its own.
pub fn answered(cause: &Cause, version: Version, status: StatusCode) {
    if version < Version::HTTP_2 && status != StatusCode::SWITCHING_PROTOCOLS {
        cause.presume(by(Initiator::Client));
    }
}

/// Records what hyper's error explains beyond what the transport did.
pub fn explain(cause: &Cause, error: &(dyn Error + 'static)) {
    let http = error.downcast_ref::<HttpError>();
    if let Some((evidence, end)) = http2::explain(ClientToServer, Initiator::Client, error) {
        cause.record(evidence, end);
    } else if http.is_some_and(HttpError::is_parse) {
        // A TLS hello, an SSH banner: hyper has answered 400, or 431 for too much.
        let end = Disconnect::protocol_error(ClientToServer, Initiator::Client);
        cause.record(Evidence::Local, end.with_detail(error.to_string()));
    } else if http.is_some_and(HttpError::is_timeout) {
        let end = by(Initiator::Server).with_trigger(Trigger::IdleTimeout);
        cause.record(Evidence::Local, end);
    } else if http2::find::<io::Error>(error).is_some()
        && cause.get().is_some_and(|end| end.trigger() == Some(Trigger::EndOfFile))
    {
        // A FIN within a frame of HTTP/2 is no goodbye.
        let text = Disconnect::from_error(ClientToServer, error).report_reason().to_owned();
        cause.record_error(ClientToServer, &io::Error::new(ErrorKind::UnexpectedEof, text));
    } else {
        // Of the transport, which the tracked stream has seen, or of the service: a text is better than none.
        cause.record_error(ClientToServer, error);
    }
}
