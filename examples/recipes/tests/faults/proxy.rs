//! Proxies between sockets that fail.

use std::future::pending;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use disconnect_attribution::{Cause, ConnectType, Disconnect, Evidence, Initiator};

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, asynchronous, pair, reset};

#[path = "../../../../src/pages/recipes/proxy_std.rs"]
mod proxy_std;
#[path = "../../../../src/pages/recipes/proxy_tokio.rs"]
mod proxy_tokio;

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(100);

/// A server of its own that echoes, and is killed.
const ECHO: &str = "
import socket
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1])
socket, _ = listener.accept()
while data := socket.recv(100):
    socket.sendall(data)
print('done')
";

fn shutdown() -> Disconnect {
    Disconnect::shutdown(ConnectType::AgentToClient, Initiator::Agent)
}

/// A proxy that runs, and both of its peers.
struct Running<T> {
    client: TcpStream,
    server: TcpStream,
    agent: Cause,
    lines: Lines,
    proxy: T,
}

impl<T> Running<T> {
    /// Sends a byte each way, so that all is up.
    fn up(mut self) -> Self {
        self.client.write_all(b"?").expect("sent");
        self.server.read_exact(&mut [0]).expect("passed on");
        self.server.write_all(b"!").expect("sent");
        self.client.read_exact(&mut [0]).expect("passed on");
        self
    }
}

fn on_threads(idle: Duration) -> Running<JoinHandle<()>> {
    let ((client, from), (to, server)) = (pair(), pair());
    start_on_threads(client, from, to, server, idle).up()
}

fn start_on_threads(
    client: TcpStream,
    from: TcpStream,
    to: TcpStream,
    server: TcpStream,
    idle: Duration,
) -> Running<JoinHandle<()>> {
    let (agent, lines) = (Cause::default(), Lines::default());
    let (cause, log) = (agent.clone(), lines.emit());
    let inspect = |bytes: &[u8]| assert_ne!(bytes, b"panic", "a bug");
    let proxy = thread::spawn(move || proxy_std::proxy(&from, &to, &cause, idle, inspect, log));
    Running {
        client,
        server,
        agent,
        lines,
        proxy,
    }
}

fn is_reset(mut socket: &TcpStream) -> bool {
    socket
        .read_to_end(&mut Vec::new())
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

fn finish(socket: &TcpStream) {
    socket.shutdown(Shutdown::Write).expect("half closed");
}

#[test]
fn threads() {
    let mut row = Row::of("proxy, std");

    let mut proxy = on_threads(LONG);
    proxy.client.write_all(b"all").expect("sent");
    finish(&proxy.client);
    proxy.server.read_to_end(&mut Vec::new()).expect("all");
    proxy.server.write_all(b"an answer").expect("sent");
    drop(proxy.server);
    assert_eq!(proxy.client.read_to_end(&mut Vec::new()).expect("all"), 9);
    let end = proxy.lines.wait();
    assert_eq!(
        (end.bytes_received(), end.bytes_sent()),
        (Some(4), Some(10))
    );
    row.check("clean close", &end);

    let mut proxy = on_threads(LONG);
    drop(proxy.server);
    assert_eq!(proxy.client.read_to_end(&mut Vec::new()).expect("all"), 0);
    drop(proxy.client);
    row.check("the server stops first", &proxy.lines.wait());

    let mut server = Peer::python(ECHO, &[]);
    let port = server.line().parse().expect("a port");
    let to = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let (client, from) = pair();
    let (_, unused) = pair();
    let mut proxy = start_on_threads(client, from, to, unused, LONG);
    proxy.client.write_all(b"?").expect("sent");
    proxy.client.read_exact(&mut [0]).expect("echoed");
    server.kill();
    assert_eq!(proxy.client.read_to_end(&mut Vec::new()).expect("a FIN"), 0);
    drop(proxy.client);
    row.check("killed", &proxy.lines.wait());

    let proxy = on_threads(LONG);
    reset(&proxy.server);
    drop(proxy.server);
    assert!(is_reset(&proxy.client), "passed on");
    row.check("reset", &proxy.lines.wait());

    let proxy = on_threads(LONG);
    reset(&proxy.client);
    drop(proxy.client);
    assert!(is_reset(&proxy.server), "passed on");
    row.check("the client's leg is reset", &proxy.lines.wait());

    let proxy = on_threads(SHORT);
    assert!(is_reset(&proxy.server), "cut");
    row.check("idle timeout", &proxy.lines.wait());

    let proxy = on_threads(LONG);
    proxy.agent.record(Evidence::Local, shutdown());
    assert!(is_reset(&proxy.client), "cut");
    row.check("shutdown", &proxy.lines.wait());

    let mut proxy = on_threads(LONG);
    proxy.client.write_all(b"panic").expect("sent");
    assert!(is_reset(&proxy.server), "cut");
    assert!(proxy.proxy.join().is_err());
    row.check("panic", &proxy.lines.wait());

    row.complete();
}

fn on_tokio(
    idle: Duration,
    policy: impl Future<Output = Disconnect> + Send + 'static,
) -> Running<tokio::task::JoinHandle<()>> {
    let ((client, from), (to, server)) = (pair(), pair());
    start_on_tokio(client, from, to, server, idle, policy).up()
}

fn start_on_tokio(
    client: TcpStream,
    from: TcpStream,
    to: TcpStream,
    server: TcpStream,
    idle: Duration,
    policy: impl Future<Output = Disconnect> + Send + 'static,
) -> Running<tokio::task::JoinHandle<()>> {
    let (agent, lines) = (Cause::default(), Lines::default());
    let (cause, log) = (agent.clone(), lines.emit());
    let proxy = tokio::spawn(async move {
        let (from, to) = (asynchronous(from), asynchronous(to));
        proxy_tokio::proxy(from, to, &cause, idle, policy, log).await;
    });
    Running {
        client,
        server,
        agent,
        lines,
        proxy,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks() {
    let mut row = Row::of("proxy, tokio");

    let mut proxy = on_tokio(LONG, pending());
    finish(&proxy.client);
    proxy.server.read_to_end(&mut Vec::new()).expect("all");
    proxy.server.write_all(b"an answer").expect("sent");
    drop(proxy.server);
    assert_eq!(proxy.client.read_to_end(&mut Vec::new()).expect("all"), 9);
    let end = proxy.lines.wait();
    assert_eq!(
        (end.bytes_received(), end.bytes_sent()),
        (Some(1), Some(10))
    );
    row.check("clean close", &end);

    let mut proxy = on_tokio(LONG, pending());
    drop(proxy.server);
    assert_eq!(proxy.client.read_to_end(&mut Vec::new()).expect("all"), 0);
    drop(proxy.client);
    row.check("the server stops first", &proxy.lines.wait());

    let mut server = Peer::python(ECHO, &[]);
    let port = server.line().parse().expect("a port");
    let to = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let (client, from) = pair();
    let (_, unused) = pair();
    let mut proxy = start_on_tokio(client, from, to, unused, LONG, pending());
    proxy.client.write_all(b"?").expect("sent");
    proxy.client.read_exact(&mut [0]).expect("echoed");
    server.kill();
    assert_eq!(proxy.client.read_to_end(&mut Vec::new()).expect("a FIN"), 0);
    drop(proxy.client);
    row.check("killed", &proxy.lines.wait());

    let proxy = on_tokio(LONG, pending());
    reset(&proxy.server);
    drop(proxy.server);
    assert!(is_reset(&proxy.client), "passed on");
    row.check("reset", &proxy.lines.wait());

    let proxy = on_tokio(LONG, pending());
    reset(&proxy.client);
    drop(proxy.client);
    assert!(is_reset(&proxy.server), "passed on");
    row.check("the client's leg is reset", &proxy.lines.wait());

    let started = std::time::Instant::now();
    let mut proxy = on_tokio(SHORT, pending());
    // What moves pushes the timer out.
    for _ in 0..5 {
        thread::sleep(SHORT / 2);
        proxy.client.write_all(b"?").expect("sent");
    }
    assert!(is_reset(&proxy.server), "cut");
    assert!(started.elapsed() >= SHORT * 7 / 2);
    row.check("idle timeout", &proxy.lines.wait());

    let proxy = on_tokio(LONG, pending());
    proxy.agent.record(Evidence::Local, shutdown());
    assert!(is_reset(&proxy.client), "cut");
    row.check("shutdown", &proxy.lines.wait());

    let proxy = on_tokio(LONG, pending());
    proxy.proxy.abort();
    row.check("aborted", &proxy.lines.wait());

    let proxy = on_tokio(LONG, async {
        tokio::time::sleep(SHORT).await;
        panic!("a bug")
    });
    assert!(proxy.proxy.await.is_err());
    row.check("panic", &proxy.lines.wait());

    row.complete();
}
