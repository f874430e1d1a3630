//! Proxies between sockets that fail.

use recipes::proxy_std;
use recipes::proxy_tokio;
use std::future::pending;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectReason, Evidence, Initiator,
};

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, asynchronous, pair, reset};

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

/// The sockets of a proxy and of both its peers.
struct Legs {
    client: TcpStream,
    from: TcpStream,
    to: TcpStream,
    server: TcpStream,
}

impl Legs {
    fn new() -> Self {
        let ((client, from), (to, server)) = (pair(), pair());
        Self {
            client,
            from,
            to,
            server,
        }
    }

    fn on_threads(self, idle: Duration) -> Running<thread::JoinHandle<()>> {
        let (agent, lines) = (Cause::default(), Lines::default());
        let (cause, log) = (agent.clone(), lines.emit());
        let Self { from, to, .. } = self;
        let inspect = |bytes: &[u8]| assert_ne!(bytes, b"panic", "a bug");
        Running {
            client: self.client,
            server: self.server,
            agent,
            lines,
            proxy: thread::spawn(move || {
                proxy_std::proxy(&from, &to, &cause, idle, inspect, log);
            }),
        }
    }

    fn on_tokio(
        self,
        idle: Duration,
        policy: impl Future<Output = Disconnect> + Send + 'static,
    ) -> Running<tokio::task::JoinHandle<()>> {
        let (agent, lines) = (Cause::default(), Lines::default());
        let (cause, log) = (agent.clone(), lines.emit());
        let (from, to) = (asynchronous(self.from), asynchronous(self.to));
        Running {
            client: self.client,
            server: self.server,
            agent,
            lines,
            proxy: tokio::spawn(async move {
                proxy_tokio::proxy(from, to, &cause, idle, policy, log).await;
            }),
        }
    }
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
    /// Sends a byte each way, so that both legs are up.
    fn up(mut self) -> Self {
        self.client.write_all(b"?").expect("sent");
        self.server.read_exact(&mut [0]).expect("passed on");
        self.server.write_all(b"!").expect("sent");
        self.client.read_exact(&mut [0]).expect("passed on");
        self
    }
}

fn is_reset(mut socket: &TcpStream) -> bool {
    socket
        .read_to_end(&mut Vec::new())
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

fn is_closed(mut socket: &TcpStream) -> bool {
    socket.read_to_end(&mut Vec::new()).is_ok()
}

fn finish(socket: &TcpStream) {
    socket.shutdown(Shutdown::Write).expect("half closed");
}

/// The faults of both peers, and a shutdown, which either proxy meets alike.
fn both_proxies_meet<T>(row: &mut Row, start: fn(Legs) -> Running<T>) {
    a_peer_stops_sending(row, start);
    a_peer_dies(row, start);

    let proxy = start(Legs::new()).up();
    proxy.agent.record(Evidence::Local, shutdown());
    assert!(is_closed(&proxy.client), "a FIN, since it was decided");
    assert!(is_closed(&proxy.server), "a FIN, since it was decided");
    row.check("shutdown", &proxy.lines.wait());

    let mut proxy = start(Legs::new()).up();
    finish(&proxy.client);
    proxy.server.read_to_end(&mut Vec::new()).expect("all");
    proxy.agent.record(Evidence::Local, shutdown());
    assert!(is_closed(&proxy.client), "a FIN, since it was decided");
    row.check("shutdown after a half close", &proxy.lines.wait());
}

fn a_peer_stops_sending<T>(row: &mut Row, start: fn(Legs) -> Running<T>) {
    let mut proxy = start(Legs::new()).up();
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

    let mut proxy = start(Legs::new()).up();
    drop(proxy.server);
    assert_eq!(proxy.client.read_to_end(&mut Vec::new()).expect("all"), 0);
    drop(proxy.client);
    row.check("the server stops first", &proxy.lines.wait());
}

fn a_peer_dies<T>(row: &mut Row, start: fn(Legs) -> Running<T>) {
    let mut server = Peer::python(ECHO, &[]);
    let port = server.line().parse().expect("a port");
    let to = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let mut proxy = start(Legs { to, ..Legs::new() });
    proxy.client.write_all(b"?").expect("sent");
    proxy.client.read_exact(&mut [0]).expect("echoed");
    server.kill();
    assert_eq!(proxy.client.read_to_end(&mut Vec::new()).expect("a FIN"), 0);
    drop(proxy.client);
    row.check("killed", &proxy.lines.wait());

    let proxy = start(Legs::new()).up();
    reset(&proxy.server);
    drop(proxy.server);
    assert!(is_reset(&proxy.client), "passed on");
    row.check("reset", &proxy.lines.wait());

    let proxy = start(Legs::new()).up();
    reset(&proxy.client);
    drop(proxy.client);
    assert!(is_reset(&proxy.server), "passed on");
    row.check("the client's leg is reset", &proxy.lines.wait());
}

#[test]
fn a_proxy_on_threads_ends_as_its_row_records() {
    let mut row = Row::of("proxy, std");
    both_proxies_meet(&mut row, |legs| legs.on_threads(LONG));

    let proxy = Legs::new().on_threads(SHORT).up();
    assert!(is_closed(&proxy.server), "a FIN, since it was decided");
    row.check("idle timeout", &proxy.lines.wait());

    let mut proxy = Legs::new().on_threads(LONG).up();
    proxy.client.write_all(b"panic").expect("sent");
    assert!(is_reset(&proxy.server), "cut");
    assert!(proxy.proxy.join().is_err());
    row.check("panic", &proxy.lines.wait());

    row.complete();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_on_tokio_ends_as_its_row_records() {
    let mut row = Row::of("proxy, tokio");
    both_proxies_meet(&mut row, |legs| legs.on_tokio(LONG, pending()));

    let started = Instant::now();
    let mut proxy = Legs::new().on_tokio(SHORT, pending()).up();
    // Each byte restarts the timer.
    for _ in 0..5 {
        thread::sleep(SHORT / 2);
        proxy.client.write_all(b"?").expect("sent");
    }
    assert!(is_closed(&proxy.server), "a FIN, since it was decided");
    assert!(started.elapsed() >= SHORT * 7 / 2);
    row.check("idle timeout", &proxy.lines.wait());

    let policy = async {
        tokio::time::sleep(SHORT).await;
        let refused = Disconnect::new(ConnectType::ClientToServer, DisconnectReason::Rejected);
        refused.with_initiator(Initiator::Agent)
    };
    let proxy = Legs::new().on_tokio(LONG, policy).up();
    finish(&proxy.client);
    assert!(is_closed(&proxy.client), "a FIN, since it was decided");
    row.check("policy after a half close", &proxy.lines.wait());

    let proxy = Legs::new().on_tokio(LONG, pending()).up();
    proxy.proxy.abort();
    row.check("aborted", &proxy.lines.wait());

    let bug = async {
        tokio::time::sleep(SHORT).await;
        panic!("a bug")
    };
    let proxy = Legs::new().on_tokio(LONG, bug).up();
    assert!(proxy.proxy.await.is_err());
    row.check("panic", &proxy.lines.wait());

    row.complete();
}
