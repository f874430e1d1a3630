//! Bodies that are streamed.

use std::io::Read;
use std::net::{Shutdown, TcpStream};

use bytes::Bytes;
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Disconnect, DisconnectGuard, Evidence};
use http_body_util::{BodyExt, Full};

use super::{Attributed, LONG, Running, SHORT, ask, client_of, curl, serve, shutdown};
use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{has, reset};
use crate::words::words;

/// The line of a body that is sent to its client when a fault comes.
fn body_after<T>(fault: impl FnOnce(&Running, TcpStream) -> T) -> Disconnect {
    let server = serve(LONG, LONG);
    let client = client_of(&server, "/chunks");
    let _held = fault(&server, client);
    server.bodies.wait()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_body_ends_as_its_row_records() {
    let mut row = Row::of("HTTP body");
    curl_ends_a_body(&mut row);
    let end = body_after(|_, client| reset(&client));
    row.check("reset", &end);
    let end = body_after(|_, client| {
        client.shutdown(Shutdown::Both).expect("closed");
        client
    });
    row.check("the client closes in the middle", &end);
    this_side_ends_a_body(&mut row);
    row.complete();
}

fn curl_ends_a_body(row: &mut Row) {
    if !has("curl", "--version") {
        return row.skip(&["clean close", "killed"], "curl");
    }
    let server = serve(LONG, LONG);
    let mut client = curl(&server, &[], "/complete");
    assert_eq!(client.line(), "chunk");
    row.check("clean close", &server.bodies.wait());

    let server = serve(LONG, LONG);
    let mut client = curl(&server, &[], "/chunks");
    std::thread::sleep(SHORT);
    client.kill();
    row.check("killed", &server.bodies.wait());
}

fn this_side_ends_a_body(row: &mut Row) {
    let server = serve(LONG, SHORT);
    let mut client = client_of(&server, "/chunks");
    row.check("idle timeout", &server.bodies.wait());
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "not the whole");

    let end = body_after(|server, client| {
        server.agent.record(Evidence::Local, shutdown());
        client
    });
    row.check("shutdown", &end);

    let end = body_after(|server, client| {
        server.task.abort();
        client
    });
    row.check("aborted", &end);

    let server = serve(LONG, LONG);
    let _client = client_of(&server, "/panic");
    row.check("panic", &server.bodies.wait());

    let server = serve(LONG, LONG);
    let _client = ask(&server, "/failed");
    row.check("its source fails", &server.bodies.wait());
}

/// A body of a known length is never asked for what follows it.
#[tokio::test]
async fn a_body_of_a_known_length_is_complete() {
    for text in ["", "hello"] {
        let lines = Lines::default();
        let cause = DisconnectGuard::boxed(ClientToServer, |_| {}).cause();
        let body = Attributed::new(Full::<Bytes>::from(text), &cause, LONG, lines.emit());
        let collected = body.collect().await.expect("no error").to_bytes();
        assert_eq!(collected, text);
        let end = words(&lines.one());
        assert_eq!(end, "client_to_server ended by server: graceful");
    }
}

/// Such as that of the answer to a HEAD.
#[tokio::test]
async fn a_body_that_is_not_asked_for_has_no_line() {
    let lines = Lines::default();
    let cause = DisconnectGuard::boxed(ClientToServer, |_| {}).cause();
    drop(Attributed::new(Full::<Bytes>::from("hello"), &cause, LONG, lines.emit()));
    assert!(lines.take().is_empty());
}
