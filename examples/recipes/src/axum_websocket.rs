//! A WebSocket in axum, over `axum_listener.rs` or `http.rs`.
//!
//! Fits this crate with `tokio`, axum 0.8 with `ws`, and tokio 1 with `macros` and `time`. axum brings a tungstenite of its
//! own, and its errors are that one's: a downcast to yours compiles and never matches. None is needed.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, CloseCode, Disconnect, Evidence, Initiator, Trigger};
use tokio::time::{sleep, timeout};

/// How long a client has to answer a goodbye.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a handler gives to `WebSocketUpgrade::on_upgrade`. One over one: the cause is the connection's, and so is the
/// guard. A second one would log a second line; if the line needs the session's name, the connection's closure learns it.
pub async fn session(
    mut socket: WebSocket,
    cause: Cause,
    idle: Duration,
    mut on_message: impl FnMut(&str) -> Option<String>,
) {
    let mut ended = cause.ended();
    let code = loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => if let Some(answer) = on_message(&text) {
                    // If the transport fails, the tracked stream has recorded it, and the next read ends.
                    let _ = socket.send(Message::text(answer)).await;
                },
                Some(Ok(Message::Close(frame))) => {
                    cause.record(Evidence::Peer, goodbye(frame));
                    break 1000; // sends the answer that is ready
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    // Of the protocol; if it is the transport's, the tracked stream was first.
                    let end = Disconnect::protocol_error(ClientToServer, Initiator::Client);
                    cause.record(Evidence::Local, end.with_detail(error.to_string()));
                    break 1002;
                }
                None => return,
            },
            () = sleep(idle) => {
                let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
                cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                break 1000;
            }
            _ = &mut ended => break 1001, // recorded once, where it was decided
        }
    };
    let close = async {
        let reason = "".into();
        let _ = socket.send(Message::Close(Some(CloseFrame { code, reason }))).await;
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = timeout(PATIENCE, close).await;
}

/// What the client's goodbye means. 1005 is never on the wire: it means that there was no code.
pub fn goodbye(frame: Option<CloseFrame>) -> Disconnect {
    let (code, text) = frame.map_or_else(Default::default, |frame| (frame.code, frame.reason.to_string()));
    let code = CloseCode::WebSocket(if code == 0 { 1005 } else { code });
    Disconnect::from_close_code(ClientToServer, code, Initiator::Client).with_detail(text)
}
