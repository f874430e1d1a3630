//! The coordinator: a WebSocket server in a process of its own.
//!
//! Signals make it do what servers do: `SIGTERM` restart politely (1001), `SIGUSR1` stop the workspace,
//! `SIGUSR2` finish every call (1000), `SIGSTOP` hang, `SIGKILL` crash. It ends with its parent process.

use std::io::{self, Read};
use std::process::Stdio;

use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Result};

/// What the server sends to end a workspace under its open connections.
pub(crate) const WORKSPACE_STOPPED: &str = "workspace stopped";

/// What an agent sends before it leaves. The server then finishes the coordination.
pub(crate) const DISCONNECT: &str = "disconnect";

/// What the server sends when it has finished the call that follows its relay map.
pub(crate) const RELAY_MAP_FINISHED: &str = "derp map finished";

/// What the server sends when it has finished the coordination.
pub(crate) const COORDINATION_FINISHED: &str = "coordination finished";

/// A coordinator that this process started.
#[derive(Debug)]
pub(crate) struct Coordinator {
    /// It ends when its standard input closes, with this process at the latest.
    process: Child,
    pub(crate) address: String,
}

impl Coordinator {
    pub(crate) async fn start() -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("coordinator")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0) // Ctrl-C is for the agent alone
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address).await?;
        Ok(Self { process, address: address.trim().to_owned() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.id()).map_err(io::Error::other)?;
        let process = Pid::from_raw(id);
        kill(process, signal)?;
        if signal == Signal::SIGSTOP {
            waitpid(process, Some(WaitPidFlag::WUNTRACED))?; // until it has stopped
        }
        Ok(())
    }
}

fn close(code: CloseCode, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

/// The process itself.
pub(crate) async fn run() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (orders, _) = broadcast::channel(16);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut stop_workspace = signal(SignalKind::user_defined1())?;
    let mut end_calls = signal(SignalKind::user_defined2())?;
    let mut agents = JoinSet::new();
    std::thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0); // the parent is gone
    });
    println!("{}", listener.local_addr()?);
    loop {
        let messages = tokio::select! {
            accepted = listener.accept() => {
                agents.spawn(serve(accepted?.0, orders.subscribe()));
                continue;
            }
            _ = stop_workspace.recv() => vec![Message::text(WORKSPACE_STOPPED)],
            _ = end_calls.recv() => vec![
                Message::text(RELAY_MAP_FINISHED),
                Message::text(COORDINATION_FINISHED),
                close(CloseCode::Normal, "calls finished"),
            ],
            _ = terminate.recv() => break,
        };
        for message in messages {
            let _ = orders.send(message); // without a listener, no agent is connected
        }
    }
    let _ = orders.send(close(CloseCode::Away, "server is restarting"));
    agents.join_all().await;
    Ok(())
}

async fn serve(socket: TcpStream, mut orders: broadcast::Receiver<Message>) -> Result<()> {
    let mut socket = accept_async(socket).await?;
    loop {
        tokio::select! {
            message = socket.next() => match message.transpose()? {
                Some(Message::Text(text)) if text == DISCONNECT => {
                    socket.send(Message::text(COORDINATION_FINISHED)).await?;
                }
                Some(_) => {} // tungstenite answers pings and close frames itself
                None => return Ok(()),
            },
            order = orders.recv() => match order {
                Ok(message) => socket.send(message).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
