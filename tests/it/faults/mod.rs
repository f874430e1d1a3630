//! Faults of the process itself, each in a process of its own: what its lines read then, and what is lost.

mod abort;
mod clock;
mod disk;
mod full_log;
mod standard_streams;
mod stopped;

use std::io::{self, Read, Write};
use std::net::TcpStream;

use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator};
use slog::{Logger, info};

use crate::support::respawned::Respawned;
use crate::support::track;

const LAYER: ConnectType = ConnectType::AgentToClient;

/// Echoes until the client leaves; a `!` is its goodbye, a `?` a bug of this side.
fn echo(log: &Logger, process: &Cause, socket: TcpStream) -> io::Result<()> {
    let guard =
        DisconnectGuard::new(LAYER, |end| info!(log, "connection closed"; end)).with_cause(process.child());
    let mut stream = track(&guard, socket);
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {
        assert_ne!(byte, *b"?", "a bug of this side");
        if byte == *b"!" {
            let goodbye = Disconnect::closed_by(LAYER, Initiator::Client);
            guard.cause().record(Evidence::Peer, goodbye);
        }
        stream.write_all(&byte)?;
    }
    Ok(())
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
