//! A process that is suspended (SIGSTOP): both clocks go on, its kernel answers for it, and it does not.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Initiator, Trigger,
};
use slog::{Drain, Logger, info, o};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{LAYER, records};
use crate::support::respawned::{Respawned, is_respawned, print_address};
use crate::support::{track, words};

/// What passes while the process is suspended.
const IDLE: Duration = Duration::from_secs(2);
/// What does not.
const PATIENCE: Duration = Duration::from_secs(60);
const STOPPED: Duration = Duration::from_secs(4);

/// Echoes on tokio, with an idle policy, and logs to standard output.
async fn serve(idle: Duration) {
    let json = slog_json::Json::default(std::io::stdout());
    let log = Logger::root(std::sync::Mutex::new(json).fuse(), o!());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    print_address(listener.local_addr().expect("bound"));
    let (socket, _) = listener.accept().await.expect("accepted");
    let guard =
        DisconnectGuard::new(LAYER, |end| info!(log, "connection closed"; end)).with_cause(Cause::default());
    let mut stream = track(&guard, socket);
    let mut byte = [0];
    loop {
        match timeout(idle, stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(_)) => {
                // The peer may be gone; the stream knows.
                let _ = stream.write_all(&byte).await;
            }
            Err(_) => {
                let idle = Disconnect::closed_by(LAYER, Initiator::Agent);
                return guard.close(idle.with_trigger(Trigger::IdleTimeout));
            }
        }
    }
}

fn serve_if_respawned(idle: Duration) -> bool {
    if is_respawned() {
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        runtime.block_on(serve(idle));
    }
    is_respawned()
}

/// A server that has answered once.
fn answered(test: &str) -> (Respawned, TcpStream) {
    let mut process = Respawned::new(&format!("faults::stopped::{test}"));
    let mut client = TcpStream::connect(process.address()).expect("connected");
    client.write_all(b"a").expect("written");
    client.read_exact(&mut [0]).expect("answered");
    // Until it waits for more: then it has noted when it heard this.
    thread::sleep(Duration::from_millis(100));
    (process, client)
}

fn line_of(process: &mut Respawned) -> Disconnect {
    process.read_until("{");
    let line = process.read_until("}\n");
    process.kill();
    records(&format!("{{{line}")).remove(0)
}

/// Silence counts the time in which this side could not hear, and an idle policy fires on it.
#[test]
fn a_process_that_was_suspended_counts_the_time_and_sees_no_clock_jump() {
    if serve_if_respawned(IDLE) {
        return;
    }
    let test = "a_process_that_was_suspended_counts_the_time_and_sees_no_clock_jump";
    let (mut process, client) = answered(test);
    process.signal("STOP");
    thread::sleep(STOPPED);
    process.signal("CONT");
    let line = line_of(&mut process);
    assert_eq!(words(&line), "agent_to_client ended by agent: graceful (idle_timeout)");
    assert!(line.connection_duration() >= Some(STOPPED), "{line}");
    assert!(line.peer_silence() >= Some(STOPPED), "{line}");
    assert_eq!(line.clock_jump(), None, "{line}");
    drop(client);
}

/// What came meanwhile is heard when it is read.
#[test]
fn bytes_that_came_while_it_was_suspended_are_heard_when_it_goes_on() {
    if serve_if_respawned(PATIENCE) {
        return;
    }
    let test = "bytes_that_came_while_it_was_suspended_are_heard_when_it_goes_on";
    let (mut process, mut client) = answered(test);
    process.signal("STOP");
    client.write_all(b"b").expect("the kernel takes it");
    thread::sleep(STOPPED);
    process.signal("CONT");
    client.read_exact(&mut [0]).expect("answered after all");
    client.shutdown(Shutdown::Write).expect("shut down");
    let line = line_of(&mut process);
    let network = "agent_to_client ended by network: network_error (end_of_file, peer client)";
    assert_eq!(words(&line), network);
    assert!(line.connection_duration() >= Some(STOPPED), "{line}");
    // Heard when it was read, not when it came.
    assert!(line.peer_silence() < Some(IDLE), "{line}");
    assert_eq!(line.clock_jump(), None, "{line}");
}

/// TCP's keepalive is answered by the kernel of a process that hangs; only a ping of the protocol finds out.
#[test]
fn a_keepalive_of_tcp_finds_nothing_and_a_ping_of_the_protocol_does() {
    if serve_if_respawned(PATIENCE) {
        return;
    }
    let test = "a_keepalive_of_tcp_finds_nothing_and_a_ping_of_the_protocol_does";
    let (mut process, client) = answered(test);
    let second = Duration::from_secs(1);
    let keepalive = TcpKeepalive::new().with_time(second).with_interval(second).with_retries(1);
    SockRef::from(&client).set_tcp_keepalive(&keepalive).expect("set");

    let (emit, line) = mpsc::channel();
    let guard = DisconnectGuard::boxed(ConnectType::ClientToServer, move |end| {
        emit.send(end).expect("received");
    });
    let mut stream = track(&guard, client);
    stream.get_ref().set_read_timeout(Some(STOPPED)).expect("set");
    process.signal("STOP");
    let waiting = Instant::now();
    stream.write_all(b"b").expect("the kernel takes it");
    let error = stream.read(&mut [0]).expect_err("no answer");
    assert!(waiting.elapsed() >= STOPPED);
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "no ETIMEDOUT");
    assert_eq!(guard.cause().get(), None, "the connection lives on");

    let unanswered = Disconnect::new(ConnectType::ClientToServer, DisconnectReason::NetworkError)
        .with_initiator(Initiator::Network)
        .with_trigger(Trigger::KeepaliveTimeout);
    guard.close(unanswered);
    let line = line.recv().expect("one line");
    assert_eq!(words(&line), "client_to_server ended by network: network_error (keepalive_timeout)");
    drop(stream);
    process.signal("CONT");
    let line = line_of(&mut process);
    // The other side is alive, and what it sees is a peer that left.
    assert_eq!(line.initiator(), Some(Initiator::Network), "{line}");
    assert!(line.peer_silence() < Some(IDLE), "{line}");
    assert_eq!(line.clock_jump(), None, "{line}");
}
