//! A soak: a server process under real connections that end in every way. One line each, the right one; its descriptors
//! come back, and its memory stays flat.
//!
//! `TEST_SIZE=10` makes it 100,000 connections.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use serde_json::Value;
use slog::{Drain, Logger, info, o};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::support::respawned::{Respawned, is_respawned, print_address, respawn};
use crate::support::{DROPPED, END_OF_FILE, PANICKED, client_closed, random, track, words};

const TEST: &str = "soak::connections_that_end_in_every_way_leave_a_line_each_and_nothing_else";
const LAYER: ConnectType = ConnectType::AgentToClient;
const CONNECTIONS: u64 = 10_000;
/// So many at a time.
const AT_ONCE: u64 = 200;
/// So many more are open when the server shuts down.
const HELD: u64 = 100;
/// So many addresses, so that the ports of clients do not run out while old ones wait.
const ADDRESSES: u64 = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// How many clients were answered.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// What a client does once it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Leaves,
    /// Without a goodbye, as a host that has lost its state does.
    Resets,
    /// For this side to end the connection in good order.
    Waits,
}

/// How connections end, by turns: the client's command, what it does then, and what the line must read.
const STORIES: [(u8, Then, &str); 10] = [
    (b'g', Then::Waits, "agent_to_client ended by client: client_closed"),
    (b'f', Then::Leaves, END_OF_FILE),
    (b'r', Then::Leaves, "agent_to_client ended by client: client_closed (end_of_file, peer client)"),
    // A socket that is closed over bytes that were not read sends a reset (RFC 1122, section 4.2.2.13).
    (b'u', Then::Leaves, RESET),
    (b'l', Then::Resets, RESET),
    (b'a', Then::Waits, DROPPED),
    (b's', Then::Waits, "agent_to_client ended by agent: graceful (superseded)"),
    (b'p', Then::Waits, PANICKED),
    (b'?', Then::Waits, "agent_to_client ended: protocol_error: no such command: '?'"),
    (b'i', Then::Waits, "agent_to_client ended by agent: graceful (idle_timeout)"),
];
const RESET: &str = "agent_to_client ended by network: network_error (reset, peer client): \
                     read failed: Connection reset by peer (os error 104)";
const OPEN: (u8, Then, &str) = (b'h', Then::Waits, "agent_to_client ended by agent: server_shutdown");

/// Serves until standard input ends.
fn serve_all() {
    std::panic::set_hook(Box::new(|_| {})); // a thousand panics are part of it
    let log = Logger::root(Mutex::new(slog_json::Json::default(io::stdout())).fuse(), o!());
    let process = Cause::default();
    let runtime = Runtime::new().expect("runtime");
    let listener = runtime.block_on(TcpListener::bind("0.0.0.0:0")).expect("a free port");
    print_address(listener.local_addr().expect("bound"));
    runtime.spawn({
        let process = process.clone();
        async move {
            loop {
                let (socket, _) = listener.accept().await.expect("accepted");
                let (give, itself) = oneshot::channel();
                let task = tokio::spawn(serve(log.clone(), process.child(), socket, itself));
                let _ = give.send(task.abort_handle());
            }
        }
    });
    io::stdin().read_to_end(&mut Vec::new()).expect("no orders, and an end");
    process.record(Evidence::Local, Disconnect::shutdown(ConnectType::ServerToAgent, Initiator::Agent));
    drop(runtime); // the tasks that are left log here
}

async fn serve(
    log: Logger,
    cause: Cause,
    socket: TcpStream,
    itself: oneshot::Receiver<AbortHandle>,
) -> io::Result<()> {
    let number = Arc::new(AtomicU64::new(u64::MAX));
    let logged = Arc::clone(&number);
    let guard = DisconnectGuard::new(LAYER, move |end| {
        info!(log, "connection closed"; "connection" => logged.load(Ordering::Relaxed), end);
    })
    .with_cause(cause);
    let mut stream = track(&guard, socket);
    number.store(stream.read_u64().await?, Ordering::Relaxed);
    let command = stream.read_u8().await?;
    let ended_here = |trigger| Disconnect::closed_by(LAYER, Initiator::Agent).with_trigger(trigger);
    match command {
        b'g' => drop(guard.cause().record(Evidence::Peer, client_closed())),
        b'r' => guard.cause().presume(client_closed()),
        b's' => drop(guard.cause().record(Evidence::Local, ended_here(Trigger::Superseded))),
        _ => {}
    }
    let answer = [command; 2];
    stream.write_all(&answer[..if command == b'u' { 2 } else { 1 }]).await?;
    match command {
        b'g' => return Ok(()),
        b'a' | b's' => itself.await.expect("spawned").abort(),
        b'p' => panic!("a bug of the handler"),
        b'?' => {
            let error = io::Error::new(ErrorKind::InvalidData, "no such command: '?'");
            guard.record_error(&error);
            return Err(error);
        }
        b'i' => {
            let read = timeout(Duration::from_millis(30), stream.read_u8()).await;
            read.expect_err("the client is idle");
            guard.close(ended_here(Trigger::IdleTimeout));
            return Ok(());
        }
        _ => {}
    }
    stream.read(&mut [0]).await.map(drop)
}

/// Connects, gives the command, and does what follows.
async fn live(address: SocketAddr, number: u64, (command, then, _): (u8, Then, &str)) -> io::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&[&number.to_be_bytes()[..], &[command]].concat()).await?;
    assert_eq!(socket.read_u8().await?, command);
    ANSWERED.fetch_add(1, Ordering::Relaxed);
    match then {
        Then::Leaves => Ok(()),
        Then::Resets => SockRef::from(&socket).set_linger(Some(Duration::ZERO)),
        Then::Waits => {
            assert_eq!(socket.read(&mut [0]).await?, 0, "a clean end");
            Ok(())
        }
    }
}

fn story(number: u64, connections: u64) -> (u8, Then, &'static str) {
    let turn = usize::try_from(number).expect("fits") % STORIES.len();
    if number < connections { STORIES[turn] } else { OPEN }
}

/// The server's process, its port, and what it logs: the number of a connection, and its record.
struct Server {
    process: Respawned,
    port: u16,
    lines: Receiver<(u64, Disconnect)>,
}

impl Server {
    fn start() -> Self {
        let mut process = Respawned::start(respawn(TEST).stdin(Stdio::piped()).stderr(Stdio::null()));
        let port = process.address().port();
        let output = BufReader::new(process.0.stdout.take().expect("piped")).lines();
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            // Around them, the harness of the test has its own lines.
            for line in output.map_while(Result::ok).filter(|line| line.starts_with('{')) {
                let value: Value = serde_json::from_str(&line).expect("JSON");
                let end = serde_json::from_str(&line).expect("a record");
                let _ = send.send((value["connection"].as_u64().expect("its number"), end));
            }
        });
        Self { process, port, lines }
    }

    /// Resident memory, in KiB (proc(5)).
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).expect("alive");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("its memory")
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.0.id())).expect("alive").count()
    }

    /// Makes connections; those of the shutdown go on living.
    fn meets(&self, runtime: &Runtime, numbers: Range<u64>, connections: u64) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for number in numbers {
            let last = u8::try_from(1 + number % ADDRESSES).expect("small");
            let address = SocketAddr::from(([127, 0, 0, last], self.port));
            let story = story(number, connections);
            let life = async move {
                let lived = timeout(PATIENCE, live(address, number, story)).await.expect("in time");
                lived.unwrap_or_else(|error| panic!("client {number}, {story:?}: {error}"));
            };
            clients.spawn_on(life, runtime.handle());
        }
        clients
    }
}

#[test]
fn connections_that_end_in_every_way_leave_a_line_each_and_nothing_else() {
    if is_respawned() {
        return serve_all();
    }
    let connections = CONNECTIONS * random::size();
    let mut server = Server::start();
    let descriptors = server.descriptors();
    let runtime = Runtime::new().expect("runtime");
    let mut seen = vec![0_u8; usize::try_from(connections + HELD).expect("fits")];
    let mut check = |(number, end): (u64, Disconnect)| {
        let (command, _, expected) = story(number, connections);
        assert_eq!(words(&end), expected, "{number}");
        let bytes = (Some(9), Some(if command == b'u' { 2 } else { 1 }));
        assert_eq!((end.bytes_received(), end.bytes_sent()), bytes, "{number}: {end}");
        assert!(
            end.connection_duration() >= end.peer_silence() && end.clock_jump().is_none(),
            "{number}: {end}"
        );
        seen[usize::try_from(number).expect("fits")] += 1;
    };

    let mut resident = Vec::new();
    for part in 0..connections / AT_ONCE {
        let numbers = part * AT_ONCE..(part + 1) * AT_ONCE;
        let clients = server.meets(&runtime, numbers.clone(), connections);
        runtime.block_on(clients.join_all());
        numbers.for_each(|_| check(server.lines.recv_timeout(PATIENCE).expect("a line each")));
        resident.push(server.resident());
    }
    let deadline = Instant::now() + PATIENCE;
    while server.descriptors() != descriptors && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.descriptors(), descriptors, "descriptors are left");
    // A cause that stays is 200 bytes; some noise is allowed, and 10 bytes a connection.
    let median = |samples: &[u64]| {
        let mut samples = samples.to_vec();
        samples.sort_unstable();
        samples[samples.len() / 2]
    };
    let fifth = resident.len() / 5;
    let (warm, last) = (median(&resident[fifth..2 * fifth]), median(&resident[4 * fifth..]));
    assert!(last <= warm + 384 + connections / 100, "the memory grew: {resident:?}");

    // The server shuts down under connections that are open.
    let clients = server.meets(&runtime, connections..connections + HELD, connections);
    while ANSWERED.load(Ordering::Relaxed) < connections + HELD {
        thread::sleep(Duration::from_millis(10));
    }
    drop(server.process.0.stdin.take());
    runtime.block_on(clients.join_all());
    server.lines.iter().for_each(check);
    assert!(server.process.0.wait().expect("reaped").success());
    assert!(seen.iter().all(|lines| *lines == 1), "a line each, and no more");
}
