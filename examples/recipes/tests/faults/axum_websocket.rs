//! WebSockets in axum, against tungstenite and Python's websockets.

use std::io::Read;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::middleware::from_fn;
use axum::routing::get;
use disconnect_attribution::{Cause, ConnectType, Disconnect, Evidence, Initiator, Trigger};
use recipes::axum_listener::{self, Connection};
use recipes::websocket::{self, Site as Sides};
use tokio::time::{sleep, timeout};

use crate::matrix::Row;
use crate::site::{LONG, Site, World, check_faults, serve_axum};
use crate::websockets::{FAULTS, SERVER, connect, python_ends};

const SIDES: Sides = Sides { layer: ConnectType::ClientToServer, this_side: Initiator::Server, ..SERVER };

/// Echoes, and has a bug.
pub(crate) async fn session(mut socket: WebSocket, cause: Cause, idle: Duration) {
    let mut ended = cause.ended();
    let code = loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    assert_ne!(text, "panic", "a bug");
                    let _ = socket.send(Message::Text(text)).await;
                }
                Some(Ok(Message::Close(frame))) => {
                    websocket::goodbye(&cause, SIDES, frame.as_ref().map(|frame| (frame.code, frame.reason.as_str())));
                    break 1000;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    websocket::broke(&cause, SIDES, &error);
                    break 1002;
                }
                None => return,
            },
            () = sleep(idle) => {
                let end = Disconnect::closed_by(SIDES.layer, SIDES.this_side);
                cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                break 1000;
            }
            _ = &mut ended => break 1001,
        }
    };
    let close = async {
        let reason = "".into();
        let _ = socket.send(Message::Close(Some(CloseFrame { code, reason }))).await;
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = timeout(Duration::from_millis(500), close).await;
}

fn serve(idle: Duration) -> Site {
    let websocket = async move |ConnectInfo(connection): ConnectInfo<Connection>,
                                upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(move |socket| session(socket, connection.0, idle))
    };
    let router = Router::new().route("/", get(websocket)).route("/hello", get(async || "hello"));
    let world = World::default();
    // One over one: the connection's line is the session's.
    let world = World { connection: world.lines.clone(), ..world };
    serve_axum(false, world, router.layer(from_fn(axum_listener::between_requests)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_of_axum_ends_as_its_row_records() {
    let mut row = Row::of("axum WebSocket");
    check_faults(&mut row, |idle| serve(idle).with(|site| connect(site, "/")), &FAULTS);
    let site = serve(LONG);
    python_ends(&mut row, &site, &[("killed", None)]);

    let mut plain = site.send(b"GET /hello HTTP/1.1\r\nHost: server\r\n\r\n");
    let mut answer = [0; 512];
    let length = plain.read(&mut answer).expect("answered");
    assert!(answer[..length].ends_with(b"hello"));
    drop(plain);
    row.check("plain HTTP, kept alive, closed by the client", &site.wait());

    site.send_banner();
    row.check("an SSH banner, which axum hides", &site.wait());
}
