//! WebSockets in axum, against tungstenite and Python's websockets.

use recipes::axum_websocket as recipe;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::ws::WebSocketUpgrade;
use axum::middleware::from_fn;
use axum::routing::get;
use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::axum_server;
use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, has_python, reset};
use crate::websockets::{PYTHON_CLIENT, close, goodbye, read};
use recipes::axum_listener::{self, Connection};

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(150);

struct Server {
    address: SocketAddr,
    agent: Cause,
    lines: Lines,
    runtime: Runtime,
}

fn serve(idle: Duration) -> Server {
    let websocket = async move |ConnectInfo(connection): ConnectInfo<Connection>,
                                upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(move |socket| {
            recipe::session(socket, connection.0, idle, |text| {
                assert_ne!(text, "panic", "a bug");
                Some(text.to_owned())
            })
        })
    };
    let router = Router::new().route("/", get(websocket)).route("/hello", get(async || "hello"));
    let router = router.layer(from_fn(axum_listener::between_requests));
    let (agent, lines) = (Cause::default(), Lines::default());
    let (address, runtime) = axum_server::serve(router, &agent, &lines, false);
    Server { address, agent, lines, runtime }
}

fn client(server: &Server) -> WebSocket<TcpStream> {
    let socket = TcpStream::connect(server.address).expect("accepted");
    let (mut socket, _) = tungstenite::client(format!("ws://{}/", server.address), socket).expect("upgraded");
    socket.send(Message::text("hello")).expect("sent");
    assert_eq!(read(&mut socket), Message::text("hello"));
    socket
}

fn the_client_ends_it(row: &mut Row) {
    for (fault, frame) in [("clean close", Some((1000, "done"))), ("close without a code", None)] {
        let server = serve(LONG);
        close(client(&server), frame);
        row.check(fault, &server.lines.wait());
    }

    if has_python("websockets") {
        let server = serve(LONG);
        let mut client = Peer::python(PYTHON_CLIENT, &[&server.address.port().to_string()]);
        client.line();
        client.kill();
        row.check("killed", &server.lines.wait());
    } else {
        row.skip(&["killed"], "Python's websockets");
    }

    let server = serve(LONG);
    let held = client(&server);
    reset(held.get_ref());
    drop(held);
    row.check("reset", &server.lines.wait());

    let server = serve(LONG);
    let mut held = client(&server);
    // Reserved bits and a reserved opcode.
    let frame = [0xff, 0x80, 0, 0, 0, 0];
    held.get_mut().write_all(&frame).expect("sent");
    row.check("bad frame", &server.lines.wait());
}

fn this_side_ends_it(row: &mut Row) {
    let server = serve(SHORT);
    assert_eq!(goodbye(client(&server)), 1000);
    row.check("idle timeout", &server.lines.wait());

    let server = serve(LONG);
    let held = client(&server);
    let shutdown = Disconnect::shutdown(AgentToClient, Initiator::Agent);
    server.agent.record(Evidence::Local, shutdown);
    assert_eq!(goodbye(held), 1001);
    row.check("shutdown", &server.lines.wait());

    let server = serve(LONG);
    let _held = client(&server);
    drop(server.runtime);
    row.check("aborted", &server.lines.wait());

    let server = serve(LONG);
    let mut held = client(&server);
    held.send(Message::text("panic")).expect("sent");
    row.check("panic", &server.lines.wait());
}

fn a_plain_request_ends_it(row: &mut Row) {
    let server = serve(LONG);
    let mut plain = TcpStream::connect(server.address).expect("accepted");
    write!(plain, "GET /hello HTTP/1.1\r\nHost: server\r\n\r\n").expect("sent");
    let mut answer = [0; 512];
    let length = plain.read(&mut answer).expect("answered");
    assert!(answer[..length].ends_with(b"hello"));
    drop(plain);
    let end = server.lines.wait();
    row.check("plain HTTP, kept alive, closed by the client", &end);

    let server = serve(LONG);
    let mut banner = TcpStream::connect(server.address).expect("accepted");
    banner.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").expect("sent");
    let mut answer = String::new();
    banner.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    row.check("an SSH banner, which axum hides", &server.lines.wait());
}

#[test]
fn a_websocket_of_axum_ends_as_its_row_records() {
    let mut row = Row::of("axum WebSocket");
    the_client_ends_it(&mut row);
    this_side_ends_it(&mut row);
    a_plain_request_ends_it(&mut row);
    row.complete();
}
