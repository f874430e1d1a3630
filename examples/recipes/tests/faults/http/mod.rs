//! HTTP, against curl and Python's http.client.

use std::error::Error;
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
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
use recipes::http_body;
use tokio::time::sleep;

use crate::axum_websocket::session;
use crate::lines::Lines;
use crate::peer::Peer;
use crate::site::{LONG, Site};

mod body;
mod connection;

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
        path => Body::new(http_body::attributed(chunks(path), cause, longest, bodies.emit())),
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
