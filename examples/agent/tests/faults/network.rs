//! A network between a client and the agent that can lose its state.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

type Sockets = Arc<[TcpStream; 2]>;

/// A relay for one connection.
pub(crate) struct Relay {
    pub(crate) port: u16,
    sockets: JoinHandle<(Sockets, [JoinHandle<io::Result<u64>>; 2])>,
}

impl Relay {
    pub(crate) fn to(agent: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let sockets = thread::spawn(move || {
            let (client, _) = listener.accept().expect("a client");
            let agent = TcpStream::connect(agent).expect("the agent");
            let sockets = Arc::new([client, agent]);
            let directions = [(0, 1), (1, 0)].map(|(from, to)| {
                let sockets = Arc::clone(&sockets);
                thread::spawn(move || io::copy(&mut &sockets[from], &mut &sockets[to]))
            });
            (sockets, directions)
        });
        Self { port, sockets }
    }

    /// Resets both of its connections.
    pub(crate) fn reset(self) {
        let (sockets, directions) = self.sockets.join().expect("connected");
        for socket in &*sockets {
            SockRef::from(socket).set_linger(Some(Duration::ZERO)).expect("set");
            socket.shutdown(Shutdown::Read).expect("stopped");
        }
        for direction in directions {
            direction.join().expect("no panic").expect("copied");
        }
        drop(sockets); // the last handle, so that both are reset
    }
}
