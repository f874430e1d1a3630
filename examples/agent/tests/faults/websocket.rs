//! A control plane whose server, tungstenite's, fails in every way that a WebSocket knows.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use disconnect_attribution::Disconnect;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

use crate::agent::Agent;
use crate::check;
use crate::network::{listen, reset_when_dropped};
use crate::respawned::{self, Respawned};

const LINE: &str = "disconnected from coderd";

type Socket = WebSocket<TcpStream>;

/// Accepts what the agent's control plane dials.
fn accept_agent(listener: &TcpListener) -> Socket {
    accept(listener.accept().expect("an agent").0).expect("a WebSocket")
}

/// What the agent logs after `fault` on its connection, and holds what that returns until then.
fn end_after<T>(ping_interval: &str, fault: impl FnOnce(Socket) -> T) -> Disconnect {
    let (listener, address) = listen();
    let mut agent = Agent::dialling(address, ping_interval);
    let _held = fault(accept_agent(&listener));
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
    for (fault, frame) in [
        ("WebSocket close 1000", Some((1000, "done"))),
        ("WebSocket close 1001", Some((1001, "server is going away"))),
        ("WebSocket close 1002", Some((1002, "unexpected continuation frame"))),
        ("WebSocket close 1008", Some((1008, "token expired"))),
        ("WebSocket close 1011", Some((1011, "database is down"))),
        ("WebSocket close 4321, unlisted", Some((4321, "quota\nINFO all is well"))),
        ("WebSocket close without a code", None),
    ] {
        let end = end_after(QUIET, |socket| close(socket, frame));
        check(fault, &end);
    }
}

#[test]
fn a_server_may_send_nonsense_reset_in_the_middle_of_a_frame_or_hang() {
    let reserved_bits_and_opcode = [0xff, 0x00].as_slice();
    let seven_bytes_of_100 = b"\x81\x64partial";
    for (fault, ping_interval, bytes, resets) in [
        ("WebSocket bad frame", QUIET, reserved_bits_and_opcode, false),
        ("TCP reset in the middle of a WebSocket frame", QUIET, seven_bytes_of_100, true),
        ("WebSocket ping timeout", "50", &[], false),
    ] {
        let end = end_after(ping_interval, |mut socket| {
            socket.get_mut().write_all(bytes).expect("sent");
            if resets {
                reset_when_dropped(socket.get_ref());
            }
            (!resets).then_some(socket)
        });
        check(fault, &end);
    }
}

#[test]
fn a_server_that_restarts_is_dialled_again() {
    let (listener, address) = listen();
    let mut agent = Agent::dialling(address, QUIET);
    close(accept_agent(&listener), Some((1012, "upgrade")));
    check("WebSocket server restarted (close 1012)", &agent.end(LINE));
    accept_agent(&listener).send(Message::text("hello again")).expect("connected");
}

/// A server in a process of its own, so that it can be killed.
#[test]
fn a_server_process_that_is_killed_ends_the_connection_and_its_calls() {
    if respawned::is_respawned() {
        let (listener, address) = listen();
        respawned::print_address(address);
        let mut socket = accept_agent(&listener);
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
