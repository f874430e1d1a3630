//! A broker, against clients of Python and of std.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator};
use recipes::broker::{Broker, serve};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, reset};

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(300);
const LOGIN: &[u8] = b"\x01\x00\x05alice";
const PING: &[u8] = b"\x0c\x00\x00";

const CLIENT: &str = "
import socket, sys, time
socket = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
socket.sendall(b'\\x01\\x00\\x05alice\\x0c\\x00\\x00')
print(socket.recv(3))
time.sleep(600)
";

struct Running {
    port: u16,
    process: Cause,
    lines: Lines,
    connections: mpsc::UnboundedReceiver<AbortHandle>,
}

async fn run(keepalive: Duration) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (process, lines) = (Cause::default(), Lines::default());
    let broker = Arc::new(Broker {
        process: process.clone(),
        keepalive,
        may_log_in: |client| {
            assert_ne!(client, b"panic", "a bug");
            client == b"alice"
        },
        sessions: Mutex::default(),
    });
    let (sender, connections) = mpsc::unbounded_channel();
    let log = lines.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (broker, log) = (broker.clone(), log.emit());
            let connection = tokio::spawn(async move { serve(socket, &broker, log).await });
            let _ = sender.send(connection.abort_handle());
        }
    });
    Running { port, process, lines, connections }
}

impl Running {
    fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(("127.0.0.1", self.port)).expect("accepted");
        client.write_all(bytes).expect("sent");
        client
    }

    /// A client that is logged in.
    fn client(&self) -> TcpStream {
        let mut client = self.send(&[LOGIN, PING].concat());
        client.read_exact(&mut [0; 3]).expect("answered");
        client
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brokers_connection_ends_as_its_row_records() {
    let mut row = Row::of("broker");
    a_client_ends_it(&mut row).await;
    a_packet_ends_it(&mut row).await;
    the_broker_ends_it(&mut row).await;
    row.complete();
}

async fn a_client_ends_it(row: &mut Row) {
    let broker = run(LONG).await;
    broker.client().write_all(b"\x0e\x00\x00").expect("sent");
    row.check("clean close", &broker.lines.wait());

    let mut client = Peer::python(CLIENT, &[&broker.port.to_string()]);
    client.line();
    client.kill();
    row.check("killed", &broker.lines.wait());

    let client = broker.client();
    reset(&client);
    drop(client);
    row.check("reset", &broker.lines.wait());

    drop(broker.send(&[LOGIN, b"\x0c\x00"].concat()));
    row.check("cut in a packet", &broker.lines.wait());

    let _old = broker.client();
    let _new = broker.client();
    row.check("taken over by the same client", &broker.lines.wait());
}

async fn a_packet_ends_it(row: &mut Row) {
    for (fault, bytes) in [
        ("a packet that is too large", &b"\x01\x00\x05alice\x03\xff\xff"[..]),
        ("an unknown packet", b"\x01\x00\x05alice\x0f\x00\x00"),
        ("bad login", b"\x01\x00\x03eve"),
        ("panic", b"\x01\x00\x05panic"),
        ("an SSH banner", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("an HTTP request", b"GET / HTTP/1.1\r\n\r\n"),
    ] {
        let broker = run(LONG).await;
        let _client = broker.send(bytes);
        row.check(fault, &broker.lines.wait());
    }
}

async fn the_broker_ends_it(row: &mut Row) {
    let broker = run(SHORT).await;
    let _silent = broker.client();
    row.check("idle timeout", &broker.lines.wait());
    let _silent = broker.send(b"");
    row.check("no login in time", &broker.lines.wait());

    let broker = run(SHORT).await;
    let _frozen = broker.client();
    std::thread::sleep(SHORT * 2 / 3);
    let _new = broker.client();
    row.check("taken over after a silence", &broker.lines.wait());

    let broker = run(LONG).await;
    let _client = broker.client();
    let shutdown = Disconnect::shutdown(AgentToClient, Initiator::Agent);
    broker.process.record(Evidence::Local, shutdown);
    row.check("shutdown", &broker.lines.wait());

    let mut broker = run(LONG).await;
    let _client = broker.client();
    broker.connections.recv().await.expect("a connection").abort();
    row.check("aborted", &broker.lines.wait());
}
