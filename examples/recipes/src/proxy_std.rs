//! A TCP proxy on plain threads: who stopped first, which leg broke, and a reset passed on as
//! a reset.
//!
//! Fits std of Rust 1.85, with socket2 0.6.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, Evidence, Initiator, TrackedStream, Trigger,
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
    let (sent, received, broken) = (AtomicU64::new(0), AtomicU64::new(0), OnceLock::new());
    // One connection for the reader of the log, so one guard. It does not know the leg; the
    // threads do.
    let guard = DisconnectGuard::new(ClientToServer, |end| {
        let end = end.with_bytes(received.load(Relaxed), sent.load(Relaxed));
        log(match (broken.get(), end.detail()) {
            (Some(leg), Some(text)) => {
                let text = format!("{leg} leg: {text}");
                end.with_detail(text)
            }
            _ => end,
        });
    })
    .with_cause(agent.child());

    // Four handles, two a leg: the kernel reports a reset once, to the first that touches the
    // socket. A FIN ends nothing here, it only shows who stopped first.
    let leg = |socket, peer| {
        TrackedStream::new(socket, ClientToServer, guard.cause()).with_half_close(peer)
    };
    let (from_client, to_client) = (
        leg(client, Initiator::Client),
        leg(client, Initiator::Client),
    );
    let (from_server, to_server) = (
        leg(server, Initiator::Server),
        leg(server, Initiator::Server),
    );
    let shared = &Shared {
        cause: guard.cause(),
        broken: &broken,
        heard: Mutex::new(Instant::now()),
        idle,
        is_cut: AtomicBool::new(false),
    };
    let inspect = &inspect;
    thread::scope(|scope| {
        let up = ("client", from_client, "server", to_server, &received);
        scope.spawn(move || shared.pump(up, inspect));
        shared.pump(("server", from_server, "client", to_client, &sent), inspect);
    });
    // Just drop the guard: `close(graceful)` would forget who stopped.
}

/// What the two threads share.
struct Shared<'a> {
    cause: Cause,
    broken: &'a OnceLock<&'static str>,
    heard: Mutex<Instant>,
    idle: Duration,
    is_cut: AtomicBool,
}

impl Shared<'_> {
    fn pump(
        &self,
        (name, mut from, other, mut to, count): (
            &'static str,
            Leg<'_>,
            &'static str,
            Leg<'_>,
            &AtomicU64,
        ),
        inspect: impl Fn(&[u8]),
    ) {
        let (source, target) = (*from.get_ref(), *to.get_ref());
        let _ = source.set_read_timeout(Some(TICK));
        let cut = CutOnDrop(&self.is_cut, [source, target]);
        let heard = || self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 16 * 1024];
        loop {
            match from.read(&mut buffer) {
                // The other thread cut both legs, which reads as an end of file here.
                Ok(0) if self.is_cut.load(Relaxed) => return,
                // This side stopped sending, and may still listen: pass on just that.
                Ok(0) => {
                    let _ = target.shutdown(Shutdown::Write);
                    return std::mem::forget(cut);
                }
                Ok(length) => {
                    *heard() = Instant::now();
                    count.fetch_add(length as u64, Relaxed);
                    inspect(&buffer[..length]);
                    if to.write_all(&buffer[..length]).is_err() {
                        self.broken.get_or_init(|| other);
                        return;
                    }
                }
                Err(error) if is_deadline(error.kind()) => {
                    // The agent shuts down; it recorded that once, for all its connections.
                    if self.cause.get().is_some() {
                        return;
                    }
                    if heard().elapsed() >= self.idle {
                        let end = Disconnect::closed_by(ClientToServer, Initiator::Agent);
                        let end = end.with_trigger(Trigger::IdleTimeout);
                        self.cause.record(Evidence::Local, end);
                        return;
                    }
                }
                Err(_) => {
                    self.broken.get_or_init(|| name);
                    return;
                }
            }
        }
    }
}

const fn is_deadline(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Cuts both legs, also where `inspect` panics: the other thread must not wait for ever.
struct CutOnDrop<'a>(&'a AtomicBool, [&'a TcpStream; 2]);

impl Drop for CutOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
        for socket in self.1 {
            // To the next hop a FIN would mean that all is well: the sockets' drop is a reset
            // now.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
            // Wakes the other thread, and sends nothing.
            let _ = socket.shutdown(Shutdown::Read);
        }
    }
}
