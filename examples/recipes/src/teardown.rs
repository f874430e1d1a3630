//! A program that stops, at once or after a drain with a deadline, and loses no line on its way out.
//!
//! Fits Unix, this crate with `slog` or `tracing`, and tokio 1 with `macros`, `rt`, `signal`, `sync` and `time`; with slog
//! 2, slog-async 2 and slog-json 2, or with tracing-subscriber 0.3 with `json` and tracing-appender 0.2.
//!
//! In `main`, make the logger first and the runtime after it, so that the tasks that are left when the runtime goes still
//! log: a `main` without `async` that calls a function under `#[tokio::main]` does that.

use std::io;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator, Trigger};
use slog::{Drain, Logger, o};
use slog_async::{Async, AsyncGuard, OverflowStrategy};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

const SHUTDOWN: Disconnect = Disconnect::shutdown(AgentToClient, Initiator::Agent);

/// A logger that never drops a line, and the guard that writes the last ones. A full queue drops lines unless it blocks,
/// and a mass shutdown fills it.
pub fn log_with_slog() -> (Logger, AsyncGuard) {
    let json = slog_json::Json::default(io::stdout()).fuse();
    let queue = Async::new(json).overflow_strategy(OverflowStrategy::Block);
    let (queue, flush) = queue.build_with_guard();
    (Logger::root(queue.fuse(), o!()), flush)
}

/// The same for tracing.
pub fn log_with_tracing() -> WorkerGuard {
    let (writer, flush) = NonBlockingBuilder::default().lossy(false).finish(io::stdout());
    tracing_subscriber::fmt().json().with_writer(writer).init();
    flush
}

/// Waits for a signal. One that has no handler ends the process without a line.
pub async fn stopped() -> io::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = hang_up.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

/// For a program that stops at once: the winner of a `select!` against what serves. The record is made here, where the
/// signal arrives. In the handler behind `=>` it would come too late for the guards that the loser holds.
pub async fn stopped_at_once(agent: &Cause) -> io::Result<()> {
    stopped().await?;
    agent.record(Evidence::Local, SHUTDOWN);
    Ok(())
}

/// For a program that drains: `begins` asks the connections to leave, and what is left after `patience` is cut.
pub async fn drain(
    agent: &Cause,
    begins: &watch::Sender<bool>,
    mut connections: JoinSet<()>,
    patience: Duration,
) {
    // From now on, a connection that ends without a word was asked to.
    agent.presume(SHUTDOWN);
    begins.send_replace(true);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(patience, all_gone).await.is_err() {
        // Recorded once for all, before the first of them is dropped.
        agent.record(Evidence::Local, SHUTDOWN.with_trigger(Trigger::Deadline));
    }
    connections.shutdown().await; // aborts them, and waits until each has logged
}
