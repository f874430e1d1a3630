//! The one-minute example of the README: one real connection, one line with its true cause.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator};
use slog::{Drain, Logger, info, o};

fn main() -> io::Result<()> {
    let json = slog_json::Json::default(io::stdout());
    let log = Logger::root(Mutex::new(json).fuse(), o!());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (socket, _) = listener.accept()?;

    // The log line that is there already moves into the guard: one line on every way out.
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
        info!(log, "ssh session closed"; end);
    });
    let mut stream = guard.track(socket, Initiator::Client); // sees how it ends

    drop(client); // gone, without a goodbye
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}
