//! Proxies between sockets that fail.

use std::future::pending;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Disconnect, DisconnectReason, Evidence, Initiator, TrackedStream, Trigger};
use recipes::proxy::{pass_on_a_break, proxy};
use tokio::time::sleep;

use crate::matrix::Row;
use crate::peer::{Peer, listen, reset, send_fin};
use crate::site::{Act, Client, LONG, SHORT, Site, World, check_faults, patient, serve};

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

/// A proxy to an upstream, with an idle policy.
type Start = fn(SocketAddr, Duration) -> Site;

fn on_threads(upstream: SocketAddr, idle: Duration) -> Site {
    serve(move |socket, world| async move {
        let socket = socket.into_std().expect("a socket");
        socket.set_nonblocking(false).expect("set");
        let server = TcpStream::connect(upstream).expect("accepted");
        let copying = move || copy_on_threads(&socket, &server, &world, idle);
        let _ = tokio::task::spawn_blocking(copying).await;
    })
}

fn on_tokio(upstream: SocketAddr, idle: Duration) -> Site {
    with_policy(upstream, idle, pending)
}

fn with_policy<P: Future<Output = Disconnect> + Send + 'static>(
    upstream: SocketAddr,
    idle: Duration,
    policy: fn() -> P,
) -> Site {
    serve(move |socket, world| async move {
        let server = tokio::net::TcpStream::connect(upstream).await.expect("accepted");
        proxy(socket, server, world.guard(ClientToServer), &world.agent, idle, policy()).await;
    })
}

/// The loop of the guard's page, which looks up at times: it has an idle policy, and hears of a shutdown.
fn copy_on_threads(client: &TcpStream, server: &TcpStream, world: &World, idle: Duration) {
    let guard = world.guard(ClientToServer);
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

/// The sockets of both peers.
struct Peers {
    client: TcpStream,
    server: TcpStream,
}

/// A proxy, and peers that have heard of each other.
fn up(start: impl FnOnce(SocketAddr) -> Site) -> (Site, Peers) {
    let (listener, address) = listen();
    let site = start(address);
    let mut client = site.send(b"?");
    let mut server = patient(listener.accept().expect("dialled").0);
    server.read_exact(&mut [0]).expect("passed on");
    server.write_all(b"!").expect("sent");
    client.read_exact(&mut [0]).expect("passed on");
    (site, Peers { client, server })
}

impl Client for Peers {
    fn reset(self) {
        reset(self.server);
        assert!(is_reset(&self.client), "passed on");
    }

    fn read_goodbye(&mut self, _: &str) {
        // What was decided is no reset for either.
        self.client.read_to_end(&mut Vec::new()).expect("a FIN");
        self.server.read_to_end(&mut Vec::new()).expect("a FIN");
    }
}

fn is_reset(mut socket: &TcpStream) -> bool {
    socket.read_to_end(&mut Vec::new()).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

/// The faults that either proxy meets alike.
fn both_proxies_meet(row: &mut Row, start: Start) {
    let others: [(_, Act<Peers>); 2] = [
        ("the server stops first", |_, peers| {
            send_fin(&peers.server);
            assert_eq!(peers.client.read_to_end(&mut Vec::new()).expect("all"), 0);
            send_fin(&peers.client);
        }),
        ("shutdown after a half close", |site, peers| {
            send_fin(&peers.client);
            peers.server.read_to_end(&mut Vec::new()).expect("all");
            site.shut_down();
            peers.read_goodbye("shutdown");
        }),
    ];
    check_faults(row, |idle| up(|upstream| start(upstream, idle)), &others);
    let start = |upstream| start(upstream, LONG);

    let (site, mut peers) = up(start);
    peers.client.write_all(b"all").expect("sent");
    send_fin(&peers.client);
    peers.server.read_to_end(&mut Vec::new()).expect("all");
    peers.server.write_all(b"an answer").expect("sent");
    drop(peers.server);
    assert_eq!(peers.client.read_to_end(&mut Vec::new()).expect("all"), 9);
    let end = site.wait();
    assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(4), Some(10)));
    row.check("clean close", &end);

    let mut server = Peer::python(ECHO, &[]);
    let site = start(format!("127.0.0.1:{}", server.line()).parse().expect("an address"));
    let mut client = site.send(b"?");
    client.read_exact(&mut [0]).expect("echoed");
    server.kill();
    assert_eq!(client.read_to_end(&mut Vec::new()).expect("a FIN"), 0);
    drop(client);
    row.check("killed", &site.wait());

    let (site, peers) = up(start);
    reset(peers.client);
    assert!(is_reset(&peers.server), "passed on");
    row.check("the client's leg is reset", &site.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_on_threads_ends_as_its_row_records() {
    let mut row = Row::of("proxy, std");
    both_proxies_meet(&mut row, on_threads);

    let (site, mut peers) = up(|upstream| on_threads(upstream, LONG));
    peers.client.write_all(b"panic").expect("sent");
    assert!(is_reset(&peers.server), "cut");
    row.check("panic", &site.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_on_tokio_ends_as_its_row_records() {
    let mut row = Row::of("proxy, tokio");
    both_proxies_meet(&mut row, on_tokio);

    let started = Instant::now();
    let (_site, mut peers) = up(|upstream| on_tokio(upstream, SHORT * 3));
    // Each byte restarts the timer.
    for _ in 0..4 {
        thread::sleep(SHORT);
        peers.client.write_all(b"?").expect("sent");
    }
    peers.read_goodbye("idle timeout");
    assert!(started.elapsed() >= SHORT * 7);

    let refuses = || async {
        sleep(SHORT).await;
        let refused = Disconnect::new(ClientToServer, DisconnectReason::Rejected);
        refused.with_initiator(Initiator::Agent)
    };
    let (site, mut peers) = up(|upstream| with_policy(upstream, LONG, refuses));
    send_fin(&peers.client);
    peers.read_goodbye("policy");
    row.check("policy after a half close", &site.wait());

    let panics = || async {
        sleep(SHORT).await;
        panic!("a bug")
    };
    let (site, _peers) = up(|upstream| with_policy(upstream, LONG, panics));
    row.check("panic", &site.wait());
}
