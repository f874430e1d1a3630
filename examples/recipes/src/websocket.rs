//! A WebSocket, at its server and at its client.
//!
//! Fits this crate with `tokio`, tokio-tungstenite 0.30, that is tungstenite 0.30,
//! futures-util 0.3 with `sink`, and tokio 1 with `macros`, `net` and `time`.

use std::time::Duration;

use disconnect_attribution::{
    Cause, CloseCode, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator, TrackedStream,
    Trigger,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode as Code};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

/// What the two sides do not share.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    pub layer: ConnectType,
    pub this_side: Initiator,
    pub peer: Initiator,
    /// How long a peer has to answer: a handshake, a ping, a goodbye.
    pub patience: Duration,
    /// How long a connection may carry no message, whatever answers our pings.
    pub idle: Duration,
}

/// Serves one WebSocket, from a socket that was accepted.
pub async fn serve(
    socket: TcpStream,
    agent: &Cause,
    site: Site,
    on_message: impl FnMut(Message) -> Option<Message>,
    log: impl FnOnce(Disconnect),
) {
    // Before the handshake: a client that connects and never introduces itself has a line too.
    let guard = DisconnectGuard::new(site.layer, log).with_cause(agent.child());
    // A bare FIN stays a `network_error`: this protocol has a goodbye. Do not presume 1006 for
    // it, which would explain an aborted task as well.
    match timeout(site.patience, accept_async(guard.track(socket, site.peer))).await {
        Ok(Ok(websocket)) => run(websocket, &guard.cause(), site, on_message).await,
        Ok(Err(error)) => observe(&guard.cause(), site, &error),
        Err(_) => {
            let trigger = Trigger::HandshakeTimeout;
            guard.close(Disconnect::network_error(site.layer, trigger));
        }
    }
}

/// Dials, and runs the WebSocket until it ends. A dial that fails ends nothing, so it has no
/// line.
pub async fn dial(
    address: &str,
    agent: &Cause,
    site: Site,
    on_message: impl FnMut(Message) -> Option<Message>,
    log: impl FnOnce(Disconnect),
) -> Result<(), Error> {
    // A fresh child for each attempt. The stream is tracked from its first byte, the guard
    // comes later.
    let cause = agent.child();
    let socket = TcpStream::connect(address).await?;
    let stream = TrackedStream::new(socket, site.layer, site.peer, cause.clone());
    let (websocket, _) = client_async(format!("ws://{address}/"), stream).await?;
    let guard = DisconnectGuard::new(site.layer, log).with_cause(cause);
    run(websocket, &guard.cause(), site, on_message).await;
    Ok(())
}

/// Runs an established WebSocket until it ends; the guard is the caller's.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    mut websocket: WebSocketStream<S>,
    cause: &Cause,
    site: Site,
    mut on_message: impl FnMut(Message) -> Option<Message>,
) {
    // Also what is recorded above, such as a shutdown in the agent's cause.
    let mut ended = cause.ended();
    let mut pings = interval_at(Instant::now() + site.patience, site.patience);
    let (mut is_answered, mut last_message) = (true, Instant::now());
    loop {
        tokio::select! {
            message = websocket.next() => match message {
                Some(Ok(Message::Close(frame))) => {
                    peer_closed(cause, site, frame);
                    // tungstenite has its answer ready, and sends that instead of a close of
                    // ours.
                    return close_in_order(&mut websocket, site, Code::Normal).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => is_answered = true,
                Some(Ok(message)) => {
                    (is_answered, last_message) = (true, Instant::now());
                    let Some(answer) = on_message(message) else { continue };
                    if let Err(error) = websocket.send(answer).await {
                        return observe(cause, site, &error);
                    }
                }
                Some(Err(error)) => {
                    observe(cause, site, &error);
                    // tungstenite sends no 1002 by itself.
                    return if matches!(error, Error::Protocol(_)) {
                        close_in_order(&mut websocket, site, Code::Protocol).await;
                    };
                }
                None => return,
            },
            _ = pings.tick() => {
                if !is_answered {
                    let trigger = Trigger::KeepaliveTimeout;
                    let end = Disconnect::network_error(site.layer, trigger);
                    cause.record(Evidence::Transport, end);
                    return; // a goodbye would have no reader
                }
                is_answered = false;
                // An error of the transport: the tracked stream has recorded it, and the next
                // read ends.
                let _ = websocket.send(Message::Ping(Bytes::new())).await;
            }
            () = sleep_until(last_message + site.idle) => {
                // First the record: what the peer answers is the answer to this.
                let end = Disconnect::closed_by(site.layer, site.this_side);
                cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                return close_in_order(&mut websocket, site, Code::Normal).await;
            }
            _ = &mut ended => return close_in_order(&mut websocket, site, Code::Away).await,
        }
    }
}

fn peer_closed(cause: &Cause, site: Site, frame: Option<CloseFrame>) {
    // 1005 is never on the wire: it means that there was no code.
    let (code, text) = frame.map_or((1005, String::new()), |frame| {
        (frame.code.into(), frame.reason.as_str().to_owned())
    });
    let end = Disconnect::from_close_code(site.layer, CloseCode::WebSocket(code), site.peer);
    let end = end.with_detail(text);
    cause.record(Evidence::Peer, end);
}

/// Records what an error explains beyond what the transport did.
pub fn observe(cause: &Cause, site: Site, error: &Error) {
    match error {
        // A bare FIN, which the tracked stream has seen.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {}
        // What the peer sent makes no sense, or is too much. This side decided that.
        Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_) | Error::AttackAttempt => {
            let end = Disconnect::protocol_error(site.layer, site.peer);
            cause.record(Evidence::Local, end.with_detail(error.to_string()));
        }
        _ => {
            // Of the transport, which the tracked stream has seen; or no end at all:
            // `ConnectionClosed`.
        }
    }
}

/// Closes in good order, for as long as that is worth it.
async fn close_in_order<S: AsyncRead + AsyncWrite + Unpin>(
    websocket: &mut WebSocketStream<S>,
    site: Site,
    code: Code,
) {
    let frame = CloseFrame {
        code,
        reason: "".into(),
    };
    // A socket that is dropped with bytes unread resets, and the goodbye is lost with it.
    let goodbye = async {
        let _ = websocket.close(Some(frame)).await;
        while let Some(Ok(_)) = websocket.next().await {}
    };
    let _ = timeout(site.patience, goodbye).await;
}
