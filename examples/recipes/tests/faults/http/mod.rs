//! HTTP, against curl and Python's http.client.

use std::error::Error;
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use disconnect_attribution::Cause;
use futures_util::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use recipes::{http_body, websocket};
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::axum_websocket::SIDES;
use crate::lines::Lines;
use crate::peer::Peer;
use crate::site::{LONG, Site};
use crate::websockets::echo;

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

type Failure = Box<dyn Error + Send + Sync>;
/// A stream of chunks, without an end of its own, with an error, with a bug.
fn chunks(path: &str) -> UnsyncBoxBody<Bytes, Failure> {
    let chunk = || Ok(Frame::data(Bytes::from_static(b"chunk")));
    let first = stream::iter([chunk()]);
    let ticks = stream::unfold((), |()| async {
        sleep(Duration::from_millis(10)).await;
        Some((Ok(Frame::data(Bytes::from_static(b"chunk"))), ()))
    });
    match path {
        "/complete" => StreamBody::new(first).boxed_unsync(),
        "/failed" => StreamBody::new(first.chain(stream::iter([Err("no such row".into())]))).boxed_unsync(),
        "/panic" => StreamBody::new(first.chain(ticks.take(3)).chain(stream::poll_fn(|_| panic!("a bug"))))
            .boxed_unsync(),
        _ => StreamBody::new(first.chain(ticks)).boxed_unsync(),
    }
}

async fn answer(mut request: Request, bodies: Lines, longest: Duration) -> Response {
    let cause = request.extensions().get::<Cause>();
    let cause = cause.expect("of the recipe").clone();
    let path = request.uri().path().to_owned();
    match &*path {
        "/" => "hello".into_response(),
        "/slow" => {
            sleep(LONG).await;
            "hello".into_response()
        }
        "/bug" => panic!("a bug"),
        "/websocket" => {
            let head = Request::builder().uri("/").method("GET");
            let mut head = head.body(()).expect("a head");
            head.headers_mut().clone_from(request.headers());
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let upgraded = TokioIo::new(upgrade.await.expect("upgraded"));
                let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
                // One over one: the same cause, and the connection's guard.
                websocket::run(socket, &cause, SIDES, echo).await;
            });
            create_response(&head).expect("a WebSocket's").map(|()| Body::empty())
        }
        path => {
            let body = http_body::attributed(chunks(path), &cause, longest, bodies.emit());
            Response::new(Body::new(body))
        }
    }
}

/// Serves with an idle policy, and a deadline for each body.
fn serve(idle: Duration, longest: Duration) -> Site {
    crate::site::serve(move |socket, world| async move {
        let bodies = world.lines;
        let router =
            Router::new().fallback(async move |request| answer(request, bodies.clone(), longest).await);
        recipes::http::serve(socket, &world.agent, idle, router, world.connection.emit()).await;
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
