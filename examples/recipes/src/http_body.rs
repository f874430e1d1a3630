//! A streaming response body over an attributed connection: complete, failed, dropped by the client, cut by this side.
//!
//! Fits futures-util 0.3, http-body-util 0.1, hyper 1 (whose body is axum 0.8's and tonic 0.14's, too), and tokio 1 with
//! `time`. The connection's cause is an extension of each request under `http_server.rs`, and a `ConnectInfo` under
//! `axum_listener.rs`.
//!
//! A client that leaves in the middle is `client_closed` and expected over HTTP/1, because `answered` of `http_server.rs` presumes
//! that once the head is out. If half a download is a failure, leave out that `presume`.

use std::error::Error;
use std::task::{Poll, ready};
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use futures_util::stream::poll_fn;
use http_body_util::StreamBody;
use hyper::body::Body;
use tokio::time::sleep;

type Failure = Box<dyn Error + Send + Sync>;

/// A body that logs how its stream ended. It hides the length of what it streams.
pub fn attributed<B: Body<Error: Into<Failure>>, F: FnOnce(Disconnect)>(
    body: B,
    connection: &Cause,
    longest: Duration,
    log: F,
) -> impl Body<Data = B::Data, Error = Failure> + use<B, F> {
    let (mut body, mut deadline) = (Box::pin(body), Box::pin(sleep(longest)));
    let (connection, mut log, mut guard) = (connection.clone(), Some(log), None);
    StreamBody::new(poll_fn(move |context| {
        // At the first poll, since the answer to a HEAD is never asked for its body. Many responses run over one
        // connection, so each has a child of its cause: its stream sees a client that leaves in the middle.
        if let Some(log) = log.take() {
            guard = Some(DisconnectGuard::new(ClientToServer, log).with_cause(connection.child()));
        }
        let Some(open) = &guard else { return Poll::Ready(None) };
        let complete = Disconnect::closed_by(ClientToServer, Initiator::Server);
        let frame = if deadline.as_mut().poll(context).is_ready() {
            open.cause().record(Evidence::Local, complete.clone().with_trigger(Trigger::Deadline));
            // An error, so that the client does not take what it has for the whole.
            Some(Err("the response took too long".into()))
        } else {
            ready!(body.as_mut().poll_frame(context)).map(|frame| frame.map_err(Into::into))
        };
        match &frame {
            // Who reads a body of a known length does not ask for more than that.
            Some(Ok(_)) if !body.is_end_stream() => return Poll::Ready(frame),
            Some(Ok(_)) | None => {
                open.cause().record(Evidence::Local, complete);
            }
            Some(Err(error)) => open.record_error(&**error),
        }
        guard = None; // its line
        Poll::Ready(frame)
    }))
}
