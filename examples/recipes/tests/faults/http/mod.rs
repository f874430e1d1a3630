//! HTTP, against curl and Python's http.client.

use recipes::http as recipe;
use recipes::http_body;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use disconnect_attribution::ConnectType::{AgentToClient, ClientToServer};
use disconnect_attribution::{Cause, Disconnect, Initiator};
use futures_util::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::lines::Lines;
use crate::peer::{Peer, asynchronous};
use crate::websockets::echo;
use recipes::websocket::{self as recipe_websocket, Site};

mod body;
mod connection;

use http_body::Attributed;

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(150);

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
                recipe_websocket::run(socket, &cause, SITE, echo).await;
            });
            create_response(&head).expect("a WebSocket's").map(|()| Body::empty())
        }
        path => Response::new(Body::new(Attributed::new(chunks(path), &cause, longest, bodies.emit()))),
    }
}

const SITE: Site = Site {
    layer: ClientToServer,
    this_side: Initiator::Server,
    peer: Initiator::Client,
    patience: LONG,
    idle: LONG,
};

struct Running {
    port: u16,
    agent: Cause,
    connection: Lines,
    bodies: Lines,
    task: JoinHandle<()>,
}

fn serve(idle: Duration, longest: Duration) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (agent, connection, bodies) = (Cause::default(), Lines::default(), Lines::default());
    let (cause, log, lines) = (agent.clone(), connection.emit(), bodies.clone());
    let task = tokio::spawn(async move {
        let accepted = tokio::task::spawn_blocking(move || listener.accept());
        let (socket, _) = accepted.await.expect("no panic").expect("a client");
        let router =
            Router::new().fallback(async move |request| answer(request, lines.clone(), longest).await);
        recipe::serve(asynchronous(socket), &cause, idle, router, log).await;
    });
    Running { port, agent, connection, bodies, task }
}

/// A client that asks for a path and has read that the answer begins.
fn client_of(server: &Running, path: &str) -> TcpStream {
    let mut socket = ask(server, path);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    socket.read_exact(&mut [0; 5]).expect("hello, or a chunk");
    socket
}

fn connect(server: &Running) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.port)).expect("accepted")
}

fn ask(server: &Running, path: &str) -> TcpStream {
    let mut socket = connect(server);
    write!(socket, "GET {path} HTTP/1.1\r\nHost: server\r\n\r\n").expect("sent");
    socket
}

fn shutdown() -> Disconnect {
    Disconnect::shutdown(AgentToClient, Initiator::Agent)
}

fn curl(server: &Running, arguments: &[&str], path: &str) -> Peer {
    let url = format!("http://127.0.0.1:{}{path}", server.port);
    Peer::spawn(Command::new("curl").args(["--silent", "--no-buffer"]).args(arguments).arg(url))
}
