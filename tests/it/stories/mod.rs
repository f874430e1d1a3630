//! How connections really end: real sockets and processes, and the line that must come out.

mod first;
mod shared;
mod stress;
mod transport;

use std::io::Read;
use std::net::TcpStream;
use std::thread;

use disconnect_attribution::{Disconnect, DisconnectGuard, TrackedStream};

use crate::support::{Lines, connection, track, words};

type Tracked = TrackedStream<TcpStream>;

/// Runs both sides of a real connection, this one under a guard, and returns the one line it logs.
fn line(
    client: impl FnOnce(TcpStream),
    agent: impl FnOnce(&DisconnectGuard, Tracked) -> Option<Disconnect> + Send,
) -> String {
    let (socket, accepted) = connection();
    line_of(accepted, || client(socket), agent)
}

fn line_of(
    accepted: TcpStream,
    client: impl FnOnce(),
    agent: impl FnOnce(&DisconnectGuard, Tracked) -> Option<Disconnect> + Send,
) -> String {
    let lines = Lines::default();
    thread::scope(|scope| {
        let guard = lines.guard();
        scope.spawn(move || {
            let stream = track(&guard, accepted);
            if let Some(end) = agent(&guard, stream) {
                guard.close(end);
            }
        });
        client();
    });
    words(&lines.one())
}

/// Reads until the stream ends one way or the other; the session itself knows no reason.
fn read_to_the_end(_: &DisconnectGuard, mut stream: Tracked) -> Option<Disconnect> {
    let _ = stream.read_to_end(&mut Vec::new());
    None
}
