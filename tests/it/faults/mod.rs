//! Faults of the process itself, each in a process of its own: what its lines read then, and what is lost.

mod abort;
mod clock;
mod full_log;
mod standard_streams;
mod stopped;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use slog::{Drain, Logger, info, o};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::respawned::{RESPAWNED, Respawned, print_address};
use crate::support::track;

const LAYER: ConnectType = ConnectType::AgentToClient;
const PATIENCE: Duration = Duration::from_secs(60);

/// Echoes until the client leaves or is idle for so long; a `!` is its goodbye, a `?` a bug of this side.
fn echo(log: &Logger, process: &Cause, socket: TcpStream, idle: Duration) -> io::Result<()> {
    let guard =
        DisconnectGuard::new(LAYER, |end| info!(log, "connection closed"; end)).with_cause(process.child());
    tokio::runtime::Runtime::new()?.block_on(async {
        socket.set_nonblocking(true)?;
        let mut stream = track(&guard, tokio::net::TcpStream::from_std(socket)?);
        let mut byte = [0];
        loop {
            let Ok(read) = timeout(idle, stream.read(&mut byte)).await else {
                let idle = Disconnect::closed_by(LAYER, Initiator::Agent).with_trigger(Trigger::IdleTimeout);
                guard.close(idle);
                return Ok(());
            };
            if read? == 0 {
                return Ok(());
            }
            assert_ne!(byte, *b"?", "a bug of this side");
            if byte == *b"!" {
                let goodbye = Disconnect::closed_by(LAYER, Initiator::Client);
                guard.cause().record(Evidence::Peer, goodbye);
            }
            stream.write_all(&byte).await?;
        }
    })
}

/// Serves one connection with an idle policy of so many seconds, and logs to standard output.
fn serve() {
    let idle = std::env::var(RESPAWNED).expect("seconds").parse().expect("a number");
    let log = Logger::root(Mutex::new(slog_json::Json::default(io::stdout())).fuse(), o!());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    print_address(listener.local_addr().expect("bound"));
    let (socket, _) = listener.accept().expect("accepted");
    echo(&log, &Cause::default(), socket, Duration::from_secs(idle)).expect("a clean end");
}

/// Such a server in a process of its own, and a client that it answered once.
fn answered(command: &mut Command) -> (Respawned, TcpStream) {
    let mut process = Respawned::start(command);
    let mut client = TcpStream::connect(process.address()).expect("connected");
    client.write_all(b"a").expect("written");
    client.read_exact(&mut [0]).expect("answered");
    (process, client)
}

/// Reads the records of a log of JSON: every line that begins as an object is one.
#[track_caller]
fn records(log: &str) -> Vec<Disconnect> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    log.lines().filter(|line| line.starts_with('{')).map(read).collect()
}

/// The first line that a process logs, which is then killed.
fn line_of(process: &mut Respawned) -> Disconnect {
    process.read_until("{");
    let line = process.read_until("}\n");
    process.kill();
    records(&format!("{{{line}")).remove(0)
}
