//! A WebSocket, at its server and at its client.
//!
//! Fits this crate with `tokio`, tokio-tungstenite 0.30, futures-util 0.3 with `sink`, and tokio 1 with `macros`, `net` and
//! `time`. `goodbye` and `broke` serve a WebSocket of axum as well, whose tungstenite is another version.

use std::fmt::Display;
use std::time::Duration;

use disconnect_attribution::{
    Cause, CloseCode, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode as Code};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

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

/// Records what the peer's goodbye means, its code and its text. 1005 is never on the wire: it means that there was none.
pub fn goodbye(cause: &Cause, site: Site, frame: Option<(u16, &str)>) {
    let (code, text) = frame.unwrap_or((1005, ""));
    let end = Disconnect::from_close_code(site.layer, CloseCode::WebSocket(code), site.peer);
    cause.record(Evidence::Peer, end.with_detail(text.to_owned()));
}

/// Records that what the peer sent made no sense, or was too much. An error of the transport comes here, too, and a bare
/// FIN: the tracked stream was first, and what it recorded stays.
pub fn broke(cause: &Cause, site: Site, error: &dyn Display) {
    let end = Disconnect::protocol_error(site.layer, site.peer).with_detail(error.to_string());
    cause.record(Evidence::Local, end);
}

/// Serves one WebSocket, from a socket that was accepted.
pub async fn serve(
    socket: TcpStream,
    agent: &Cause,
    site: Site,
    on_message: impl FnMut(Message) -> Option<Message>,
    log: impl FnOnce(Disconnect),
) {
    // Before the handshake: a client that connects and never introduces itself has a line too. A bare FIN stays a
    // `network_error`, since this protocol has a goodbye.
    let guard = DisconnectGuard::new(site.layer, log).with_cause(agent.child());
    match timeout(site.patience, accept_async(guard.track(socket, site.peer))).await {
        Ok(Ok(websocket)) => run(websocket, &guard.cause(), site, on_message).await,
        Ok(Err(error)) => broke(&guard.cause(), site, &error),
        Err(_) => guard.close(Disconnect::network_error(site.layer, Trigger::HandshakeTimeout)),
    }
}

/// Runs an established WebSocket until it ends; the guard is the caller's. A client makes it once the WebSocket is there,
/// over a [`TrackedStream`](disconnect_attribution::TrackedStream) of a fresh child of its cause for each attempt: a dial
/// that fails ends nothing.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    mut websocket: WebSocketStream<S>,
    cause: &Cause,
    site: Site,
    mut on_message: impl FnMut(Message) -> Option<Message>,
) {
    let mut ended = cause.ended(); // also by what is recorded above, such as a shutdown
    let mut pings = interval_at(Instant::now() + site.patience, site.patience);
    let (mut is_answered, mut last_message) = (true, Instant::now());
    let code = loop {
        tokio::select! {
            message = websocket.next() => match message {
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.as_ref().map(|frame| (frame.code.into(), frame.reason.as_str()));
                    goodbye(cause, site, frame);
                    break Code::Normal; // tungstenite has its answer ready, and sends that instead
                }
                Some(Ok(message)) => {
                    is_answered = true;
                    if !matches!(message, Message::Ping(_) | Message::Pong(_)) {
                        last_message = Instant::now();
                        let Some(answer) = on_message(message) else { continue };
                        // If the transport fails, the tracked stream has recorded it, and the next read ends.
                        let _ = websocket.send(answer).await;
                    }
                }
                Some(Err(error)) => {
                    broke(cause, site, &error);
                    break Code::Protocol; // tungstenite sends no 1002 by itself
                }
                None => return,
            },
            _ = pings.tick() => {
                if !is_answered {
                    let end = Disconnect::network_error(site.layer, Trigger::KeepaliveTimeout);
                    cause.record(Evidence::Transport, end);
                    return; // a goodbye would have no reader
                }
                is_answered = false;
                let _ = websocket.send(Message::Ping(Bytes::new())).await;
            }
            () = sleep_until(last_message + site.idle) => {
                // First the record: what the peer answers is the answer to this.
                let end = Disconnect::closed_by(site.layer, site.this_side);
                cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                break Code::Normal;
            }
            _ = &mut ended => break Code::Away,
        }
    };
    // A socket that is dropped with bytes unread resets, and the goodbye is lost with it.
    let reason = "".into();
    let close = async {
        let _ = websocket.close(Some(CloseFrame { code, reason })).await;
        while let Some(Ok(_)) = websocket.next().await {}
    };
    let _ = timeout(site.patience, close).await;
}
