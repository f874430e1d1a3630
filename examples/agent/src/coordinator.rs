//! The coordinator: a WebSocket server in a process of its own.
//!
//! Signals make it do what servers do: `SIGTERM` restart politely (1001), `SIGUSR1` stop the workspace,
//! `SIGUSR2` finish every call (1000), `SIGSTOP` hang, `SIGKILL` crash. It ends with its parent process.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::process::Stdio;

use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, Command};
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
    process: Child,
    /// The process ends when this closes, and `Child::wait` would close it too early.
    _stdin: Option<ChildStdin>,
    address: SocketAddr,
}

impl Coordinator {
    pub(crate) async fn start() -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("coordinator")
            .stdin(Stdio::piped()) // closes with this process, however that ends
            .stdout(Stdio::piped())
            .process_group(0) // Ctrl-C is for the agent alone
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address).await?;
        let address = address.trim().parse().map_err(io::Error::other)?;
        let stdin = process.stdin.take();
        Ok(Self { process, _stdin: stdin, address })
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.id()).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(id), signal)?)
    }

    /// Stops it where it stands, and returns when it has stopped.
    pub(crate) fn hang(&self) -> io::Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let id = i32::try_from(self.id()).map_err(io::Error::other)?;
        waitpid(Pid::from_raw(id), Some(WaitPidFlag::WUNTRACED))?;
        Ok(())
    }

    /// Sends a signal that ends it, and waits until it has ended.
    pub(crate) async fn end(mut self, signal: Signal) -> io::Result<()> {
        self.signal(signal)?;
        self.process.wait().await?;
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Order {
    Send(&'static str),
    Close(CloseFrame),
}

fn close(code: CloseCode, reason: &'static str) -> Order {
    let reason = reason.into();
    Order::Close(CloseFrame { code, reason })
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
        // An order without a listener is no fault: no agent is connected.
        let order = tokio::select! {
            accepted = listener.accept() => {
                agents.spawn(serve(accepted?.0, orders.subscribe()));
                continue;
            }
            _ = stop_workspace.recv() => Order::Send(WORKSPACE_STOPPED),
            _ = end_calls.recv() => {
                let _ = orders.send(Order::Send(RELAY_MAP_FINISHED));
                let _ = orders.send(Order::Send(COORDINATION_FINISHED));
                close(CloseCode::Normal, "calls finished")
            }
            _ = terminate.recv() => {
                let _ = orders.send(close(CloseCode::Away, "server is restarting"));
                agents.join_all().await;
                return Ok(());
            }
        };
        let _ = orders.send(order);
    }
}

async fn serve(socket: TcpStream, mut orders: broadcast::Receiver<Order>) -> Result<()> {
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
                Ok(Order::Send(text)) => socket.send(Message::text(text)).await?,
                Ok(Order::Close(frame)) => socket.close(Some(frame)).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
