//! The agent's reconnecting terminal: a shell behind a TCP connection.

use std::io;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{DisconnectGuard, Initiator, TrackedStream, classify_pty_exit};
use slog::info;
use tokio::io::{copy, split};
use tokio::net::TcpStream;

use crate::context::Context;

/// Serves a shell until one side is done.
pub(crate) async fn serve(context: &Context, socket: TcpStream) {
    let log = context.log.clone();
    let guard = DisconnectGuard::new(AgentToClient, move |end| info!(log, "reconnecting pty closed"; end))
        .with_cause(context.workspace.child());
    let socket = guard.track(socket, Initiator::Client);
    let result = tokio::select! {
        result = bridge(socket) => result,
        // Its cause knows why already; the exit code is what the line gains from this.
        _ = guard.cause().ended() => Err(io::ErrorKind::Interrupted.into()),
    };
    guard.close(classify_pty_exit(false, &result));
}

/// Connects the socket with a shell on a terminal of its own. `Ok` means that the shell ended.
async fn bridge(socket: TrackedStream<TcpStream>) -> io::Result<()> {
    let (terminal, shell_side) = pty_process::open().map_err(io::Error::other)?;
    let mut shell =
        pty_process::Command::new("sh").kill_on_drop(true).spawn(shell_side).map_err(io::Error::other)?;
    let (mut output, mut input) = terminal.into_split();
    let (mut from_client, mut to_client) = split(socket);
    tokio::select! {
        typed = copy(&mut from_client, &mut input) => {
            typed?;
            Err(io::ErrorKind::UnexpectedEof.into())
        }
        // Linux ends a terminal that no process holds any more with EIO, so the shell's status counts.
        printed = copy(&mut output, &mut to_client) => match shell.try_wait()? {
            Some(_) => Ok(()),
            None => match printed {
                Err(error) if error.raw_os_error() != Some(nix::libc::EIO) => Err(error),
                Ok(_) | Err(_) => shell.wait().await.map(drop),
            },
        },
    }
}
