//! Threads, tasks, aborts and panics, all at once: one line for each connection.

#[path = "support/words.rs"]
mod words;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectGuard, DisconnectReason, TrackedStream,
};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use words::words;

const CONNECTIONS: usize = 10_000;

/// The line of each connection, by its number.
type Lines = Arc<Mutex<Vec<(usize, Disconnect)>>>;

/// Serves a connection in a task, and returns it with the peer's stream.
fn serve(runtime: &Runtime, connection: usize, lines: &Lines) -> (JoinHandle<()>, DuplexStream) {
    let lines = Arc::clone(lines);
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, move |end| {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push((connection, end));
    });
    let (peer, stream) = tokio::io::duplex(16);
    let cause = guard.cause();
    let mut stream = TrackedStream::new(stream, ConnectType::AgentToClient, cause);
    let task = runtime.spawn(async move {
        let read = stream.read(&mut [0]).await;
        assert!(connection % 10 != 5, "every tenth session has a bug");
        let reason = DisconnectReason::ServerShutdown;
        guard.close(Disconnect::new(ConnectType::AgentToClient, reason));
        drop(read);
    });
    (task, peer)
}

/// Two threads abort every second session while two others close all of the peers' streams.
fn abort_and_hang_up(tasks: &[JoinHandle<()>], mut peers: Vec<DuplexStream>) {
    let second_half = peers.split_off(CONNECTIONS / 2);
    thread::scope(|scope| {
        for first in [0, 2] {
            let aborted = tasks.iter().skip(first).step_by(4);
            scope.spawn(|| aborted.for_each(JoinHandle::abort));
        }
        scope.spawn(|| drop(peers));
        scope.spawn(|| drop(second_half));
    });
}

#[test]
fn ten_thousand_connections_that_end_at_once_are_ten_thousand_lines() {
    std::panic::set_hook(Box::new(|_| {})); // a thousand panics are part of it
    let runtime = Runtime::new().expect("runtime");
    let lines = Lines::default();
    let (tasks, peers): (Vec<_>, Vec<_>) = (0..CONNECTIONS)
        .map(|connection| serve(&runtime, connection, &lines))
        .unzip();
    abort_and_hang_up(&tasks, peers);
    runtime.block_on(async {
        for task in tasks {
            let _ = task.await;
        }
    });
    drop(std::panic::take_hook());

    let mut lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    lines.sort_by_key(|(connection, _)| *connection);
    let connections = lines.iter().map(|(connection, _)| *connection);
    assert!(connections.eq(0..CONNECTIONS), "none lost, none doubled");
    let hung_up = "agent_to_client ended by network: network_error (end_of_file)";
    let aborted = "agent_to_client ended: unknown (dropped): \
                   no cause was recorded: cancelled task or early return";
    for (connection, end) in lines {
        let line = words(&end);
        // A session that panicked or closed after its stream ended still has the stream's cause.
        assert!(
            line == hung_up || (connection % 2 == 0 && line == aborted),
            "{connection}: {line}",
        );
    }
}
