//! HTTP, against curl and Python's http.client.

use std::convert::Infallible;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use disconnect_attribution::ConnectType::{AgentToClient, ClientToServer};
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Evidence, Initiator};
use futures_util::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{self as websocket, Message};

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, asynchronous, has, reset};
use crate::websocket::{self as recipe_websocket, Site};
use crate::websockets::echo;

#[path = "../../../../src/pages/recipes/http_body.rs"]
mod http_body;
#[path = "../../../../src/pages/recipes/http.rs"]
mod recipe;

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
type Body = UnsyncBoxBody<Bytes, Failure>;

fn text(text: &'static str) -> Body {
    Full::from(text)
        .map_err(|never| match never {})
        .boxed_unsync()
}

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
        "/failed" => {
            StreamBody::new(first.chain(stream::iter([Err("no such row".into())]))).boxed_unsync()
        }
        "/panic" => StreamBody::new(
            first
                .chain(ticks.take(3))
                .chain(stream::poll_fn(|_| panic!("a bug"))),
        )
        .boxed_unsync(),
        _ => StreamBody::new(first.chain(ticks)).boxed_unsync(),
    }
}

async fn answer(
    mut request: Request<Incoming>,
    bodies: Lines,
    longest: Duration,
) -> Result<Response<Body>, Infallible> {
    let cause = request
        .extensions()
        .get::<Cause>()
        .expect("of the recipe")
        .clone();
    let path = request.uri().path().to_owned();
    let response = Response::new(text("hello"));
    Ok(match &*path {
        "/" => response,
        "/slow" => {
            sleep(LONG).await;
            response
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
                let site = Site {
                    layer: ClientToServer,
                    this_side: Initiator::Server,
                    peer: Initiator::Client,
                    patience: LONG,
                    idle: LONG,
                };
                // One over one: the same cause, and the connection's guard.
                recipe_websocket::run(socket, &cause, site, echo).await;
            });
            create_response(&head)
                .expect("a WebSocket's")
                .map(|()| text(""))
        }
        path => Response::new(
            Attributed::new(chunks(path), &cause, longest, bodies.emit()).boxed_unsync(),
        ),
    })
}

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
        let service = service_fn(move |request| answer(request, lines.clone(), longest));
        recipe::serve(asynchronous(socket), &cause, idle, service, log).await;
    });
    Running {
        port,
        agent,
        connection,
        bodies,
        task,
    }
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

fn ask(server: &Running, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port)).expect("accepted");
    write!(socket, "GET {path} HTTP/1.1\r\nHost: server\r\n\r\n").expect("sent");
    socket
}

fn shutdown() -> Disconnect {
    Disconnect::shutdown(AgentToClient, Initiator::Agent)
}

fn curl(server: &Running, arguments: &[&str], path: &str) -> Peer {
    let url = format!("http://127.0.0.1:{}{path}", server.port);
    Peer::spawn(
        Command::new("curl")
            .args(["--silent", "--no-buffer"])
            .args(arguments)
            .arg(url),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connection() {
    let mut row = Row::of("HTTP connection");
    let start = || serve(LONG, LONG);

    if has("curl", "--version") {
        let server = start();
        assert_eq!(curl(&server, &[], "/").line(), "hello");
        row.check("clean close", &server.connection.wait());

        let server = start();
        let mut client = curl(&server, &["--header", "Connection: close"], "/");
        assert_eq!(client.line(), "hello");
        row.check("Connection: close", &server.connection.wait());

        let server = start();
        let mut client = curl(&server, &["--max-time", "0.2"], "/slow");
        assert_eq!(client.wait(), Some(28));
        row.check("curl gives up waiting", &server.connection.wait());
    } else {
        for fault in ["clean close", "Connection: close", "curl gives up waiting"] {
            row.skip(fault, "curl");
        }
    }

    let server = start();
    let mut client = Peer::python(CLIENT, &[&server.port.to_string(), "/"]);
    client.read_until("hello");
    client.kill();
    row.check("killed", &server.connection.wait());

    let server = start();
    let mut client = Peer::python(CLIENT, &[&server.port.to_string(), "/slow"]);
    client.read_until("sent");
    std::thread::sleep(SHORT);
    client.kill();
    row.check("killed in a request", &server.connection.wait());

    for (fault, path) in [("reset", "/"), ("reset in a request", "/slow")] {
        let server = start();
        let client = if path == "/" {
            client_of(&server, path)
        } else {
            ask(&server, path)
        };
        std::thread::sleep(SHORT);
        reset(&client);
        drop(client);
        row.check(fault, &server.connection.wait());
    }

    let server = serve(SHORT, LONG);
    let mut client = client_of(&server, "/");
    row.check("idle timeout", &server.connection.wait());
    assert_eq!(client.read(&mut [0]).expect("closed"), 0);

    let server = start();
    let mut client = client_of(&server, "/");
    server.agent.record(Evidence::Local, shutdown());
    row.check("shutdown", &server.connection.wait());
    assert_eq!(client.read(&mut [0]).expect("closed"), 0);

    for (fault, path) in [("aborted", "/"), ("aborted in a request", "/slow")] {
        let server = start();
        let _client = if path == "/" {
            client_of(&server, path)
        } else {
            ask(&server, path)
        };
        std::thread::sleep(SHORT);
        server.task.abort();
        row.check(fault, &server.connection.wait());
    }

    let server = start();
    let _client = ask(&server, "/bug");
    row.check("panic", &server.connection.wait());

    let server = start();
    let mut client = TcpStream::connect(("127.0.0.1", server.port)).expect("accepted");
    client
        .write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    row.check("our own 400", &server.connection.wait());

    let server = start();
    drop(TcpStream::connect(("127.0.0.1", server.port)).expect("accepted"));
    row.check("no request at all", &server.connection.wait());

    let upgraded = |server: &Running| {
        let socket = TcpStream::connect(("127.0.0.1", server.port)).expect("accepted");
        let url = format!("ws://127.0.0.1:{}/websocket", server.port);
        let (mut socket, response) = websocket::client(url, socket).expect("upgraded");
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert!(response.headers().contains_key(header::UPGRADE));
        socket.send(Message::text("hello")).expect("sent");
        assert_eq!(socket.read().expect("an echo"), Message::text("hello"));
        socket
    };
    let server = start();
    drop(upgraded(&server));
    row.check(
        "a WebSocket over it, a FIN without a goodbye",
        &server.connection.wait(),
    );

    let server = start();
    let mut socket = upgraded(&server);
    socket.close(None).expect("sent");
    row.check("a WebSocket over it, closed", &server.connection.wait());
    row.complete();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn body() {
    let mut row = Row::of("HTTP body");
    let start = || serve(LONG, LONG);

    if has("curl", "--version") {
        let server = start();
        let mut client = curl(&server, &[], "/complete");
        assert_eq!(client.line(), "chunk");
        row.check("clean close", &server.bodies.wait());
        let server = start();
        let mut client = curl(&server, &[], "/chunks");
        std::thread::sleep(SHORT);
        client.kill();
        row.check("killed", &server.bodies.wait());
    } else {
        row.skip("clean close", "curl");
        row.skip("killed", "curl");
    }

    let server = start();
    let client = client_of(&server, "/chunks");
    reset(&client);
    drop(client);
    row.check("reset", &server.bodies.wait());

    let server = serve(LONG, SHORT);
    let mut client = client_of(&server, "/chunks");
    row.check("idle timeout", &server.bodies.wait());
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "not the whole");

    let server = start();
    let _client = client_of(&server, "/chunks");
    server.agent.record(Evidence::Local, shutdown());
    row.check("shutdown", &server.bodies.wait());

    let server = start();
    let _client = client_of(&server, "/chunks");
    server.task.abort();
    row.check("aborted", &server.bodies.wait());

    let server = start();
    let _client = client_of(&server, "/panic");
    row.check("panic", &server.bodies.wait());

    let server = start();
    let mut client = ask(&server, "/failed");
    row.check("its source fails", &server.bodies.wait());
    let _ = client.read_to_end(&mut Vec::new());

    let server = start();
    let client = client_of(&server, "/chunks");
    client.shutdown(Shutdown::Both).expect("closed");
    row.check("the client closes in the middle", &server.bodies.wait());
    row.complete();
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
        let end = crate::words::words(&lines.one());
        assert_eq!(end, "client_to_server ended by server: graceful");
    }
}
