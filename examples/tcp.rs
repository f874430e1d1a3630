//! A TCP server on plain threads that logs why each connection ended.
//!
//! Run it, then `nc 127.0.0.1 2222`, type a line or two, and leave with Ctrl-D, Ctrl-C or `quit`.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;

use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator};
use slog::{Drain, Logger, info, o};

const LAYER: ConnectType = ConnectType::AgentToClient;

fn main() -> io::Result<()> {
    let log = Logger::root(Mutex::new(slog_json::Json::default(io::stdout())).fuse(), o!());
    // One cause for the process. Each connection has a child, so a shutdown is recorded once.
    let agent = Cause::default();
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:2222".to_owned());
    let listener = TcpListener::bind(address)?;
    eprintln!("listening on {}", listener.local_addr()?);
    for socket in listener.incoming() {
        let (log, cause) = (log.clone(), agent.child());
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) => {
                info!(log, "accept failed"; "error" => %error); // nothing was established
                continue;
            }
        };
        thread::spawn(move || {
            let guard =
                DisconnectGuard::new(LAYER, |end| info!(log, "connection closed"; end)).with_cause(cause);
            serve(&guard, socket).inspect_err(|error| guard.record_error(error))
        });
    }
    Ok(())
}

/// Echoes lines until the client leaves; the guard logs why on every way out.
fn serve<F: FnOnce(Disconnect)>(guard: &DisconnectGuard<F>, socket: TcpStream) -> io::Result<()> {
    // A client that stops sending has stopped first; what it asked before is still answered.
    let mut stream = BufReader::new(guard.track(socket, Initiator::Client).with_half_close());
    let mut line = String::new();
    while stream.read_line(&mut line)? > 0 {
        if line.trim_end() == "quit" {
            let goodbye = Disconnect::closed_by(LAYER, Initiator::Client);
            guard.cause().record(Evidence::Peer, goodbye);
            break;
        }
        stream.get_mut().write_all(line.as_bytes())?;
        line.clear();
    }
    Ok(())
}
