//! How connections really end: real sockets and processes, and the line that must come out.

mod first;
#[path = "../lines/mod.rs"]
mod lines;
#[path = "../support/respawned.rs"]
mod respawned;
mod shared;
mod transport;
#[path = "../support/words.rs"]
mod words;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectGuard, Initiator, TrackedStream};
use lines::Lines;
use socket2::SockRef;
use words::words;

type Tracked = TrackedStream<TcpStream>;

const END_OF_FILE: &str = "agent_to_client ended by network: network_error (end_of_file)";
const SHUTDOWN: &str = "agent_to_client ended by agent: server_shutdown";

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
            let stream = guard.track(accepted);
            if let Some(end) = agent(&guard, stream) {
                guard.close(end);
            }
        });
        client();
    });
    words(&lines.one())
}

/// The client's side of a connection and the accepted one. Windows accepts no client that has gone by then.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("a client").0)
}

/// Reads until the stream ends one way or the other; the session itself knows no reason.
fn read_to_the_end(_: &DisconnectGuard, mut stream: Tracked) -> Option<Disconnect> {
    let _ = stream.read_to_end(&mut Vec::new());
    None
}

fn client_closed() -> Disconnect {
    Disconnect::closed_by(AgentToClient, Initiator::Client)
}

fn shutdown() -> Disconnect {
    Disconnect::shutdown(AgentToClient, Initiator::Agent)
}

/// Resets without a goodbye, as a host that has lost its state does.
fn reset(socket: TcpStream) {
    let linger = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    linger.expect("set");
    drop(socket);
}
