//! A TCP proxy on tokio's `copy_bidirectional`: who stopped first, which leg broke, and a reset passed on as a reset.
//!
//! Fits Unix, this crate with `tokio`, tokio 1 with `io-util`, `macros`, `net` and `time`, and socket2 0.6. On plain threads
//! it is the loop of the guard's page and `pass_on_a_break`; track every handle there, since the kernel reports a reset
//! once, to the first that touches the socket.

use std::future::poll_fn;
use std::os::fd::AsFd;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, DisconnectReason, Initiator, Trigger};
use socket2::SockRef;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// Before both sockets are dropped: what broke, or has no cause, is a reset for the next hop too, which would take a FIN for
/// a sign that all is well. What was decided is a FIN.
pub fn pass_on_a_break<S: AsFd>(cause: &Cause, legs: [&S; 2]) {
    if cause.get().is_none_or(|end| end.reason() == DisconnectReason::NetworkError) {
        for leg in legs {
            let _ = SockRef::from(leg).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Copies both ways until both sides have stopped, one breaks, `policy` decides (`std::future::pending()` for none),
/// or `agent` has ended, of which the guard has a child. Before, a handshake (SOCKS, CONNECT) may have tracked the client
/// in the same cause, and unwrapped it: its bytes go on counting.
pub async fn proxy<F: FnOnce(Disconnect)>(
    client: TcpStream,
    server: TcpStream,
    guard: DisconnectGuard<F>,
    agent: &Cause,
    idle: Duration,
    policy: impl Future<Output = Disconnect>,
) {
    // A FIN ends nothing here, it only shows who stopped first. The bytes of the line are the first leg's.
    let mut client = guard.track(client, Initiator::Client).with_half_close();
    let mut server = guard.track(server, Initiator::Server).with_half_close();

    let mut timer = pin!(sleep(idle));
    // `select!` polls each branch whenever one of them wakes, so all that moves pushes the timer out.
    let silence = poll_fn(|context| {
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        timer.as_mut().reset(Instant::now() + idle);
        timer.as_mut().poll(context)
    });
    tokio::select! {
        copied = copy_bidirectional(&mut client, &mut server) => if copied.is_err() {
            pass_on_a_break(&guard.cause(), [client.get_ref(), server.get_ref()]);
        },
        // Recorded once, where it was decided.
        _ = agent.ended() => {}
        () = silence => {
            let end = Disconnect::closed_by(ClientToServer, Initiator::Agent);
            guard.close(end.with_trigger(Trigger::IdleTimeout));
        }
        end = policy => guard.close(end),
    }
    // Otherwise the guard is just dropped: `close(graceful)` would forget who stopped.
}
