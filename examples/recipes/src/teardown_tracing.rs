//! A server that stops at once, and loses no line on its way out: tracing-appender.
//!
//! Fits this crate with `tokio` and `tracing`, tokio 1 with `io-util`, `macros`, `net`,
//! `rt-multi-thread`, `signal` and `time`, tracing 0.1, tracing-subscriber 0.3 with `json`,
//! and tracing-appender 0.2.

use std::io;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger, disconnect_event,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tracing::Level;
use tracing_appender::non_blocking::NonBlockingBuilder;

const IDLE: Duration = Duration::from_millis(800);

pub fn main() -> io::Result<()> {
    // A full queue drops lines unless it is not lossy, and a mass shutdown fills it.
    let queue = NonBlockingBuilder::default().lossy(false);
    let (writer, _flush) = queue.finish(io::stdout());
    tracing_subscriber::fmt().json().with_writer(writer).init();
    run()
}

// Not `main` itself: the runtime is made and dropped inside this call, so the tasks that are
// left when it goes log while `_flush` is still there.
#[tokio::main]
async fn run() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let agent = Cause::default();
    // Recorded where the signal arrives, inside the awaited future: a handler behind `=>` would come
    // too late for a guard that `serve` holds itself.
    let stopped = async {
        let signal = tokio::signal::ctrl_c().await;
        let shutdown = Disconnect::shutdown(AgentToClient, Initiator::Agent);
        agent.record(Evidence::Local, shutdown);
        signal
    };
    tokio::select! {
        never = serve(listener, &agent) => never,
        signal = stopped => signal,
    }
}

async fn serve(listener: TcpListener, agent: &Cause) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(connection(socket, agent.child()))),
            // No reason to end the others: often one file too many is open.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(socket: TcpStream, cause: Cause) {
    let guard = DisconnectGuard::new(AgentToClient, |end| {
        disconnect_event!(expected: Level::INFO, unexpected: Level::WARN, end, "connection closed");
    })
    .with_cause(cause);
    // In this protocol a FIN is the goodbye.
    let mut stream = guard.track(socket, Initiator::Client).with_goodbye();
    let mut buffer = [0; 1024];
    loop {
        let request = match timeout(IDLE, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return, // the stream has recorded it
            Ok(Ok(length)) => &buffer[..length],
            Err(_) => {
                let end = Disconnect::closed_by(AgentToClient, Initiator::Agent);
                return guard.close(end.with_trigger(Trigger::IdleTimeout));
            }
        };
        // Stands for your code, which has a bug.
        assert_ne!(request, b"panic", "a bug");
        if stream.write_all(request).await.is_err() {
            return;
        }
    }
}
