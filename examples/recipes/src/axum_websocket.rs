//! A WebSocket in axum, over the listener of `axum_listener.rs`.
//!
//! Fits this crate with `tokio`, axum 0.8 with `ws`, and tokio 1 with `macros`, `net`, `rt`
//! and `time`; for the second way also hyper 1, hyper-util 0.1 with `tokio`, and
//! tokio-tungstenite 0.30 with `websocket.rs`. axum brings a tungstenite of its own, and its
//! errors are that one's: a downcast to yours compiles and never matches. So the first way
//! looks at no error's type; the second makes the errors yours, and does not compile where the
//! versions drift apart.

use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::extract::{ConnectInfo, Request};
use axum::http::{self, StatusCode};
use axum::response::{IntoResponse, Response};
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{CloseCode, Disconnect, Evidence, Initiator, Trigger};
use hyper_util::rt::TokioIo;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::handshake::server::create_response;
use tungstenite::protocol::Role;

use crate::axum_listener::{Connection, InProgress};
use crate::websocket::{self, Site};

/// How long a client has to answer a goodbye.
const PATIENCE: Duration = Duration::from_millis(500);

/// First way: what a handler gives to `WebSocketUpgrade::on_upgrade`.
pub async fn session(
    socket: WebSocket,
    connection: Connection,
    idle: Duration,
    mut on_message: impl FnMut(&str) -> Option<String>,
) {
    // One over one: the same cause, and the connection's guard. What HTTP presumed is taken
    // back.
    let cause = connection.cause.clone();
    let _in_progress = InProgress::new(connection);
    // Bound last, so dropped first: the guard in it must not take the presumption for the end.
    let mut socket = socket;
    let mut ended = cause.ended();
    let goodbye = loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Close(frame))) => {
                    let (code, text) = frame.map_or((1005, String::new()), |frame| {
                        (frame.code, frame.reason.as_str().to_owned())
                    });
                    let code = CloseCode::WebSocket(code);
                    let end = Disconnect::from_close_code(ClientToServer, code, Initiator::Client);
                    cause.record(Evidence::Peer, end.with_detail(text));
                    break 1000; // sends the answer that is ready
                }
                Some(Ok(Message::Text(text))) => {
                    let Some(answer) = on_message(text.as_str()) else { continue };
                    // An error of the transport: the tracked stream has recorded it, and the
                    // next read ends.
                    let _ = socket.send(Message::text(answer)).await;
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
            // Recorded once, where it was decided.
            _ = &mut ended => break 1001,
        }
    };
    let frame = CloseFrame {
        code: goodbye,
        reason: "".into(),
    };
    let close = async {
        let _ = socket.send(Message::Close(Some(frame))).await;
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = timeout(PATIENCE, close).await;
}

/// Second way: what a handler returns whose tungstenite is yours, with the session of
/// `websocket.rs`.
pub fn upgrade(
    ConnectInfo(connection): ConnectInfo<Connection>,
    mut request: Request,
    site: Site,
    on_message: impl FnMut(tungstenite::Message) -> Option<tungstenite::Message> + Send + 'static,
) -> Response {
    let in_progress = InProgress::new(connection.clone());
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let response = match create_response(&http::Request::from_parts(parts, ())) {
        Ok(response) => response,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    tokio::spawn(async move {
        let _in_progress = in_progress; // dropped after the socket
        if let Ok(upgraded) = upgrade.await {
            let upgraded = TokioIo::new(upgraded);
            let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
            websocket::run(socket, &connection.cause, site, on_message).await;
        }
    });
    response.map(|()| Body::empty())
}
