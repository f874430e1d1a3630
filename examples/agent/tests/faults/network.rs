//! Listeners, and a network between a client and the agent that can lose its state.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

/// A listener, and its address.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Makes the end of a socket a reset.
pub(crate) fn reset_when_dropped(socket: &TcpStream) {
    SockRef::from(socket).set_linger(Some(Duration::ZERO)).expect("set");
}

type Sockets = Arc<[TcpStream; 2]>;

/// A relay for one connection.
pub(crate) struct Relay {
    pub(crate) port: u16,
    sockets: JoinHandle<(Sockets, [JoinHandle<io::Result<u64>>; 2])>,
}

impl Relay {
    pub(crate) fn to(agent: SocketAddr) -> Self {
        let (listener, address) = listen();
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
        Self { port: address.port(), sockets }
    }

    /// Resets both of its connections.
    pub(crate) fn reset(self) {
        let (sockets, directions) = self.sockets.join().expect("connected");
        for socket in &*sockets {
            reset_when_dropped(socket);
            socket.shutdown(Shutdown::Read).expect("stopped");
        }
        for direction in directions {
            direction.join().expect("no panic").expect("copied");
        }
        drop(sockets); // the last handle, so that both are reset
    }
}
