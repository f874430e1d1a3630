//! A gRPC server's streams: one of responses, and the inbound half of one that goes both ways.
//!
//! Fits this crate with `tokio`, tonic 0.14, futures-util 0.3, tokio 1 with `macros` and `time`, and `http2.rs`. tonic's
//! server takes no stream of ours that is not `Connected`: a tonic service is a route of an axum `Router`, served with
//! `http_server.rs`, or over `axum_listener.rs` with `is_http2`.

use std::io;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, CloseCode, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use futures_util::StreamExt;
use futures_util::stream::{Stream, unfold};
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
                Ok(None) => return left(&guard.cause(), connection).await,
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

/// Records what the end of an inbound half means: it has sent all, or cancelled. hyper ends it so, too, if a ping was not
/// answered, which its connection learns a moment later.
pub async fn left(stream: &Cause, connection: &Cause) {
    let ended = timeout(MOMENT, connection.ended()).await;
    if !ended.is_ok_and(|end| end.trigger() == Some(Trigger::KeepaliveTimeout)) {
        stream.record(Evidence::Peer, Disconnect::closed_by(ClientToServer, Initiator::Client));
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
pub fn attributed<T, S: Stream<Item = Result<T, Status>> + Send, F: FnOnce(Disconnect) + Send>(
    responses: S,
    connection: &Cause,
    log: F,
) -> impl Stream<Item = S::Item> + Send + use<T, S, F> {
    let cause = connection.child();
    // tonic drops the stream if its client cancels, and keeps the RST_STREAM to itself.
    cause.presume(Disconnect::closed_by(ClientToServer, Initiator::Client));
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(cause);
    unfold((Box::pin(responses), Some(guard)), async |(mut responses, guard)| {
        let guard = guard?;
        let next = tokio::select! {
            biased;
            next = responses.next() => next,
            // Recorded once, where it was decided: the guard inherits it.
            _ = guard.cause().ended() => Some(Err(Status::unavailable("shutting down"))),
        };
        match &next {
            Some(Ok(_)) => return Some((next?, (responses, Some(guard)))),
            Some(Err(status)) => guard.close(by_server(status)),
            None => guard.close(by_server(&Status::ok(""))),
        }
        Some((next?, (responses, None)))
    })
}

fn by_server(status: &Status) -> Disconnect {
    let code = CloseCode::Grpc(status.code().into());
    let end = Disconnect::from_close_code(ClientToServer, code, Initiator::Server);
    end.with_detail(status.message().to_owned())
}
