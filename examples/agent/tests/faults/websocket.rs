//! A control plane whose server, tungstenite's, fails in every way that a WebSocket knows.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use disconnect_attribution::Disconnect;
use socket2::SockRef;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

use crate::agent::Agent;
use crate::check;
use crate::respawned::{self, Respawned};

const LINE: &str = "disconnected from coderd";

/// What the agent's control plane dials.
struct Coordinator {
    listener: TcpListener,
}

type Socket = WebSocket<TcpStream>;

impl Coordinator {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self { listener }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    fn accept(&self) -> Socket {
        let (socket, _) = self.listener.accept().expect("an agent");
        accept(socket).expect("a WebSocket")
    }
}

/// What the agent logs after `fault` on its connection.
fn end_after(ping_interval: &str, fault: impl FnOnce(Socket)) -> Disconnect {
    let coordinator = Coordinator::new();
    let mut agent = Agent::dialling(coordinator.address(), ping_interval);
    fault(coordinator.accept());
    agent.end(LINE)
}

const QUIET: &str = "600000";

fn close(mut socket: Socket, code: Option<(u16, &'static str)>) {
    let frame = code.map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() });
    socket.close(frame).expect("sent");
    while socket.read().is_ok() {}
}

#[test]
fn a_close_code_means_what_its_standard_lists() {
    for (fault, code, reason) in [
        ("WebSocket close 1000", 1000, "done"),
        ("WebSocket close 1001", 1001, "server is going away"),
        ("WebSocket close 1002", 1002, "unexpected continuation frame"),
        ("WebSocket close 1008", 1008, "token expired"),
        ("WebSocket close 1011", 1011, "database is down"),
        ("WebSocket close 4321, unlisted", 4321, "quota\nINFO all is well"),
    ] {
        let end = end_after(QUIET, |socket| close(socket, Some((code, reason))));
        check(fault, &end);
    }
}

#[test]
fn a_close_frame_without_a_code_is_a_goodbye() {
    let end = end_after(QUIET, |socket| close(socket, None));
    check("WebSocket close without a code", &end);
}

#[test]
fn a_bad_frame_is_a_protocol_error() {
    let end = end_after(QUIET, |mut socket| {
        // Reserved bits and a reserved opcode.
        socket.get_mut().write_all(&[0xff, 0x00]).expect("sent");
        while socket.read().is_ok() {}
    });
    check("WebSocket bad frame", &end);
}

#[test]
fn a_reset_in_the_middle_of_a_frame_is_a_network_error() {
    let end = end_after(QUIET, |mut socket| {
        let stream = socket.get_mut();
        // A text frame of 100 bytes, of which 7 come.
        stream.write_all(&[0x81, 100]).expect("sent");
        stream.write_all(b"partial").expect("sent");
        SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).expect("set");
    });
    check("TCP reset in the middle of a WebSocket frame", &end);
}

#[test]
fn a_server_that_hangs_answers_no_ping() {
    let mut hung = None;
    let end = end_after("50", |socket| hung = Some(socket));
    check("WebSocket ping timeout", &end);
}

#[test]
fn a_server_that_restarts_is_dialled_again() {
    let coordinator = Coordinator::new();
    let mut agent = Agent::dialling(coordinator.address(), QUIET);
    close(coordinator.accept(), Some((1012, "upgrade")));
    check("WebSocket server restarted (close 1012)", &agent.end(LINE));
    coordinator.accept().send(Message::text("hello again")).expect("connected");
}

/// A server in a process of its own, so that it can be killed.
#[test]
fn a_server_process_that_is_killed_ends_the_connection_and_its_calls() {
    if respawned::is_respawned() {
        let coordinator = Coordinator::new();
        respawned::print_address(coordinator.address());
        let mut socket = coordinator.accept();
        println!("accepted");
        while socket.read().is_ok() {}
        return;
    }
    let mut server =
        Respawned::new("websocket::a_server_process_that_is_killed_ends_the_connection_and_its_calls");
    let mut agent = Agent::dialling(server.address(), QUIET);
    server.read_until("accepted");
    server.kill();
    check("WebSocket server killed", &agent.end(LINE));
    check(
        "call over the WebSocket of a server that is killed",
        &agent.end("disconnected from coordination RPC"),
    );
}
