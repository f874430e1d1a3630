//! A terminal over a WebSocket: a shell that exits, and a client that leaves it.
//!
//! Fits Unix, this crate with `tokio`, nix 0.31 with `term`, tokio 1 with `fs`, `io-util`, `macros` and `process`, and
//! `websocket.rs` with what it fits. Give the shell a session of its own (`setsid --ctty --wait sh -i`).

use std::fs::File;
use std::io;
use std::process::{ExitStatus, Stdio};

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, classify_session_exit};
use futures_util::{SinkExt, StreamExt};
use nix::pty::openpty;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::websocket::{Site, broke, goodbye};

/// Runs a shell until it exits, or `connection` ends: the cause of the WebSocket, of which the session has a child.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut WebSocketStream<S>,
    shell: Command,
    connection: &Cause,
    site: Site,
    log: impl FnOnce(Disconnect),
) {
    let guard = DisconnectGuard::new(AgentToClient, log).with_cause(connection.child());
    // The status explains more than the terminal, which only ends. If the connection has ended, that is the cause, and
    // the status of a shell that was killed for it a fact.
    let status = session(client, shell, connection, site).await;
    guard.close(classify_session_exit(false, &status));
}

async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut WebSocketStream<S>,
    mut shell: Command,
    connection: &Cause,
    site: Site,
) -> io::Result<ExitStatus> {
    let terminal = openpty(None, None)?;
    let stdio = || terminal.slave.try_clone().map(Stdio::from);
    shell.stdin(stdio()?).stdout(stdio()?).stderr(stdio()?);
    let mut child = shell.kill_on_drop(true).spawn()?;
    drop((shell, terminal.slave)); // the shell's are the last: the terminal ends with it
    // Two handles: tokio's file does one thing at a time.
    let mut input = tokio::fs::File::from_std(File::from(terminal.master.try_clone()?));
    let mut terminal = tokio::fs::File::from_std(File::from(terminal.master));
    let (mut ended, mut output) = (connection.ended(), [0; 1024]);
    loop {
        tokio::select! {
            read = terminal.read(&mut output) => match read {
                Ok(length) if length > 0 => {
                    let output = Bytes::copy_from_slice(&output[..length]);
                    let _ = client.send(Message::Binary(output)).await;
                }
                // Linux ends a terminal that no process holds with an error, EIO.
                _ => return child.wait().await,
            },
            message = client.next() => match message {
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.as_ref().map(|frame| (frame.code.into(), frame.reason.as_str()));
                    goodbye(connection, site, frame);
                }
                Some(Ok(message)) => {
                    input.write_all(&message.into_data()).await?;
                    input.flush().await?;
                }
                Some(Err(error)) => broke(connection, site, &error),
                None => break,
            },
            _ = &mut ended => break,
        }
    }
    child.start_kill()?;
    child.wait().await
}
