//! What runs over an SSH server's connection: sessions, and forwarded channels.
//!
//! Fits what `russh_connection.rs` does. A session here is one command: no input, no standard
//! error, no shell, no terminal, no process group. Put your own process in; keep the guard,
//! the `select!` and what follows it.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, Evidence, Initiator, classify_session_exit,
};
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use tokio::io::{AsyncWriteExt, copy};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::russh_connection::{Log, PATIENCE};

/// Runs a command until it ends, its client does, or the connection.
pub async fn run_session(
    channel: Channel<Msg>,
    command: impl FnOnce() -> Command,
    connection: Cause,
    log: Log,
) {
    // Many over one: a child.
    let guard = DisconnectGuard::new(AgentToClient, |end| log("ssh session closed", end));
    let guard = guard.with_cause(connection.child());
    let (mut from_client, to_client) = channel.split();
    let status: io::Result<ExitStatus> = async {
        let mut child = command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut writer = to_client.make_writer();
        let mut output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let finished = async {
            let (_, status) = tokio::join!(copy(&mut output, &mut writer), child.wait());
            status
        };
        tokio::select! {
            biased; // a connection that has ended explains what became of the command
            _ = connection.ended() => {}
            is_there = until_closed(&mut from_client) => {
                if is_there {
                    let end = Disconnect::closed_by(AgentToClient, Initiator::Client);
                    guard.cause().record(Evidence::Peer, end);
                } else {
                    // The connection is gone. Its cause may still be on its way: do not guess.
                    let _ = timeout(PATIENCE, connection.ended()).await;
                }
            }
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

/// Waits until the client closes a channel: `false` where the whole connection is gone.
async fn until_closed(from_client: &mut ChannelReadHalf) -> bool {
    loop {
        match from_client.wait().await {
            Some(ChannelMsg::Close) => return true,
            Some(_) => {}
            None => return false,
        }
    }
}

/// Connects a channel with its target, until both have stopped.
pub async fn forward(channel: Channel<Msg>, target: TcpStream, connection: Cause, log: Log) {
    let guard = DisconnectGuard::new(AgentToClient, |end| log("forwarded channel closed", end));
    let guard = guard.with_cause(connection.child());
    let cause = guard.cause();
    // The target's socket is this channel's own. Never a tracked stream over the channel: what
    // it sees is the connection's.
    let (mut from_target, mut to_target) =
        tokio::io::split(guard.track(target, Initiator::Server).with_half_close());
    let (mut from_client, to_client) = channel.split();
    let (client_stopped, target_stopped) = (AtomicBool::new(false), AtomicBool::new(false));
    let down = async {
        let mut writer = to_client.make_writer();
        // An error of the target has been recorded, and a FIN noted: who stopped first.
        let copied = copy(&mut from_target, &mut writer).await;
        target_stopped.store(true, Relaxed);
        let _ = to_client.eof().await;
        if copied.is_ok() && !client_stopped.load(Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let up = async {
        while let Some(message) = from_client.wait().await {
            match message {
                ChannelMsg::Data { data } => to_target.write_all(&data).await?,
                ChannelMsg::Eof => {
                    client_stopped.store(true, Relaxed);
                    to_target.shutdown().await?;
                    if target_stopped.load(Relaxed) {
                        return Ok(());
                    }
                }
                ChannelMsg::Close => {
                    if !target_stopped.load(Relaxed) {
                        let end = Disconnect::closed_by(AgentToClient, Initiator::Client);
                        cause.record(Evidence::Peer, end);
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
        // As above: the connection is gone, and knows why or will.
        let _ = timeout(PATIENCE, connection.ended()).await;
        Ok::<_, io::Error>(())
    };
    tokio::select! {
        biased;
        _ = cause.ended() => {}
        result = up => { let _ = result; }
        () = down => {}
    }
    let _ = to_client.close().await;
}
