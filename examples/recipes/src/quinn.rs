//! A QUIC server's connection, and the streams over it.
//!
//! Fits quinn 0.11, and tokio 1 with `macros`, `rt` and `time`. Never put a tracked stream over a QUIC stream: its end is
//! not the connection's.

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

const IDLE: Disconnect = Disconnect::closed_by(LAYER, Initiator::Server).with_trigger(Trigger::IdleTimeout);
const LEFT: Disconnect = Disconnect::closed_by(LAYER, Initiator::Client);

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

/// Serves one connection until it ends; `answer` is your code, and `log_stream` the line of each stream.
pub async fn serve(
    incoming: Incoming,
    agent: &Cause,
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
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
                Ok(halves) => {
                    // Many over one: a child each.
                    let guard = DisconnectGuard::new(LAYER, log_stream.clone()).with_cause(cause.child());
                    let (connection, cause) = (connection.clone(), cause.clone());
                    streams.spawn(async move {
                        if let Some((evidence, end)) = stream(halves, idle, answer).await {
                            guard.cause().record(evidence, end);
                        } else if let Some(reason) = connection.close_reason() {
                            explain(&cause, &reason); // the guard inherits it
                        }
                    });
                }
                // Before the streams are dropped, so that none has to guess.
                Err(reason) => break explain(&cause, &reason),
            },
            Some(_) = streams.join_next() => {}
            () = sleep(idle), if streams.is_empty() => break { cause.record(Evidence::Local, IDLE); },
            _ = agent.ended() => break, // recorded once, where it was decided
        }
    }
    // After the record, since the streams hear of it at once. A process that ends now also has to wait for
    // `Endpoint::wait_idle`, or the close is lost.
    connection.close(VarInt::from_u32(0), b"");
    // What a stream has received already still explains its end.
    let all_ended = async { while streams.join_next().await.is_some() {} };
    let _ = timeout(Duration::from_millis(500), all_ended).await;
}

/// Answers one stream; nothing if its connection knows why it ended.
async fn stream(
    (mut send, mut receive): (SendStream, RecvStream),
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
) -> Option<(Evidence, Disconnect)> {
    let mut buffer = [0; 1024];
    loop {
        let Ok(read) = timeout(idle, receive.read(&mut buffer)).await else {
            return Some((Evidence::Local, IDLE));
        };
        // RESET_STREAM or STOP_SENDING: this stream alone.
        let code = match read {
            Ok(None) => return Some((Evidence::Peer, LEFT)), // it has sent all, and so have we
            Ok(Some(length)) => match send.write_all(&answer(&buffer[..length])).await {
                Ok(()) => continue,
                Err(WriteError::Stopped(code)) => code,
                Err(_) => return None,
            },
            Err(ReadError::Reset(code)) => code,
            Err(_) => return None,
        };
        return Some((Evidence::Peer, of_application(code)));
    }
}
