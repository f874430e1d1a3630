//! A TCP proxy on tokio's `copy_bidirectional`: who stopped first, which leg broke, and a
//! reset passed on as a reset.
//!
//! Fits Unix, this crate with `tokio`, tokio 1 with `io-util`, `macros`, `net` and `time`, and
//! socket2 0.6.

use std::future::poll_fn;
use std::os::fd::AsFd;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, Evidence, Initiator, TrackedStream, Trigger,
};
use socket2::SockRef;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// Copies both ways until both sides have stopped, one breaks, `policy` decides
/// (`std::future::pending()` for none), or `agent` has ended.
pub async fn proxy(
    client: TcpStream,
    server: TcpStream,
    agent: &Cause,
    idle: Duration,
    policy: impl Future<Output = Disconnect>,
    log: impl FnOnce(Disconnect),
) {
    // `copy_bidirectional` does not know which leg failed. So each leg has a cause of its own
    // beside the connection's, which is the one that the line is about.
    let (client_leg, server_leg) = (Cause::default(), Cause::default());
    let names = [
        ("client", client_leg.clone()),
        ("server", server_leg.clone()),
    ];
    let guard = DisconnectGuard::new(ClientToServer, |end| {
        let broken = names.iter().find(|(_, leg)| leg.get().is_some());
        log(match (broken, end.detail()) {
            (Some((leg, _)), Some(text)) => {
                let text = format!("{leg} leg: {text}");
                end.with_detail(text)
            }
            _ => end,
        });
    })
    .with_cause(agent.child());

    // A FIN ends nothing here, it only shows who stopped first.
    let leg = |socket, cause, peer| {
        let leg = TrackedStream::new(socket, ClientToServer, cause).with_half_close(peer);
        guard.track(leg).with_half_close(peer)
    };
    // The first one tracked is the one whose bytes and silence the line has.
    let mut client = leg(client, client_leg, Initiator::Client);
    let mut server = leg(server, server_leg, Initiator::Server);

    let mut timer = pin!(sleep(idle));
    // `select!` polls each branch whenever one of them wakes, so all that moves pushes the
    // timer out.
    let silence = poll_fn(|context| {
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        timer.as_mut().reset(Instant::now() + idle);
        timer.as_mut().poll(context)
    });
    let closed = Disconnect::closed_by(ClientToServer, Initiator::Agent);
    let closed = closed.with_trigger(Trigger::IdleTimeout);
    let cause = guard.cause();
    let all_copied = tokio::select! {
        copied = copy_bidirectional(&mut client, &mut server) => copied.is_ok(),
        // Recorded once, where it was decided.
        _ = agent.ended() => false,
        () = cause.record_when(silence, Evidence::Local, closed) => false,
        end = policy => {
            cause.record(Evidence::Local, end);
            false
        }
    };
    if !all_copied {
        // To the next hop a FIN would mean that all is well: the sockets' drop is a reset now.
        // A task that is aborted does not get here; set it right after `accept` where that
        // matters.
        for leg in [client.as_fd(), server.as_fd()] {
            let _ = SockRef::from(&leg).set_linger(Some(Duration::ZERO));
        }
    }
    // Just drop the guard: `close(graceful)` would forget who stopped.
}
