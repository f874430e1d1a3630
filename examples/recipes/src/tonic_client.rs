//! A gRPC client's stream of responses, and what a status explains.
//!
//! Fits this crate with `tokio`, tonic 0.14, hyper-util 0.1 with `tokio`, and tokio 1 with
//! `macros`, `net` and `time`.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use disconnect_attribution::ConnectType::ServerToAgent;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    TrackedStream, Trigger,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tonic::codegen::{BoxFuture, Service, http::Uri};
use tonic::{ConnectError, Status, Streaming, TimeoutExpired};

/// A client's connector: `Channel::from_static(..).connect_with_connector_lazy(connector)`.
#[derive(Clone)]
pub struct Connect {
    pub agent: Cause,
    pub address: SocketAddr,
    /// The cause of the latest connection: a channel dials again by itself.
    pub latest: Arc<Mutex<Cause>>,
}

impl Service<Uri> for Connect {
    type Response = TokioIo<TrackedStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connect = self.clone();
        Box::pin(async move {
            let socket = TcpStream::connect(connect.address).await?;
            // A cause is one life.
            let cause = connect.agent.child();
            *connect
                .latest
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = cause.clone();
            Ok(TokioIo::new(TrackedStream::new(
                socket,
                ServerToAgent,
                Initiator::Server,
                cause,
            )))
        })
    }
}

/// Reads a client's stream to its end. The guard is made once the call is accepted: one that
/// is refused ends nothing, and `explain` has what to log.
pub async fn read<T>(
    mut responses: Streaming<T>,
    connect: &Connect,
    idle: Duration,
    mut on_message: impl FnMut(T),
    log: impl FnOnce(Disconnect),
) {
    let connection = connect
        .latest
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let guard = DisconnectGuard::new(ServerToAgent, log).with_cause(connection.child());
    let mut ended = guard.cause().ended();
    loop {
        let message = tokio::select! {
            biased; // the server's last word explains more than the end of the link
            message = responses.message() => message,
            // Recorded once, where it was decided. tonic cancels the call when the stream is
            // dropped.
            _ = &mut ended => return,
            () = sleep(idle) => {
                let end = Disconnect::closed_by(ServerToAgent, Initiator::Agent);
                return guard.close(end.with_trigger(Trigger::IdleTimeout));
            }
        };
        let status = match message {
            Ok(Some(message)) => {
                on_message(message);
                continue;
            }
            Ok(None) => Status::ok(""),
            Err(status) => status,
        };
        // Else it inherits what the tracked stream has recorded.
        if let Some((evidence, end)) = explain(&status, &connection) {
            guard.cause().record(evidence, end);
        }
        return;
    }
}

/// What a status explains, also of a call that was refused, beyond what the connection knows.
pub fn explain(status: &Status, connection: &Cause) -> Option<(Evidence, Disconnect)> {
    let by_server = || {
        let code = CloseCode::Grpc(status.code().into());
        let end = Disconnect::from_close_code(ServerToAgent, code, Initiator::Server);
        (Evidence::Peer, end.with_detail(status.message().to_owned()))
    };
    match status.source() {
        // It came from the server: tonic gives a source to those alone that it made up.
        None => Some(by_server()),
        // This side's own deadline, which tonic's client calls CANCELLED.
        Some(_) if has::<TimeoutExpired>(status) => {
            let code = CloseCode::Grpc(4);
            let end = Disconnect::from_close_code(ServerToAgent, code, Initiator::Network);
            Some((Evidence::Local, end.with_trigger(Trigger::Deadline)))
        }
        // A dial that failed: there was no link. The chain has the system's error.
        Some(source) if has::<ConnectError>(status) => Some((
            Evidence::Transport,
            Disconnect::from_error(ServerToAgent, source),
        )),
        // The link lives, so the server cut the stream without a status, for example in a
        // panic. tonic's own code for that, CANCELLED, is no announcement of a shutdown.
        Some(_) if connection.get().is_none() => {
            let (evidence, end) = by_server();
            Some((evidence, end.with_reason(DisconnectReason::Unknown)))
        }
        Some(_) => None,
    }
}

/// Whether an error of a type is among the sources of a status.
fn has<E: Error + 'static>(status: &Status) -> bool {
    let mut sources = std::iter::successors(status.source(), |error| (*error).source());
    sources.any(<dyn Error>::is::<E>)
}
