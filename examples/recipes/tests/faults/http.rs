//! HTTP, against curl and Python's http.client: connections that are kept alive, in a request and between two, and bodies
//! that are streamed.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::Uri;
use axum::routing::get;
use bytes::Bytes;
use disconnect_attribution::Cause;
use futures_util::stream::{self, StreamExt};
use http_body_util::{BodyExt, Full};
use recipes::http_body::attributed;
use tokio::time::sleep;

use crate::axum_websocket::session;
use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, reset, send_fin};
use crate::site::{Act, LONG, SHORT, Site, TLS_HELLO, World, check_faults};
use crate::websockets;
use crate::words::words;

/// Python's client: one request on a connection that it keeps alive.
const CLIENT: &str = "
import http.client, sys, time
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
connection.request('GET', sys.argv[2])
print('sent')
response = connection.getresponse()
print(response.read(5))
time.sleep(600)
";

/// A stream of chunks, with an end of its own, with an error, with a bug, or without an end.
fn chunks(path: &str) -> Body {
    let chunk = || Ok::<_, Box<dyn Error + Send + Sync>>(Bytes::from_static(b"chunk\n"));
    let first = stream::iter([chunk()]);
    let ticks = stream::unfold((), move |()| async move {
        sleep(Duration::from_millis(10)).await;
        Some((chunk(), ()))
    });
    match path {
        "/complete" => Body::from_stream(first),
        "/failed" => Body::from_stream(first.chain(stream::iter([Err("no such row".into())]))),
        "/panic" => Body::from_stream(first.chain(ticks.take(3)).chain(stream::poll_fn(|_| panic!("a bug")))),
        _ => Body::from_stream(first.chain(ticks)),
    }
}

async fn answer(path: &str, cause: &Cause, bodies: Lines, longest: Duration) -> Body {
    match path {
        "/" => "hello".into(),
        "/slow" => std::future::pending().await,
        "/bug" => panic!("a bug"),
        path => Body::new(attributed(chunks(path), cause, longest, bodies.emit())),
    }
}

/// Serves with an idle policy, and a deadline for each body.
fn serve(idle: Duration, longest: Duration) -> Site {
    crate::site::serve(move |socket, world| async move {
        let bodies = world.lines;
        let answer = async move |Extension(cause): Extension<Cause>, uri: Uri| {
            answer(uri.path(), &cause, bodies, longest).await
        };
        let websocket = async |Extension(cause): Extension<Cause>, upgrade: WebSocketUpgrade| {
            upgrade.on_upgrade(move |socket| session(socket, cause, LONG))
        };
        let router = Router::new().route("/websocket", get(websocket)).fallback(answer);
        recipes::http_server::serve(socket, &world.agent, idle, router, world.connection.emit()).await;
    })
}

/// A client that asks for a path and has read that the answer begins.
fn client_of(site: &Site, path: &str) -> TcpStream {
    let mut socket = ask(site, path);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    socket.read_exact(&mut [0; 5]).expect("hello, or a chunk");
    socket
}

fn ask(site: &Site, path: &str) -> TcpStream {
    site.send(format!("GET {path} HTTP/1.1\r\nHost: server\r\n\r\n").as_bytes())
}

fn curl(site: &Site, arguments: &[&str], path: &str) -> Peer {
    let url = format!("http://{}{path}", site.address);
    Peer::spawn(Command::new("curl").args(["--silent", "--no-buffer"]).args(arguments).arg(url))
}

/// A server whose line is the connection's.
fn serve_lines(idle: Duration) -> Site {
    let site = serve(idle, LONG);
    let World { agent, lines, connection } = site.world;
    Site { world: World { agent, lines: connection, connection: lines }, ..site }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_ends_as_its_row_records() {
    let mut row = Row::of("HTTP connection");
    check_faults(&mut row, |idle| serve_lines(idle).with(|site| client_of(site, "/")), &[]);
    let site = serve_lines(LONG);
    curl_ends_a_connection(&mut row, &site);
    a_client_ends_a_connection_without_a_word(&mut row, &site);
    a_client_leaves_http2(&mut row, &site);
    this_side_ends_a_connection(&mut row, &site);

    drop(websockets::connect(&site, "/websocket"));
    row.check("a WebSocket over it, a FIN without a goodbye", &site.wait());
    websockets::close(&mut websockets::connect(&site, "/websocket"), None);
    row.check("a WebSocket over it, closed", &site.wait());
}

fn curl_ends_a_connection(row: &mut Row, site: &Site) {
    for (fault, arguments, path, code) in [
        ("clean close", &[][..], "/", 0),
        ("Connection: close", &["--header", "Connection: close"], "/", 0),
        ("HTTP/2, clean close", &["--http2-prior-knowledge"], "/", 0),
        ("curl gives up waiting", &["--max-time", "0.2"], "/slow", 28),
    ] {
        if row.has_program("curl", &[fault]) {
            assert_eq!(curl(site, arguments, path).wait(), Some(code), "{fault}");
            row.check(fault, &site.wait());
        }
    }
}

fn a_client_ends_a_connection_without_a_word(row: &mut Row, site: &Site) {
    for (fault, path, word) in [("killed", "/", "hello"), ("killed in a request", "/slow", "sent")] {
        let mut client = Peer::python(CLIENT, &[&site.port(), path]);
        client.read_until(word);
        thread::sleep(SHORT);
        client.kill();
        row.check(fault, &site.wait());
    }

    for (fault, client) in
        [("reset in a request", ask(site, "/slow")), ("reset before a byte", site.connect())]
    {
        thread::sleep(SHORT);
        reset(client);
        row.check(fault, &site.wait());
    }

    drop(site.connect());
    row.check("no request at all", &site.wait());
}

/// HTTP/2 by hand, beyond what curl does.
fn a_client_leaves_http2(row: &mut Row, site: &Site) {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ACKNOWLEDGED: [u8; 9] = [0, 0, 0, 4, 1, 0, 0, 0, 0];
    // The head of a frame of 100 bytes, and three of them.
    const CUT: [u8; 12] = [0, 0, 100, 1, 4, 0, 0, 0, 1, 0, 0, 0];
    for (fault, first, cut) in
        [("HTTP/2, a preface in two parts", 1, &[][..]), ("HTTP/2, a cut frame", PREFACE.len(), &CUT)]
    {
        let mut client = site.send(&PREFACE[..first]);
        thread::sleep(SHORT);
        let rest = [&PREFACE[first..], &SETTINGS, &ACKNOWLEDGED, cut].concat();
        client.write_all(&rest).expect("sent");
        send_fin(&client);
        client.read_to_end(&mut Vec::new()).expect("all that it answers");
        row.check(fault, &site.wait());
    }
}

fn this_side_ends_a_connection(row: &mut Row, site: &Site) {
    let _client = ask(site, "/bug");
    row.check("panic", &site.wait());

    site.send_banner();
    row.check("our own 400", &site.wait());

    let _client = site.send(TLS_HELLO);
    row.check("a TLS hello", &site.wait());

    let site = serve_lines(LONG);
    let _client = ask(&site, "/slow");
    thread::sleep(SHORT);
    site.task.abort();
    row.check("aborted in a request", &site.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_body_ends_as_its_row_records() {
    let mut row = Row::of("HTTP body");
    let leaves: (_, Act<TcpStream>) = ("the client closes in the middle", |_, client| {
        client.shutdown(Shutdown::Both).expect("closed");
    });
    let start = |longest| serve(LONG, longest).with(|site| client_of(site, "/chunks"));
    check_faults(&mut row, start, &[leaves]);

    let site = serve(LONG, LONG);
    if row.has_program("curl", &["clean close", "killed"]) {
        let mut client = curl(&site, &[], "/complete");
        assert_eq!(client.line(), "chunk");
        row.check("clean close", &site.wait());

        let mut client = curl(&site, &[], "/chunks");
        client.line();
        client.kill();
        row.check("killed", &site.wait());
    }

    let _client = client_of(&site, "/panic");
    row.check("panic", &site.wait());
    let _client = ask(&site, "/failed");
    row.check("its source fails", &site.wait());
}

/// Who reads a body of a known length never asks for what follows it.
#[tokio::test]
async fn a_body_of_a_known_length_is_complete() {
    for text in ["", "hello"] {
        let lines = Lines::default();
        let mut body = attributed(Full::<Bytes>::from(text), &Cause::default(), LONG, lines.emit());
        let frame = body.frame().await.transpose().expect("no error");
        let chunk = frame.map(|frame| frame.into_data().expect("a chunk"));
        assert_eq!(chunk.unwrap_or_default(), text);
        assert_eq!(words(&lines.one()), "client_to_server ended by server: graceful");
    }
}

/// Such as that of the answer to a HEAD.
#[tokio::test]
async fn a_body_that_is_not_asked_for_has_no_line() {
    let lines = Lines::default();
    drop(attributed(Full::<Bytes>::from("hello"), &Cause::default(), LONG, lines.emit()));
    assert!(lines.take().is_empty());
}
