//! Whole programs that are asked to stop.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, Initiator, Trigger, disconnect_event, disconnect_log,
};
use nix::sys::signal::Signal;
use recipes::teardown::{drain, log_with_slog, log_with_tracing, stopped, stopped_at_once};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::matrix::Row;
use crate::peer::{Peer, reset};
use crate::respawned::{RESPAWNED, is_respawned};
use crate::site::{Client, LONG, SHORT};
use crate::words::words;

/// Serves each client until the program is stopped, and returns those that are left.
async fn serve(
    agent: &Cause,
    draining: &watch::Receiver<bool>,
    stopped: impl Future<Output = io::Result<()>>,
    log: impl FnOnce(Disconnect) + Clone + Send + 'static,
) -> JoinSet<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("listening on {}", listener.local_addr().expect("bound"));
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let (socket, _) = listener.accept().await.expect("a client");
            let guard = DisconnectGuard::new(AgentToClient, log.clone()).with_cause(agent.child());
            connections.spawn(echo(socket, guard, draining.clone()));
        }
    };
    tokio::select! {
        () = accepting => {}
        stopped = stopped => stopped.expect("a handler"),
    }
    connections
}

/// Echoes; in this protocol a FIN is the goodbye, and between two requests is a good moment to leave.
async fn echo<F: FnOnce(Disconnect)>(
    socket: tokio::net::TcpStream,
    guard: DisconnectGuard<F>,
    mut draining: watch::Receiver<bool>,
) {
    let mut stream = guard.track(socket, Initiator::Client).with_goodbye();
    let mut buffer = [0; 1024];
    loop {
        let read = tokio::select! {
            read = timeout(limit(), stream.read(&mut buffer)) => read,
            _ = draining.wait_for(|draining| *draining) => return,
        };
        match read {
            Ok(Ok(0) | Err(_)) => return, // the stream has recorded it
            Ok(Ok(length)) => {
                let request = &buffer[..length];
                assert_ne!(request, b"panic", "a bug");
                if request == b"slow" {
                    sleep(LONG).await;
                }
                let _ = stream.write_all(request).await;
            }
            Err(_) => {
                let end = Disconnect::closed_by(AgentToClient, Initiator::Agent);
                return guard.close(end.with_trigger(Trigger::IdleTimeout));
            }
        }
    }
}

/// How long a client may be idle, and a drain may take.
fn limit() -> Duration {
    if std::env::var(RESPAWNED).is_ok_and(|program| program == "brief") { SHORT * 4 } else { LONG }
}

fn drains() {
    let (log, _flush) = log_with_slog();
    run(async move {
        let (agent, (begins, draining)) = (Cause::default(), watch::channel(false));
        let log = move |end| {
            disconnect_log!(log, expected: slog::Level::Info, unexpected: slog::Level::Warning, end, "closed");
        };
        let connections = serve(&agent, &draining, stopped(), log).await;
        drain(&agent, &begins, connections, limit()).await;
    });
}

fn stops_at_once() {
    let _flush = log_with_tracing();
    run(async {
        let (agent, (_begins, draining)) = (Cause::default(), watch::channel(false));
        let log = |end| {
            disconnect_event!(expected: tracing::Level::INFO, unexpected: tracing::Level::WARN, end, "closed");
        };
        let mut connections = serve(&agent, &draining, stopped_at_once(&agent), log).await;
        connections.detach_all(); // what is left is dropped with the runtime
    });
}

fn run(program: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(program);
}

/// One of the two programs, as a process.
struct Program {
    process: Peer,
    address: SocketAddr,
}

impl Program {
    fn start(test: &str, limit: &str) -> Self {
        let (process, address) = Peer::serving(test, limit);
        Self { process, address }
    }

    /// A client that is being served.
    fn client(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.address).expect("accepted");
        client.write_all(b"hello").expect("sent");
        client.read_exact(&mut [0; 5]).expect("answered");
        client
    }

    fn end(&mut self) -> Disconnect {
        let line = self.process.read_until("\"connect_type\"");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn check_what_clients_do(&mut self, row: &mut Row) {
        let faults: [(_, fn(&Self)); 5] = [
            ("clean close", |program| drop(program.client())),
            ("killed", |program| Peer::served(program.address, b"hello").kill()),
            ("reset", |program| reset(program.client())),
            ("idle timeout", |program| program.client().read_goodbye("idle timeout")),
            ("panic", |program| program.client().write_all(b"panic").expect("sent")),
        ];
        for (fault, act) in faults {
            act(self);
            row.check(fault, &self.end());
        }
    }

    /// Stops it under 300 connections, and returns one of as many equal lines.
    fn stop_under_many(mut self, signal: Signal) -> Disconnect {
        let _clients: Vec<_> = (0..300).map(|_| self.client()).collect();
        self.process.signal(signal);
        let ends: Vec<_> = (0..300).map(|_| self.end()).collect();
        assert!(ends.iter().all(|end| words(end) == words(&ends[0])), "{ends:#?}");
        assert_eq!(self.process.wait(), Some(0));
        ends[0].clone()
    }
}

#[test]
fn a_server_that_logs_through_slog_async_and_drains_ends_as_its_row_records() {
    if is_respawned() {
        return drains();
    }
    let mut row = Row::of("teardown, slog");
    let test = "teardown::a_server_that_logs_through_slog_async_and_drains_ends_as_its_row_records";
    let mut program = Program::start(test, "brief");
    program.check_what_clients_do(&mut row);

    let mut slow = program.client();
    slow.write_all(b"slow").expect("sent");
    std::thread::sleep(Duration::from_millis(50));
    program.process.signal(Signal::SIGTERM);
    row.check("aborted", &program.end());
    assert_eq!(program.process.wait(), Some(0));

    row.check("shutdown", &Program::start(test, "patient").stop_under_many(Signal::SIGHUP));
}

#[test]
fn a_server_that_logs_through_tracing_appender_ends_as_its_row_records() {
    if is_respawned() {
        return stops_at_once();
    }
    let mut row = Row::of("teardown, tracing");
    let test = "teardown::a_server_that_logs_through_tracing_appender_ends_as_its_row_records";
    Program::start(test, "brief").check_what_clients_do(&mut row);
    row.check("shutdown", &Program::start(test, "patient").stop_under_many(Signal::SIGINT));
}
