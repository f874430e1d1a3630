//! Threads, tasks, aborts and panics, all at once: one line for each connection.

#[path = "support/words.rs"]
mod words;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectGuard, DisconnectReason, TrackedStream,
};
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use words::words;

const CONNECTIONS: usize = 10_000;

#[test]
fn ten_thousand_connections_that_end_at_once_are_ten_thousand_lines() {
    std::panic::set_hook(Box::new(|_| {})); // a thousand panics are part of the story
    let runtime = Runtime::new().expect("runtime");
    let lines = Arc::new(Mutex::new(Vec::new()));

    let (tasks, mut peers): (Vec<JoinHandle<()>>, Vec<_>) = (0..CONNECTIONS)
        .map(|connection| {
            let lines = Arc::clone(&lines);
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
        })
        .unzip();

    // Two threads abort every second session while two others hang up on everybody.
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
    drop(std::panic::take_hook());

    let mut lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    lines.sort_by_key(|(connection, _)| *connection);
    assert!(
        lines
            .iter()
            .map(|(connection, _)| *connection)
            .eq(0..CONNECTIONS),
        "none lost, none doubled",
    );
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
