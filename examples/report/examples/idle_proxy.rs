//! A proxy between clients and a server that drops what is idle for two seconds, as many a load balancer
//! does after 60. Prints the server's log, in which `disconnect-report` finds the two seconds.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator};
use slog::{Drain, Logger, info, o};

const IDLE: Duration = Duration::from_secs(2);

#[allow(dead_code)] // the tests call `run`
fn main() -> io::Result<()> {
    run(io::stdout(), 8)
}

/// Runs so many connections to their ends, and writes the server's log.
pub(crate) fn run(log: impl Write + Send + 'static, count: usize) -> io::Result<()> {
    let log = Logger::root(Mutex::new(slog_json::Json::default(log)).fuse(), o!());
    let server = TcpListener::bind("127.0.0.1:0")?;
    let proxy = TcpListener::bind("127.0.0.1:0")?;
    let (behind, address) = (server.local_addr()?, proxy.local_addr()?);
    thread::spawn(move || accept(&proxy, move |client| forward(&client, behind)));
    let clients = (0..count).map(|_| TcpStream::connect(address)).collect::<io::Result<Vec<_>>>()?;
    let sessions: Vec<_> = (0..count)
        .map(|_| {
            let (socket, log) = (server.accept()?.0, log.clone());
            Ok(thread::spawn(move || serve(socket, &log)))
        })
        .collect::<io::Result<_>>()?;
    for mut client in &clients {
        client.write_all(b"hello")?;
    }
    for session in sessions {
        session.join().map_err(|_| io::Error::other("a session panicked"))?;
    }
    drop(clients); // they would have stayed
    Ok(())
}

fn serve(socket: TcpStream, log: &Logger) {
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
        info!(log, "connection closed"; end);
    });
    // The stream records how it ends, so the result has nothing to add.
    let _ = io::copy(&mut guard.track(socket, Initiator::Client), &mut io::sink());
}

fn accept(listener: &TcpListener, each: impl Fn(TcpStream) + Send + Sync + 'static) {
    let each = Arc::new(each);
    for socket in listener.incoming().flatten() {
        let each = Arc::clone(&each);
        thread::spawn(move || each(socket));
    }
}

/// Copies from the client to the server until nothing came for as long as the policy allows; then drops both.
fn forward(client: &TcpStream, behind: SocketAddr) {
    let copied: io::Result<()> = (|| {
        let mut server = TcpStream::connect(behind)?;
        client.set_read_timeout(Some(IDLE))?;
        let mut buffer = [0; 1024];
        loop {
            let count = { client }.read(&mut buffer)?;
            server.write_all(&buffer[..count])?;
        }
    })();
    drop(copied); // a timeout: this proxy keeps it to itself
}
