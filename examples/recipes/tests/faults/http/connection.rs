//! Connections that are kept alive, in a request and between two.

use std::io::{Read, Write};
use std::net::TcpStream;

use disconnect_attribution::{Disconnect, Evidence};
use hyper::{StatusCode, header};
use tokio_tungstenite::tungstenite::{self as websocket, Message};

use super::{CLIENT, LONG, Running, SHORT, ask, client_of, connect, curl, serve, shutdown};
use crate::matrix::Row;
use crate::peer::{Peer, has, reset};

/// The line of a connection after a fault; what the fault returns is held until then.
fn connection_after<T>(fault: impl FnOnce(&Running) -> T) -> Disconnect {
    let server = serve(LONG, LONG);
    let _held = fault(&server);
    server.connection.wait()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_ends_as_its_row_records() {
    let mut row = Row::of("HTTP connection");
    curl_ends_a_connection(&mut row);
    a_client_ends_a_connection_without_a_word(&mut row);
    this_side_ends_a_connection(&mut row);
    a_websocket_ends_the_connection_under_it(&mut row);
    row.complete();
}

fn curl_ends_a_connection(row: &mut Row) {
    if !has("curl", "--version") {
        let faults = ["clean close", "Connection: close", "curl gives up waiting", "HTTP/2, clean close"];
        return row.skip(&faults, "curl");
    }
    let end = connection_after(|server| {
        let mut client = curl(server, &[], "/");
        assert_eq!(client.line(), "hello");
        assert_eq!(client.wait(), Some(0));
    });
    row.check("clean close", &end);

    let end = connection_after(|server| {
        let mut client = curl(server, &["--header", "Connection: close"], "/");
        assert_eq!(client.line(), "hello");
        client
    });
    row.check("Connection: close", &end);

    let end = connection_after(|server| {
        let mut client = curl(server, &["--http2-prior-knowledge"], "/");
        assert_eq!(client.line(), "hello");
        assert_eq!(client.wait(), Some(0));
    });
    row.check("HTTP/2, clean close", &end);

    let end = connection_after(|server| {
        let mut client = curl(server, &["--max-time", "0.2"], "/slow");
        assert_eq!(client.wait(), Some(28));
    });
    row.check("curl gives up waiting", &end);
}

fn a_client_ends_a_connection_without_a_word(row: &mut Row) {
    let python = |server: &Running, path| Peer::python(CLIENT, &[&server.port.to_string(), path]);
    let end = connection_after(|server| {
        let mut client = python(server, "/");
        client.read_until("hello");
        client.kill();
    });
    row.check("killed", &end);

    let end = connection_after(|server| {
        let mut client = python(server, "/slow");
        client.read_until("sent");
        std::thread::sleep(SHORT);
        client.kill();
    });
    row.check("killed in a request", &end);

    let resets = |client: TcpStream| {
        std::thread::sleep(SHORT);
        reset(&client);
    };
    let end = connection_after(|server| resets(client_of(server, "/")));
    row.check("reset", &end);
    let end = connection_after(|server| resets(ask(server, "/slow")));
    row.check("reset in a request", &end);

    let end = connection_after(|server| drop(connect(server)));
    row.check("no request at all", &end);
}

fn this_side_ends_a_connection(row: &mut Row) {
    let server = serve(SHORT, LONG);
    let mut client = client_of(&server, "/");
    row.check("idle timeout", &server.connection.wait());
    assert_eq!(client.read(&mut [0]).expect("closed"), 0);

    let server = serve(LONG, LONG);
    let mut client = client_of(&server, "/");
    server.agent.record(Evidence::Local, shutdown());
    row.check("shutdown", &server.connection.wait());
    assert_eq!(client.read(&mut [0]).expect("closed"), 0);

    let end = connection_after(|server| aborted(server, client_of(server, "/")));
    row.check("aborted", &end);
    let end = connection_after(|server| aborted(server, ask(server, "/slow")));
    row.check("aborted in a request", &end);

    let end = connection_after(|server| ask(server, "/bug"));
    row.check("panic", &end);

    let end = connection_after(|server| {
        let mut client = connect(server);
        let greeting = b"SSH-2.0-OpenSSH_9.2\r\n\r\n";
        client.write_all(greeting).expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        client
    });
    row.check("our own 400", &end);

    let end = connection_after(|server| {
        let mut client = connect(server);
        let hello = [&[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[7; 194]].concat();
        client.write_all(&hello).expect("sent");
        client
    });
    row.check("a TLS hello", &end);
}

fn aborted(server: &Running, client: TcpStream) -> TcpStream {
    std::thread::sleep(SHORT);
    server.task.abort();
    client
}

fn a_websocket_ends_the_connection_under_it(row: &mut Row) {
    let upgraded = |server: &Running| {
        let url = format!("ws://127.0.0.1:{}/websocket", server.port);
        let (mut socket, response) = websocket::client(url, connect(server)).expect("upgraded");
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert!(response.headers().contains_key(header::UPGRADE));
        socket.send(Message::text("hello")).expect("sent");
        assert_eq!(socket.read().expect("an echo"), Message::text("hello"));
        socket
    };
    let end = connection_after(|server| drop(upgraded(server)));
    row.check("a WebSocket over it, a FIN without a goodbye", &end);

    let end = connection_after(|server| {
        let mut socket = upgraded(server);
        socket.close(None).expect("sent");
        socket
    });
    row.check("a WebSocket over it, closed", &end);
}
