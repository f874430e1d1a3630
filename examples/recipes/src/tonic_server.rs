//! A gRPC server's streams: one of responses, and the inbound half of one that goes both ways.
//!
//! Fits this crate with `tokio`, tonic 0.14, futures-util 0.3, tokio 1 with `macros` and `time`, and `http2.rs`. tonic's
//! server takes no stream of ours that is not `Connected`: a tonic service is a route of an axum `Router`, served with
//! `http.rs`, or over `axum_listener.rs` with `is_http2`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, CloseCode, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use futures_util::Stream;
use tokio::time::{sleep, timeout};
use tonic::{Status, Streaming};

use crate::http2;

/// How long a connection has to learn why it ended.
const PATIENCE: Duration = Duration::from_millis(500);
const MOMENT: Duration = Duration::from_millis(50);

/// Reads the inbound half, in a task of its own: it alone can tell a client that left from one that broke.
pub async fn read<T>(
    mut requests: Streaming<T>,
    connection: &Cause,
    agent: &Cause,
    idle: Duration,
    mut on_message: impl FnMut(T),
    log: impl FnOnce(Disconnect),
) {
    // Many over one: a child.
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(connection.child());
    loop {
        tokio::select! {
            message = requests.message() => match message {
                Ok(Some(message)) => on_message(message),
                // It has sent all, or cancelled. hyper ends the stream so, too, if a ping was not answered, which its
                // connection learns a moment later.
                Ok(None) => {
                    let ended = timeout(MOMENT, connection.ended()).await;
                    if ended.is_ok_and(|end| end.trigger() == Some(Trigger::KeepaliveTimeout)) {
                        return;
                    }
                    let end = Disconnect::closed_by(ClientToServer, Initiator::Client);
                    guard.cause().record(Evidence::Peer, end);
                    return;
                }
                Err(status) => return broke(&status, &guard.cause(), connection).await,
            },
            // Not the connection's end: what is still to be read explains that.
            _ = agent.ended() => return,
            () = sleep(idle) => {
                let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
                return guard.close(end.with_trigger(Trigger::IdleTimeout));
            }
        }
    }
}

/// Records what an inbound half that broke explains.
pub async fn broke(status: &Status, stream: &Cause, connection: &Cause) {
    if let Some((evidence, end)) = http2::explain(ClientToServer, Initiator::Client, status) {
        stream.record(evidence, end); // an RST_STREAM with a code
    } else if timeout(PATIENCE, connection.ended()).await.is_ok() {
        // Its FIN was taken for a goodbye, and was none. Any other end stays.
        connection.record_error(ClientToServer, &io::Error::from(io::ErrorKind::UnexpectedEof));
    }
}

/// A stream of responses with a line of its own. Its client has sent all that it has to send, so one that is killed and
/// one that leaves look alike: both are a FIN.
pub struct Attributed<S> {
    responses: Pin<Box<S>>,
    ended: Pin<Box<dyn Future<Output = Disconnect> + Send>>,
    /// Nothing once the line is out.
    guard: Option<DisconnectGuard>,
}

impl<S> Attributed<S> {
    pub fn new(
        responses: S,
        connection: &Cause,
        log: impl FnOnce(Disconnect) + Send + Sync + 'static,
    ) -> Self {
        let cause = connection.child();
        // tonic drops the stream if its client cancels, and keeps the RST_STREAM to itself.
        cause.presume(Disconnect::closed_by(ClientToServer, Initiator::Client));
        let ended = Box::pin(cause.ended());
        let guard = Some(DisconnectGuard::boxed(ClientToServer, log).with_cause(cause));
        Self { responses: Box::pin(responses), ended, guard }
    }
}

impl<T, S: Stream<Item = Result<T, Status>>> Stream for Attributed<S> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut next = match self.responses.as_mut().poll_next(context) {
            Poll::Ready(next) => next,
            // Recorded once, where it was decided: the guard inherits it.
            Poll::Pending if self.ended.as_mut().poll(context).is_ready() => {
                self.guard = None;
                return Poll::Ready(Some(Err(Status::unavailable("shutting down"))));
            }
            Poll::Pending => return Poll::Pending,
        };
        if self.guard.is_none() {
            next = None;
        }
        let status = match &next {
            Some(Ok(_)) => return Poll::Ready(next),
            Some(Err(status)) => by_server(status),
            None => by_server(&Status::ok("")),
        };
        if let Some(guard) = self.guard.take() {
            guard.close(status);
        }
        Poll::Ready(next)
    }
}

fn by_server(status: &Status) -> Disconnect {
    let code = CloseCode::Grpc(status.code().into());
    let end = Disconnect::from_close_code(ClientToServer, code, Initiator::Server);
    end.with_detail(status.message().to_owned())
}
