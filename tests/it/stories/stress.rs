//! Tasks, aborts and panics, all at once: one line for each connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectGuard, DisconnectReason};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::support::{DROPPED, END_OF_FILE, end, track, words};

const CONNECTIONS: usize = 10_000;

/// The line of each connection, by its number.
type Lines = Arc<Mutex<Vec<(usize, Disconnect)>>>;

/// Serves a connection in a task, and returns it with the peer's stream.
fn serve(runtime: &Runtime, connection: usize, lines: &Lines) -> (JoinHandle<()>, DuplexStream) {
    let lines = Arc::clone(lines);
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, move |end| {
        lines.lock().unwrap_or_else(PoisonError::into_inner).push((connection, end));
    });
    let (peer, stream) = tokio::io::duplex(16);
    let mut stream = track(&guard, stream);
    let task = runtime.spawn(async move {
        let read = stream.read(&mut [0]).await;
        assert!(connection % 100 != 5, "some sessions have a bug");
        guard.close(end(DisconnectReason::ServerShutdown));
        drop(read);
    });
    (task, peer)
}

#[test]
fn ten_thousand_connections_that_end_at_once_are_ten_thousand_lines() {
    let (runtime, lines) = (Runtime::new().expect("runtime"), Lines::default());
    let (tasks, mut peers): (Vec<_>, Vec<_>) =
        (0..CONNECTIONS).map(|connection| serve(&runtime, connection, &lines)).unzip();
    // Two threads abort every second session while two others close all of the peers' streams.
    let second_half = peers.split_off(CONNECTIONS / 2);
    thread::scope(|scope| {
        for first in [0, 2] {
            let aborted = tasks.iter().skip(first).step_by(4);
            scope.spawn(|| aborted.for_each(JoinHandle::abort));
        }
        scope.spawn(|| drop(peers));
        scope.spawn(|| drop(second_half));
    });
    runtime.block_on(async {
        for task in tasks {
            let _ = task.await;
        }
    });

    let mut lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    lines.sort_by_key(|(connection, _)| *connection);
    let connections = lines.iter().map(|(connection, _)| *connection);
    assert!(connections.eq(0..CONNECTIONS), "none lost, none doubled");
    for (connection, end) in lines {
        let line = words(&end);
        // A session that panicked or closed after its stream ended still has the stream's cause.
        let is_right = line == END_OF_FILE || (connection % 2 == 0 && line == DROPPED);
        assert!(is_right, "{connection}: {line}");
    }
}
