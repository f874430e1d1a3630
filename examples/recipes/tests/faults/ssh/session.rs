//! A session of that server: one command, until it ends, its client does, or the connection.

use std::io;
use std::process::{ExitStatus, Stdio};

use disconnect_attribution::{Disconnect, DisconnectGuard, classify_session_exit};
use recipes::russh_channel::feed;
use recipes::russh_connection::Carrier;
use russh::Channel;
use russh::server::Msg;
use tokio::io::copy;
use tokio::process::Command;

pub(super) async fn run_session<F: FnOnce(Disconnect)>(
    channel: Channel<Msg>,
    command: impl FnOnce() -> Command,
    guard: DisconnectGuard<F>,
    carrier: &Carrier,
) {
    let cause = guard.cause();
    let (from_client, to_client) = channel.split();
    let status: io::Result<ExitStatus> = async {
        let mut child = command().stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let (Some(input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut writer = to_client.make_writer();
        let finished = async {
            let (_, status) = tokio::join!(copy(&mut output, &mut writer), child.wait());
            status
        };
        tokio::select! {
            biased; // a connection that has ended explains what became of the command
            _ = cause.ended() => {}
            () = feed(from_client, input, carrier, &cause) => {}
            status = finished => return status,
        }
        child.start_kill()?;
        child.wait().await
    }
    .await;
    if let Some(code) = status.as_ref().ok().and_then(ExitStatus::code) {
        let _ = to_client.exit_status(code.unsigned_abs()).await;
    }
    let _ = to_client.close().await;
    guard.close(classify_session_exit(false, &status));
}
