//! An SSH server's connection, from its first byte to its line.
//!
//! Fits `russh_phase.rs`, and what it names with tokio's `net`. Your handler for russh calls
//! [`Phases::asked`] from `authentication_banner` and [`Phases::logged_in`] from `auth_succeeded`;
//! the agent's `src/ssh/handler.rs` in the repository's examples is one.

use std::io;
use std::net::{Shutdown, TcpStream as StdTcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Initiator};
use russh::Error;
use russh::server::{Config, Handler, run_stream};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::russh_phase::Phases;

/// How long anything has to leave.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// What runs over a connection knows this of it.
#[derive(Debug, Clone)]
pub struct Carrier {
    /// Why the connection ended. What runs over it has a child.
    pub cause: Cause,
    pub phases: Arc<Phases>,
    /// What a channel's client may send ahead.
    pub window_size: u32,
    /// Cloned by each channel that holds more than its consumer takes.
    pub full: Arc<Arc<()>>,
}

/// Serves one connection until it ends, and logs its line. To stop it, record why in its cause, or
/// above: an abort of this task would end the line and not the connection.
///
/// `drained` waits for the sessions to end, so that a client learns of theirs before its own.
pub async fn serve<F, H>(
    socket: TcpStream,
    guard: DisconnectGuard<F>,
    config: Arc<Config>,
    login_time: Duration,
    handler: impl FnOnce(Carrier) -> H,
    drained: impl Future<Output = ()>,
) where
    F: FnOnce(Disconnect),
    H: Handler<Error = Error> + Send + 'static,
{
    // russh serves the socket in a task of its own, which only the end of the socket stops.
    let Ok((socket, second)) = two_handles(socket) else {
        guard.finish(); // the process has no file descriptor left: nothing was served
        return;
    };
    let _ = socket.set_nodelay(config.nodelay); // `run_stream` does not
    let cause = guard.cause();
    let carrier = Carrier {
        cause: cause.clone(),
        phases: Arc::new(Phases::new(cause.clone())),
        window_size: config.window_size,
        full: Arc::default(),
    };
    let phases = Arc::clone(&carrier.phases);
    let start = run_stream(config, guard.track(socket, Initiator::Client), handler(carrier));
    let mut late = pin!(phases.late(login_time));

    let started = tokio::select! {
        started = start => Some(started),
        () = &mut late => None,
        // A client that has not even introduced itself holds nothing up.
        _ = cause.ended() => None,
    };
    match started {
        None => {}
        Some(Err(error)) => phases.observe(&Err(error)),
        Some(Ok(mut running)) => {
            let end = tokio::select! {
                result = &mut running => {
                    phases.observe(&result);
                    None
                }
                () = &mut late => None,
                end = cause.ended() => Some(end),
            };
            // They wake at the same record, and their clients learn of their ends first.
            let _ = timeout(PATIENCE, drained).await;
            if let Some(end) = end
                && phases.is_logged_in()
            {
                let leave = async {
                    let (code, text) = (russh::Disconnect::ByApplication, end.report_reason());
                    let client = running.handle();
                    let _ = client.disconnect(code, text.into(), String::new()).await;
                    phases.observe(&running.await);
                };
                let _ = timeout(PATIENCE, leave).await;
            }
        }
    }
    let _ = second.shutdown(Shutdown::Both);
}

fn two_handles(socket: TcpStream) -> io::Result<(TcpStream, StdTcpStream)> {
    let socket = socket.into_std()?;
    let second = socket.try_clone()?;
    Ok((TcpStream::from_std(socket)?, second))
}
