//! A QUIC server's connection, and the streams over it.
//!
//! Fits quinn 0.11, and tokio 1 with `macros`, `rt` and `time`. Never put a tracked stream over a QUIC stream: its end is
//! not the connection's.

use std::io;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer as LAYER;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
};
use quinn::{ConnectionError, Incoming, ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A code of this application; its number means nothing elsewhere.
pub const SESSION_EXPIRED: VarInt = VarInt::from_u32(16);

/// Records what a connection's error explains. Each task that meets one does: the first record stays.
pub fn explain(cause: &Cause, reason: &ConnectionError) {
    let by_client = |code| Disconnect::from_close_code(LAYER, CloseCode::Quic(code), Initiator::Client);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let lost = |trigger| (Evidence::Transport, Disconnect::network_error(LAYER, trigger));
    let (evidence, end) = match reason {
        ConnectionError::ApplicationClosed(close) => {
            (Evidence::Peer, of_application(close.error_code).with_detail(text(&close.reason)))
        }
        // The peer's QUIC stack, for example its TLS, which refuses our certificate.
        ConnectionError::ConnectionClosed(close) => {
            (Evidence::Peer, by_client(close.error_code.into()).with_detail(text(&close.reason)))
        }
        // What the peer sent broke the protocol, as our stack understood it.
        ConnectionError::TransportError(error) => {
            (Evidence::Local, by_client(error.code.into()).with_detail(error.reason.clone()))
        }
        // Stateless: the peer has restarted, and does not know us any more.
        ConnectionError::Reset => lost(Trigger::Reset),
        // QUIC's own idle timer: the peer was not heard. A policy of ours is another matter.
        ConnectionError::TimedOut => lost(Trigger::TimedOut),
        // If this side closed, the task that did has recorded why.
        _ => return cause.record_error(LAYER, reason),
    };
    cause.record(evidence, end);
}

/// Gives the application's own codes their meaning; 0 is a deliberate close by custom.
pub fn of_application(code: VarInt) -> Disconnect {
    let number = CloseCode::QuicApplication(code.into_inner());
    let end = Disconnect::from_close_code(LAYER, number, Initiator::Client);
    if code == SESSION_EXPIRED { end.with_reason(DisconnectReason::Rejected) } else { end }
}

/// What a stream's end means: it has sent all, or RESET_STREAM or STOP_SENDING ended it alone. Nothing if its connection
/// knows why it ended.
pub fn of_stream(ended: &io::Result<()>) -> Option<Disconnect> {
    let Err(error) = ended else { return Some(Disconnect::closed_by(LAYER, Initiator::Client)) };
    let error = error.get_ref()?;
    match (error.downcast_ref(), error.downcast_ref()) {
        (Some(ReadError::Reset(code)), _) | (_, Some(WriteError::Stopped(code))) => {
            Some(of_application(*code))
        }
        _ => None,
    }
}

/// Serves one connection until it ends; `answer` is your code for a stream with its cause, and `log_stream` its line.
pub async fn serve<S: Future<Output = io::Result<()>> + Send + 'static>(
    incoming: Incoming,
    agent: &Cause,
    idle: Duration,
    answer: impl Fn(SendStream, RecvStream, Cause) -> S,
    log_stream: impl Fn(Disconnect) + Clone + Send + Sync + 'static,
    log: impl FnOnce(Disconnect),
) {
    let mut streams = JoinSet::new(); // dropped last: if this task panics, its streams hear of that
    // Before the handshake, so that a refused certificate has a line too.
    let guard = DisconnectGuard::new(LAYER, log).with_cause(agent.child());
    let cause = guard.cause();
    let connection = match incoming.await {
        Ok(connection) => connection,
        Err(reason) => return explain(&cause, &reason),
    };
    loop {
        tokio::select! {
            accepted = connection.accept_bi() => match accepted {
                Ok((send, receive)) => {
                    // Many over one: a child each.
                    let guard = DisconnectGuard::new(LAYER, log_stream.clone()).with_cause(cause.child());
                    let answering = answer(send, receive, guard.cause());
                    let (connection, cause) = (connection.clone(), cause.clone());
                    streams.spawn(async move {
                        let ended = answering.await;
                        if let Some(end) = of_stream(&ended) {
                            guard.cause().record(Evidence::Peer, end);
                        } else if let Some(reason) = connection.close_reason() {
                            explain(&cause, &reason); // the guard inherits it
                        } else if let Err(error) = ended {
                            guard.record_error(&error);
                        }
                    });
                }
                // Before the streams are dropped, so that none has to guess.
                Err(reason) => break explain(&cause, &reason),
            },
            Some(_) = streams.join_next() => {}
            () = sleep(idle), if streams.is_empty() => {
                let end = Disconnect::closed_by(LAYER, Initiator::Server);
                cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
            }
            _ = cause.ended() => break, // recorded once, where it was decided
        }
    }
    // After the record, since the streams hear of it at once. A process that ends now also has to wait for
    // `Endpoint::wait_idle`, or the close is lost.
    connection.close(VarInt::from_u32(0), b"");
    // What a stream has received already still explains its end.
    let all_ended = async { while streams.join_next().await.is_some() {} };
    let _ = timeout(Duration::from_millis(500), all_ended).await;
}
