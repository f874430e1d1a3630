//! A TCP proxy on plain threads: who stopped first, which leg broke, and a reset passed on as a reset.
//!
//! Fits std of Rust 1.85, with socket2 0.6.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream,
    Trigger,
};
use socket2::SockRef;

/// How often a thread that waits for bytes looks up.
const TICK: Duration = Duration::from_millis(50);

type Leg<'a> = TrackedStream<&'a TcpStream>;

/// Copies both ways until both sides have stopped, one breaks, or `agent` has ended.
pub fn proxy(
    client: &TcpStream,
    server: &TcpStream,
    agent: &Cause,
    idle: Duration,
    inspect: impl Fn(&[u8]) + Sync,
    log: impl FnOnce(Disconnect),
) {
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    let (cause, heard) = (guard.cause(), Mutex::new(Instant::now()));
    // Every handle is tracked: the kernel reports a reset once, to the first that touches the socket. A FIN ends nothing
    // here, it only shows who stopped first.
    let track = |socket, peer| guard.track(socket, peer).with_half_close();
    let [from_client, to_client] = [(); 2].map(|()| track(client, Initiator::Client));
    let [from_server, to_server] = [(); 2].map(|()| track(server, Initiator::Server));
    let pump = |from, to| pump(from, to, &cause, &heard, idle, &inspect);
    thread::scope(|scope| {
        scope.spawn(|| pump(from_client, to_server));
        pump(from_server, to_client);
    });
    // Just drop the guard: `close(graceful)` would forget who stopped.
}

fn pump(
    mut from: Leg<'_>,
    mut to: Leg<'_>,
    cause: &Cause,
    heard: &Mutex<Instant>,
    idle: Duration,
    inspect: impl Fn(&[u8]),
) {
    let (source, target) = (*from.get_ref(), *to.get_ref());
    let _ = source.set_read_timeout(Some(TICK));
    let cut = CutOnDrop([source, target]);
    let mut buffer = [0; 16 * 1024];
    while cause.get().is_none() {
        match from.read(&mut buffer) {
            // This side stopped sending, and may still listen: pass on just that.
            Ok(0) => {
                // Unless the other thread cut both legs, which reads as an end of file here.
                if SockRef::from(source)
                    .linger()
                    .is_ok_and(|linger| linger.is_none())
                {
                    let _ = target.shutdown(Shutdown::Write);
                }
                return std::mem::forget(cut);
            }
            Ok(length) => {
                *heard.lock().expect("no panic") = Instant::now();
                inspect(&buffer[..length]);
                let _ = to.write_all(&buffer[..length]); // the stream records an error
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if heard.lock().expect("no panic").elapsed() >= idle {
                    let end = Disconnect::closed_by(ClientToServer, Initiator::Agent);
                    cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                }
            }
            Err(_) => {} // recorded
        }
    }
    let has_broken = |end: Disconnect| end.reason() == DisconnectReason::NetworkError;
    if !cause.get().is_some_and(has_broken) {
        // Decided, by this proxy or its agent: a FIN.
        for socket in cut.0 {
            let _ = socket.shutdown(Shutdown::Both);
        }
        std::mem::forget(cut);
    }
}

/// Cuts both legs, also if `inspect` panics: what broke is a reset for the next hop too, which would take a FIN for a
/// sign that all is well.
struct CutOnDrop<'a>([&'a TcpStream; 2]);

impl Drop for CutOnDrop<'_> {
    fn drop(&mut self) {
        for socket in self.0 {
            // The sockets' drop is a reset now.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
            // Wakes the other thread, and sends nothing.
            let _ = socket.shutdown(Shutdown::Read);
        }
    }
}
