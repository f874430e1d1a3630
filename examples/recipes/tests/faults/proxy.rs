//! Proxies between sockets that fail.

use std::future::pending;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream, Trigger,
};
use recipes::proxy::{pass_on_a_break, proxy};

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, asynchronous, pair, reset};
use crate::site::{LONG, SHORT, shutdown};

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
        Self { client, from, to, server }
    }

    fn on_threads(self, idle: Duration) -> Running<thread::JoinHandle<()>> {
        let (agent, lines) = (Cause::default(), Lines::default());
        let guard = DisconnectGuard::new(ClientToServer, lines.emit()).with_cause(agent.child());
        let Self { client, from, to, server } = self;
        let proxy = thread::spawn(move || copy_on_threads(&from, &to, idle, &guard));
        Running { client, server, agent, lines, proxy }
    }

    fn on_tokio(
        self,
        idle: Duration,
        policy: impl Future<Output = Disconnect> + Send + 'static,
    ) -> Running<tokio::task::JoinHandle<()>> {
        let (agent, lines) = (Cause::default(), Lines::default());
        let (cause, log) = (agent.clone(), lines.emit());
        let Self { client, from, to, server } = self;
        let (from, to) = (asynchronous(from), asynchronous(to));
        let proxy = tokio::spawn(async move { proxy(from, to, &cause, idle, policy, log).await });
        Running { client, server, agent, lines, proxy }
    }
}

/// The loop of the guard's page, which looks up at times: it has an idle policy, and hears of a shutdown.
fn copy_on_threads<F: FnOnce(Disconnect)>(
    client: &TcpStream,
    server: &TcpStream,
    idle: Duration,
    guard: &DisconnectGuard<F>,
) {
    let (cause, heard, has_panicked) = (guard.cause(), Mutex::new(Instant::now()), AtomicBool::new(false));
    let track = |socket, peer| guard.track(socket, peer).with_half_close();
    let [from_client, to_client] = [(); 2].map(|()| track(client, Initiator::Client));
    let [from_server, to_server] = [(); 2].map(|()| track(server, Initiator::Server));
    let pump = |mut from: TrackedStream<&TcpStream>, mut to: TrackedStream<&TcpStream>| {
        let _ = from.get_ref().set_read_timeout(Some(SHORT / 2));
        let mut buffer = [0; 1024];
        while cause.get().is_none() && !has_panicked.load(Relaxed) {
            match from.read(&mut buffer) {
                Ok(0) => return drop(to.get_ref().shutdown(Shutdown::Write)),
                Ok(length) => {
                    *heard.lock().expect("no panic") = Instant::now();
                    assert_ne!(buffer[..length], *b"panic", "a bug");
                    let _ = to.write_all(&buffer[..length]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if heard.lock().expect("no panic").elapsed() >= idle {
                        let end = Disconnect::closed_by(ClientToServer, Initiator::Agent);
                        cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                    }
                }
                Err(_) => {}
            }
        }
        pass_on_a_break(&cause, [client, server]);
    };
    let pump = |from, to| {
        catch_unwind(AssertUnwindSafe(|| pump(from, to))).unwrap_or_else(|panic| {
            has_panicked.store(true, Relaxed);
            pass_on_a_break(&cause, [client, server]);
            resume_unwind(panic);
        });
    };
    thread::scope(|scope| {
        scope.spawn(|| pump(from_client, to_server));
        pump(from_server, to_client);
    });
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
    socket.read_to_end(&mut Vec::new()).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
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
    assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(4), Some(10)));
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
        let refused = Disconnect::new(ClientToServer, DisconnectReason::Rejected);
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
