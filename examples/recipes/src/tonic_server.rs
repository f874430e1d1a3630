//! A gRPC server's stream of responses.
//!
//! Fits this crate with `tokio`, tonic 0.14, axum 0.8 with `http2`, futures-util 0.3, and
//! tokio 1 with `net` and `time`. tonic's server takes no stream of ours that is not
//! `Connected`, and axum's does: a tonic service is a route of a router, served over the
//! listener of `axum_listener.rs`.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{CloseCode, Disconnect, DisconnectGuard, Initiator, Trigger};
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use crate::axum_listener::{Connection, InProgress};

/// A server's stream of responses, with a line of its own.
pub struct Attributed<S> {
    responses: Pin<Box<S>>,
    ended: Pin<Box<dyn Future<Output = Disconnect> + Send>>,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    /// Nothing once the line is out.
    guard: Option<DisconnectGuard>,
    _in_progress: InProgress,
}

impl<S> Attributed<S> {
    pub fn new(
        responses: S,
        connection: Connection,
        idle: Duration,
        log: impl FnOnce(Disconnect) + Send + Sync + 'static,
    ) -> Self {
        // Many over one: a child. Where the connection broke, this inherits that.
        let cause = connection.cause.child();
        // tonic drops the stream where its client cancels, and keeps the RST_STREAM to itself.
        // While the link lives, that is nothing of the network's.
        cause.presume(Disconnect::closed_by(ClientToServer, Initiator::Client));
        Self {
            responses: Box::pin(responses),
            ended: Box::pin(cause.ended()),
            idle,
            timer: Box::pin(sleep(idle)),
            guard: Some(DisconnectGuard::boxed(ClientToServer, log).with_cause(cause)),
            _in_progress: InProgress::new(connection),
        }
    }

    fn close(&mut self, end: Disconnect) {
        if let Some(guard) = self.guard.take() {
            guard.close(end);
        }
    }
}

impl<T, S: Stream<Item = Result<T, Status>>> Stream for Attributed<S> {
    type Item = Result<T, Status>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<T, Status>>> {
        if self.guard.is_none() {
            return Poll::Ready(None);
        }
        match self.responses.as_mut().poll_next(context) {
            Poll::Ready(Some(Ok(message))) => {
                let deadline = Instant::now() + self.idle;
                self.timer.as_mut().reset(deadline);
                return Poll::Ready(Some(Ok(message)));
            }
            Poll::Ready(None) => {
                self.close(by_status(&Status::ok("")));
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(status))) => {
                self.close(by_status(&status));
                return Poll::Ready(Some(Err(status)));
            }
            Poll::Pending => {}
        }
        // Recorded once, where it was decided: the guard inherits it.
        if self.ended.as_mut().poll(context).is_ready() {
            self.guard = None;
            return Poll::Ready(Some(Err(Status::unavailable("shutting down"))));
        }
        if self.timer.as_mut().poll(context).is_ready() {
            let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
            self.close(end.with_trigger(Trigger::IdleTimeout));
            return Poll::Ready(Some(Err(Status::aborted("idle"))));
        }
        Poll::Pending
    }
}

fn by_status(status: &Status) -> Disconnect {
    let code = CloseCode::Grpc(status.code().into());
    let end = Disconnect::from_close_code(ClientToServer, code, Initiator::Server);
    end.with_detail(status.message().to_owned())
}
