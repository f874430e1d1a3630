//! A gRPC client's stream of responses, and what a status explains.
//!
//! Fits this crate with `tokio`, tonic 0.14, hyper-util 0.1 with `tokio`, tokio 1 with `macros`, `net` and `time`, tower 0.5
//! with `util`, and `http2.rs`. A `Channel` keeps its connection's future to itself, and with it the GOAWAY of a server whose
//! FIN follows. A client that keeps it, with `record_end` of `http2.rs`, logs the code.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use disconnect_attribution::ConnectType::ServerToAgent;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream,
    Trigger,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tonic::codegen::http::Uri;
use tonic::{ConnectError, Status, Streaming, TimeoutExpired};
use tower::{Service, service_fn};

use crate::http2;

/// What a status explains, also of a call that was refused, beyond what the connection knows.
pub fn explain(status: &Status, connection: &Cause) -> Option<(Evidence, Disconnect)> {
    let code = CloseCode::Grpc(status.code().into());
    let by_server = Disconnect::from_close_code(ServerToAgent, code, Initiator::Server);
    let by_server = by_server.with_detail(status.message().to_owned());
    // tonic gives a source to those alone that it made up. This one came from the server.
    let Some(source) = std::error::Error::source(status) else {
        return Some((Evidence::Peer, by_server));
    };
    if http2::find::<TimeoutExpired>(source).is_some() {
        // This side's own, which tonic's client calls CANCELLED.
        let end = Disconnect::network_error(ServerToAgent, Trigger::Deadline);
        return Some((Evidence::Local, end.with_code(CloseCode::Grpc(4))));
    }
    if http2::find::<ConnectError>(source).is_some() {
        // A dial that failed: there was no link. The chain has the system's error.
        return Some((Evidence::Transport, Disconnect::from_error(ServerToAgent, source)));
    }
    match http2::find::<h2::Error>(source) {
        // The server cut the stream without a status, for example in a panic. tonic's own code for that, CANCELLED, is no
        // announcement of a shutdown.
        Some(error) if error.is_reset() => {
            Some((Evidence::Peer, by_server.with_reason(DisconnectReason::Unknown)))
        }
        Some(error) if error.is_go_away() => http2::explain(ServerToAgent, Initiator::Server, source),
        // Broken, and the transport saw nothing: this side's own keepalive found it.
        Some(_) if connection.get().is_none() => {
            let end = Disconnect::network_error(ServerToAgent, Trigger::KeepaliveTimeout);
            Some((Evidence::Transport, end))
        }
        _ => None, // the transport's
    }
}

/// Reads a client's stream to its end. The guard is made once the call is accepted: one that is refused ends nothing, and
/// `explain` has what to log.
pub async fn read<T>(
    mut responses: Streaming<T>,
    connection: &Cause,
    idle: Duration,
    mut on_message: impl FnMut(T),
    log: impl FnOnce(Disconnect),
) {
    let guard = DisconnectGuard::new(ServerToAgent, log).with_cause(connection.child());
    let mut ended = guard.cause().ended();
    let status = loop {
        tokio::select! {
            biased; // the server's last word explains more than the end of the link
            message = responses.message() => match message {
                Ok(Some(message)) => on_message(message),
                Ok(None) => break Status::ok(""),
                Err(status) => break status,
            },
            // Recorded once, where it was decided. tonic cancels the call when the stream is dropped.
            _ = &mut ended => return,
            () = sleep(idle) => {
                let end = Disconnect::closed_by(ServerToAgent, Initiator::Agent);
                return guard.close(end.with_trigger(Trigger::IdleTimeout));
            }
        }
    };
    // Else it inherits what the tracked stream has recorded.
    if let Some((evidence, end)) = explain(&status, connection) {
        guard.cause().record(evidence, end);
    }
}

/// A client's connector, for `Channel::from_static(..).connect_with_connector_lazy(..)`. A channel dials again by itself:
/// `latest` has the cause of its latest connection.
pub fn connector(
    address: SocketAddr,
    agent: Cause,
    latest: Arc<Mutex<Cause>>,
) -> impl Service<Uri, Response = TokioIo<TrackedStream<TcpStream>>, Error = io::Error, Future: Send> + Send {
    service_fn(move |_: Uri| {
        let cause = agent.child(); // a cause is one life
        let latest = Arc::clone(&latest);
        async move {
            let socket = TcpStream::connect(address).await?;
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = cause.clone();
            Ok(TokioIo::new(TrackedStream::new(socket, ServerToAgent, Initiator::Server, cause)))
        }
    })
}
