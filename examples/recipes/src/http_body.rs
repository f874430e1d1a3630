//! A streaming response body over an attributed connection: complete, failed, dropped by the
//! client, cut by this side.
//!
//! Fits hyper 1, whose body is http-body 1's (so axum 0.8's and tonic 0.14's too; there import
//! it from `http_body`), and tokio 1 with `time`. The connection's cause is an extension of
//! each request under `http.rs`, and a `ConnectInfo` under `axum_listener.rs`.
//!
//! A client that leaves in the middle is `client_closed` and expected, because `http.rs`
//! presumes that once the head is out. Where half a download is a failure, leave out that
//! `presume`.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Initiator, Trigger};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// A body that logs how its stream ended.
#[derive(Debug)]
pub struct Attributed<B, F: FnOnce(Disconnect)> {
    body: Pin<Box<B>>,
    deadline: Pin<Box<Sleep>>,
    /// Nothing once the line is out.
    guard: Option<DisconnectGuard<F>>,
}

impl<B: Body, F: FnOnce(Disconnect)> Attributed<B, F> {
    /// Many responses run over one connection, so each has a child of its cause: a client that
    /// leaves in the middle is what the connection's stream sees.
    pub fn new(body: B, connection: &Cause, longest: Duration, log: F) -> Self {
        let guard = DisconnectGuard::new(ClientToServer, log).with_cause(connection.child());
        let deadline = Box::pin(sleep(longest));
        Self {
            body: Box::pin(body),
            deadline,
            guard: Some(guard),
        }
    }

    fn close(&mut self, end: Disconnect) {
        if let Some(guard) = self.guard.take() {
            guard.close(end);
        }
    }
}

impl<B, F> Body for Attributed<B, F>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    F: FnOnce(Disconnect) + Unpin,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let complete = Disconnect::closed_by(ClientToServer, Initiator::Server);
        if self.deadline.as_mut().poll(context).is_ready() {
            self.close(complete.with_trigger(Trigger::Deadline));
            // An error, so that the client does not take what it has for the whole.
            return Poll::Ready(Some(Err("the response took too long".into())));
        }
        let frame =
            ready!(self.body.as_mut().poll_frame(context)).map(|frame| frame.map_err(Into::into));
        match &frame {
            // Who reads a body of a known length does not ask for more than that.
            Some(Ok(_)) if !self.body.is_end_stream() => {}
            Some(Ok(_)) | None => self.close(complete),
            Some(Err(error)) => {
                if let Some(guard) = self.guard.take() {
                    guard.record_error(&**error);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // One that was empty from the start has to be asked, or it would never be complete.
        self.guard.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
