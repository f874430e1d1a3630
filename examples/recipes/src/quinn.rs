//! A QUIC server's connection, and the streams over it.
//!
//! Fits quinn 0.11, and tokio 1 with `macros`, `rt` and `time`. Never put a tracked stream
//! over a QUIC stream: its end is not the connection's.

use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
};
use quinn::{
    Connection, ConnectionError, Incoming, ReadError, RecvStream, SendStream, VarInt, WriteError,
};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long streams may take to notice that this side closes.
const PATIENCE: Duration = Duration::from_millis(500);

/// A code of this application; its number means nothing elsewhere.
pub const SESSION_EXPIRED: VarInt = VarInt::from_u32(16);

/// Serves one connection until it ends; `answer` is your code, and `log_stream` the line of
/// each stream.
pub async fn serve(
    incoming: Incoming,
    agent: &Cause,
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
    policy: impl Future<Output = Disconnect>,
    log_stream: impl Fn(Disconnect) + Clone + Send + Sync + 'static,
    log: impl FnOnce(Disconnect),
) {
    // Made first, so dropped last: where this task panics, its streams hear of that.
    let mut streams = JoinSet::new();
    // Before the handshake, so that a refused certificate has a line too.
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    let cause = guard.cause();
    let connection = match incoming.await {
        Ok(connection) => connection,
        Err(reason) => return observe(&cause, &reason),
    };
    let mut policy = std::pin::pin!(policy);
    loop {
        tokio::select! {
            accepted = connection.accept_bi() => match accepted {
                // Many over one: a child each.
                Ok((send, receive)) => {
                    let (connection, cause) = (connection.clone(), cause.clone());
                    let log = log_stream.clone();
                    streams.spawn(stream(connection, cause, send, receive, idle, answer, log));
                }
                Err(reason) => {
                    // Before the streams are dropped, so that none of them has to guess.
                    observe(&cause, &reason);
                    break;
                }
            },
            Some(_) = streams.join_next() => {}
            () = sleep(idle), if streams.is_empty() => {
                let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
                cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                break;
            }
            end = &mut policy => {
                cause.record(Evidence::Local, end);
                break;
            }
            // Recorded once, where it was decided.
            _ = agent.ended() => break,
        }
    }
    // Does nothing where it is closed. After the record: the streams hear of this at once.
    connection.close(VarInt::from_u32(0), b"");
    let all_ended = async { while streams.join_next().await.is_some() {} };
    let _ = timeout(PATIENCE, all_ended).await;
    // A process that ends now also has to wait for `Endpoint::wait_idle`, or the close is
    // lost.
}

/// Records what a connection's error explains. Each task that meets one does: the first record
/// stays.
fn observe(cause: &Cause, reason: &ConnectionError) {
    let new = |reason| Disconnect::new(ClientToServer, reason);
    let by_client = |code| Disconnect::from_close_code(ClientToServer, code, Initiator::Client);
    let (evidence, end) = match reason {
        ConnectionError::ApplicationClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            let end = by_client(CloseCode::QuicApplication(close.error_code.into_inner()));
            (
                Evidence::Peer,
                taught(end, close.error_code).with_detail(text),
            )
        }
        // The peer's QUIC stack, for example its TLS, which refuses our certificate.
        ConnectionError::ConnectionClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            let code = CloseCode::Quic(close.error_code.into());
            (Evidence::Peer, by_client(code).with_detail(text))
        }
        // What the peer sent broke the protocol, as our stack understood it.
        ConnectionError::TransportError(error) => {
            let end = by_client(CloseCode::Quic(error.code.into()));
            (Evidence::Local, end.with_detail(error.reason.clone()))
        }
        ConnectionError::VersionMismatch => {
            let end = new(DisconnectReason::ProtocolError).with_initiator(Initiator::Client);
            (Evidence::Local, end.with_detail(reason.to_string()))
        }
        // Stateless: the peer has restarted, and does not know us any more.
        ConnectionError::Reset => {
            let end = Disconnect::network_error(ClientToServer, Trigger::Reset);
            (Evidence::Transport, end)
        }
        // QUIC's own idle timer: the peer was not heard. A policy of ours is another matter.
        ConnectionError::TimedOut => {
            let end = Disconnect::network_error(ClientToServer, Trigger::TimedOut);
            (Evidence::Transport, end)
        }
        // The task that called `close` has recorded why.
        ConnectionError::LocallyClosed => return,
        ConnectionError::CidsExhausted => (
            Evidence::Local,
            new(DisconnectReason::Unknown).with_detail(reason.to_string()),
        ),
    };
    cause.record(evidence, end);
}

/// Gives the application's own codes their meaning; 0 is a deliberate close by custom.
fn taught(end: Disconnect, code: VarInt) -> Disconnect {
    match code {
        SESSION_EXPIRED => end.with_reason(DisconnectReason::Rejected),
        _ => end,
    }
}

async fn stream(
    connection: Connection,
    cause: Cause,
    mut send: SendStream,
    mut receive: RecvStream,
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
    log: impl FnOnce(Disconnect),
) {
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(cause.child());
    let mut buffer = [0; 1024];
    loop {
        let Ok(read) = timeout(idle, receive.read(&mut buffer)).await else {
            let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
            return guard.close(end.with_trigger(Trigger::IdleTimeout));
        };
        let failed = match read {
            // It has sent all, and so have we.
            Ok(None) => {
                let end = Disconnect::closed_by(ClientToServer, Initiator::Client);
                guard.cause().record(Evidence::Peer, end);
                return;
            }
            Ok(Some(length)) => match send.write_all(&answer(&buffer[..length])).await {
                Ok(()) => continue,
                Err(WriteError::Stopped(code)) => Ok(code),
                Err(_) => Err(connection.close_reason()),
            },
            Err(ReadError::Reset(code)) => Ok(code),
            // Also where it is the stream's own error: first ask the connection, then blame.
            Err(_) => Err(connection.close_reason()),
        };
        return match failed {
            // RESET_STREAM or STOP_SENDING: this stream alone.
            Ok(code) => {
                let number = CloseCode::QuicApplication(code.into_inner());
                let end = Disconnect::from_close_code(ClientToServer, number, Initiator::Client);
                guard.cause().record(Evidence::Peer, taught(end, code));
            }
            // The guard inherits it.
            Err(Some(reason)) => observe(&cause, &reason),
            Err(None) => {}
        };
    }
}
