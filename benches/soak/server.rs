//! The server: logs a JSON line for each connection to standard output, and now and then to a full disk.
//!
//! A client sends eight bytes of number and one that asks for so many bytes of greeting, then commands of
//! one byte each. Standard input takes orders, one a line, and its end is the shutdown.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Stdout, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator, TrackedStream, Trigger,
};
use slog::{Drain, Logger, info, o};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

const LAYER: ConnectType = ConnectType::AgentToClient;
const IDLE: Duration = Duration::from_millis(30);

/// Every so many lines the disk is full.
pub(crate) const FULL_EVERY: u64 = 50;

/// So many addresses, so that the ports of clients do not run out while old ones wait.
const ADDRESSES: u8 = 8;

#[derive(Debug)]
struct Server {
    log: Logger,
    process: Cause,
    open: Mutex<HashMap<u64, (AbortHandle, Cause)>>,
}

impl Server {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, (AbortHandle, Cause)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {})); // thousands of panics are part of the story
    let sink = Sink {
        line: Vec::new(),
        lines: 0,
        full: File::options()
            .write(true)
            .open("/dev/full")
            .expect("opened"),
        disk: io::stdout(),
    };
    let server = Arc::new(Server {
        log: Logger::root(Mutex::new(slog_json::Json::default(sink)).fuse(), o!()),
        process: Cause::default(),
        open: Mutex::default(),
    });
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime");
    runtime.block_on(listen(&server));
    for order in io::stdin().lock().lines() {
        obey(&server, &order.expect("readable"), runtime.handle());
    }
    let shutdown = Disconnect::shutdown(ConnectType::ServerToAgent, Initiator::Agent);
    server.process.record(Evidence::Local, shutdown);
    drop(runtime); // the tasks that are left log here
    ExitCode::SUCCESS
}

async fn listen(server: &Arc<Server>) {
    let mut addresses = Vec::new();
    for last in 1..=ADDRESSES {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), 0))
            .await
            .expect("a free port");
        addresses.push(listener.local_addr().expect("bound").to_string());
        let server = Arc::clone(server);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("accepted");
                let (give, itself) = oneshot::channel();
                let task = tokio::spawn(serve(Arc::clone(&server), socket, itself));
                let _ = give.send(task.abort_handle());
            }
        });
    }
    println!("{}", serde_json::json!({ "listening": addresses }));
}

fn obey(server: &Server, order: &str, runtime: &Handle) {
    if order == "tasks" {
        let alive = runtime.metrics().num_alive_tasks();
        println!("{}", serde_json::json!({ "tasks": alive }));
        return;
    }
    let (verb, number) = order.split_once(' ').expect("a verb and a number");
    let number: u64 = number.parse().expect("a number");
    let Some((task, cause)) = server.open().get(&number).cloned() else {
        return;
    };
    if verb == "supersede" {
        let replaced = Disconnect::closed_by(LAYER, Initiator::Agent);
        cause.record(Evidence::Local, replaced.with_trigger(Trigger::Superseded));
    }
    task.abort();
}

async fn serve(
    server: Arc<Server>,
    socket: TcpStream,
    itself: oneshot::Receiver<AbortHandle>,
) -> io::Result<()> {
    let number = Arc::new(AtomicU64::new(u64::MAX));
    let (to_log, logged) = (Arc::clone(&server), Arc::clone(&number));
    let guard = DisconnectGuard::new(LAYER, move |end| {
        let number = logged.load(Ordering::Relaxed);
        to_log.open().remove(&number);
        info!(to_log.log, "connection closed"; "connection" => number, end);
    })
    .with_cause(server.process.child());
    let mut stream = guard.track(socket);

    let of_hello = stream.read_u64().await?;
    let greeting = stream.read_u8().await?;
    number.store(of_hello, Ordering::Relaxed);
    let itself = itself.await.expect("spawned");
    server.open().insert(of_hello, (itself, guard.cause()));
    stream.write_all(&vec![b'h'; usize::from(greeting)]).await?;
    converse(&guard, &mut stream)
        .await
        .inspect_err(|error| guard.failed(error))
}

async fn converse<F: FnOnce(Disconnect)>(
    guard: &DisconnectGuard<F>,
    stream: &mut TrackedStream<TcpStream>,
) -> io::Result<()> {
    let mut command = [0];
    while stream.read(&mut command).await? > 0 {
        match command[0] {
            b'r' => {
                // What leaves between two requests just leaves.
                guard
                    .cause()
                    .presume(Disconnect::closed_by(LAYER, Initiator::Client));
                stream.write_all(b"r").await?;
            }
            b'g' => {
                let goodbye = Disconnect::closed_by(LAYER, Initiator::Client);
                guard.cause().record(Evidence::Peer, goodbye);
                stream.write_all(b"g").await?;
                return Ok(());
            }
            b'i' => {
                if timeout(IDLE, stream.read(&mut command)).await.is_err() {
                    let idle = Disconnect::closed_by(LAYER, Initiator::Agent)
                        .with_trigger(Trigger::IdleTimeout);
                    guard.cause().record(Evidence::Local, idle);
                    return Ok(());
                }
            }
            b'p' => panic!("a bug of the handler"),
            other => {
                let text = format!("no such command: {:?}", char::from(other));
                return Err(io::Error::new(ErrorKind::InvalidData, text));
            }
        }
    }
    Ok(())
}

/// Writes whole lines, each at once: slog-json writes a line in many pieces, and half a line would spoil the
/// next.
struct Sink {
    line: Vec<u8>,
    lines: u64,
    full: File,
    disk: Stdout,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if bytes.ends_with(b"\n") {
            let line = std::mem::take(&mut self.line);
            self.lines += 1;
            if self.lines % FULL_EVERY == 0 {
                self.full.write_all(&line)?;
            } else {
                self.disk.write_all(&line)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.disk.flush()
    }
}
