//! A server that drains with a deadline, and loses no line on its way out: slog-async.
//!
//! Fits Unix, this crate with `slog` and `tokio`, tokio 1 with `io-util`, `macros`, `net`,
//! `rt-multi-thread`, `signal`, `sync` and `time`, slog 2, slog-async 2 and slog-json 2.

use std::io;
use std::pin::pin;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger, disconnect_log,
};
use slog::{Drain, Level, Logger, o};
use slog_async::{Async, OverflowStrategy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const IDLE: Duration = Duration::from_millis(800);
const PATIENCE: Duration = Duration::from_millis(300);

#[tokio::main]
pub async fn main() -> io::Result<()> {
    // A full queue drops lines unless it blocks, and a mass shutdown fills it. The guard is
    // made first, so it goes last; but all of this goes before the runtime, so no task may
    // outlive `serve`.
    let json = slog_json::Json::default(io::stdout()).fuse();
    let queue = Async::new(json).overflow_strategy(OverflowStrategy::Block);
    let (queue, _flush) = queue.build_with_guard();
    let log = Logger::root(queue.fuse(), o!());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    serve(listener, log).await
}

async fn serve(listener: TcpListener, log: Logger) -> io::Result<()> {
    let mut stopped = pin!(stopped());
    let (agent, mut connections) = (Cause::default(), JoinSet::new());
    let (drain, draining) = watch::channel(false);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let served = connection(socket, agent.child(), draining.clone(), log.clone());
                    connections.spawn(served);
                }
                // No reason to end the others: often one file too many is open.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            signal = &mut stopped => break signal?,
        }
    }

    let shutdown = Disconnect::shutdown(AgentToClient, Initiator::Agent);
    // From now on, a connection that ends without a word was asked to.
    agent.presume(shutdown.clone());
    drain.send_replace(true);
    let cut = shutdown.with_trigger(Trigger::Deadline);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(PATIENCE, all_gone).await.is_err() {
        // What is left is cut: recorded once for all, before the first of them is dropped.
        agent.record(Evidence::Local, cut);
    }
    connections.shutdown().await; // aborts them, and waits until each has logged
    Ok(())
}

/// Waits for a signal. One that has no handler ends the process without a line.
async fn stopped() -> io::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = hang_up.recv() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn connection(
    socket: TcpStream,
    cause: Cause,
    mut draining: watch::Receiver<bool>,
    log: Logger,
) {
    let guard = DisconnectGuard::new(AgentToClient, |end| {
        disconnect_log!(
            log, expected: Level::Info, unexpected: Level::Warning, end, "connection closed"
        );
    })
    .with_cause(cause);
    // In this protocol a FIN is the goodbye.
    let mut stream = guard.track(socket, Initiator::Client).with_goodbye();
    let mut buffer = [0; 1024];
    loop {
        let read = tokio::select! {
            read = timeout(IDLE, stream.read(&mut buffer)) => read,
            // Between two requests is a good moment to leave.
            _ = draining.wait_for(|draining| *draining) => return,
        };
        let request = match read {
            Ok(Ok(0) | Err(_)) => return, // the stream has recorded it
            Ok(Ok(length)) => &buffer[..length],
            Err(_) => {
                let end = Disconnect::closed_by(AgentToClient, Initiator::Agent);
                return guard.close(end.with_trigger(Trigger::IdleTimeout));
            }
        };
        let answered = stream.write_all(&answer(request).await).await;
        if answered.is_err() {
            return;
        }
    }
}

/// Stands for your code, which is slow at times and has a bug.
async fn answer(request: &[u8]) -> Vec<u8> {
    assert_ne!(request, b"panic", "a bug");
    if request == b"slow" {
        sleep(Duration::from_secs(1000)).await;
    }
    request.to_vec()
}
