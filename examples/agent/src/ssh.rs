//! The agent's SSH server: commands, shells and forwarded ports, and why each of them ends.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream,
    classify_channel_close, classify_session_exit,
};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handle, Msg, RunningSession, Session, VerifiedPublicKey, run_stream,
};
use russh::{
    Channel, ChannelId, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelStream,
    ChannelWriteHalf, Disconnect as Goodbye, Sig,
};
use slog::{debug, info};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::control::{Context, shutdown};

/// How long a client or a process may take to leave.
const PATIENCE: Duration = Duration::from_millis(500);

/// Lets in whoever holds the client's key.
#[derive(Debug, Clone)]
pub(crate) struct SshServer {
    context: Context,
    config: Arc<russh::server::Config>,
    client_key: PublicKey,
    connections: TaskTracker,
}

impl SshServer {
    pub(crate) fn new(context: &Context, host_key: PrivateKey, client_key: PublicKey) -> Self {
        let config = Arc::new(russh::server::Config {
            keys: vec![host_key],
            auth_rejection_time: Duration::ZERO,
            inactivity_timeout: None,
            keepalive_interval: Some(Duration::from_secs(15)),
            nodelay: true,
            ..Default::default()
        });
        Self {
            context: context.clone(),
            config,
            client_key,
            connections: TaskTracker::new(),
        }
    }

    /// Accepts until the agent shuts down, then waits for the sessions to say so.
    pub(crate) async fn serve(self, listener: TcpListener) -> io::Result<()> {
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (socket, _) = accepted?;
                    self.connections.spawn(self.clone().connection(socket));
                }
                () = self.context.shutdown.cancelled() => break,
            }
        }
        self.all_ended().await;
        Ok(())
    }

    /// Waits until every connection has ended and said why.
    pub(crate) async fn all_ended(&self) {
        self.connections.close();
        self.connections.wait().await;
        self.connections.reopen();
    }

    async fn connection(self, socket: TcpStream) {
        let log = self.context.log.clone();
        // Each session logs its own end; this line is for a connection that never had one.
        let guard = DisconnectGuard::new(AgentToClient, move |end| {
            info!(log, "ssh connection closed"; end);
        });
        let connection = Connection {
            context: self.context.clone(),
            cause: guard.cause(),
            ended: CancellationToken::new(),
            sessions: TaskTracker::new(),
            had_session: Arc::default(),
        };
        let stream = TrackedStream::new(socket, AgentToClient, guard.cause());
        let handler = ClientHandler {
            connection: connection.clone(),
            client_key: self.client_key,
            opened: HashMap::new(),
        };
        let result = tokio::select! {
            started = run_stream(self.config, stream, handler) => match started {
                Ok(running) => connection.run(running).await,
                Err(error) => Err(error),
            },
            // A client that has not even introduced itself holds nothing up.
            () = self.context.shutdown.cancelled() => {
                connection.cause.record(Evidence::Local, shutdown(AgentToClient));
                Ok(())
            }
        };
        connection.observe(&result);
        connection.ended.cancel();
        connection.sessions.close();
        connection.sessions.wait().await;
        if connection.had_session.load(Ordering::Relaxed) {
            guard.disarm();
        }
    }
}

/// What the sessions of one SSH connection share.
#[derive(Debug, Clone)]
struct Connection {
    context: Context,
    /// Why the connection as a whole ended.
    cause: Cause,
    /// The connection has ended, and its cause is known.
    ended: CancellationToken,
    sessions: TaskTracker,
    had_session: Arc<AtomicBool>,
}

impl Connection {
    async fn run(&self, mut running: RunningSession<ClientHandler>) -> Result<(), russh::Error> {
        let client = running.handle();
        tokio::select! {
            result = &mut running => result,
            () = self.context.shutdown.cancelled() => {
                self.cause.record(Evidence::Local, shutdown(AgentToClient));
                self.sessions.close();
                self.sessions.wait().await;
                let text = "agent is shutting down".to_owned();
                let _ = client.disconnect(Goodbye::ByApplication, text, String::new()).await;
                let _ = timeout(PATIENCE, running).await;
                Ok(())
            }
        }
    }

    /// Records what SSH says about the end, beyond what the transport did.
    fn observe(&self, result: &Result<(), russh::Error>) {
        let end = |reason| Disconnect::new(AgentToClient, reason);
        match result {
            // russh ends without an error when the client says SSH_MSG_DISCONNECT, and keeps the
            // code to itself: clients send 11, "by application".
            Ok(()) => {
                let end = end(DisconnectReason::ClientClosed).with_initiator(Initiator::Client);
                self.cause.record(Evidence::Peer, end);
            }
            Err(russh::Error::KeepaliveTimeout) => {
                let end = end(DisconnectReason::NetworkError).with_initiator(Initiator::Network);
                self.cause
                    .record(Evidence::Transport, end.with_detail("keepalive timed out"));
            }
            // Errors of the transport, which told the cause itself.
            Err(russh::Error::IO(_) | russh::Error::Disconnect | russh::Error::HUP) => {}
            Err(error) => {
                let end = end(DisconnectReason::ProtocolError).with_initiator(Initiator::Client);
                self.cause
                    .record(Evidence::Local, end.with_detail(error.to_string()));
            }
        }
    }

    /// Runs a command, or a shell, until it ends or its client, its workspace or its agent does.
    async fn session(self, opened: Opened, command: Option<String>, client: Handle) {
        let Context {
            log,
            shutdown,
            workspace_stopped,
        } = self.context;
        let guard = DisconnectGuard::new(
            AgentToClient,
            move |end| info!(log, "ssh session closed"; end),
        );
        let cause = guard.cause();
        let id = opened.channel.id();
        let (from_client, to_client) = opened.channel.split();

        let result = match Process::spawn(command, opened.terminal, &to_client) {
            Err(error) => Err(error),
            Ok((mut process, input)) => tokio::select! {
                status = process.wait() => status,
                closed = feed(from_client, input) => {
                    if closed {
                        let end = Disconnect::new(AgentToClient, DisconnectReason::ClientClosed);
                        cause.record(Evidence::Peer, end.with_initiator(Initiator::Client));
                    } else {
                        self.ended.cancelled().await;
                        self.cause.get().map(|end| cause.record(Evidence::Peer, end));
                    }
                    process.hang_up().await
                }
                () = workspace_stopped.cancelled() => {
                    let end = Disconnect::new(AgentToClient, DisconnectReason::WorkspaceStopped);
                    cause.record(Evidence::Peer, end.with_initiator(Initiator::Server));
                    process.hang_up().await
                }
                () = shutdown.cancelled() => process.hang_up().await,
            },
        };
        guard.close(classify_session_exit(shutdown.is_cancelled(), &result));
        tell(&client, id, &result).await;
    }

    /// Connects a forwarded channel with its target, until either closes it.
    async fn forward(self, mut channel: ChannelStream<Msg>, mut target: TcpStream) {
        let log = self.context.log;
        let guard = DisconnectGuard::new(AgentToClient, move |end| {
            debug!(log, "JetBrains channel closed"; end);
        });
        tokio::select! {
            result = copy_bidirectional(&mut channel, &mut target) => {
                guard.close(classify_channel_close(&result));
            }
            () = self.ended.cancelled() => {
                self.cause.get().map(|end| guard.cause().record(Evidence::Peer, end));
            }
        }
    }
}

/// A session's channel before it is told what to run.
struct Opened {
    channel: Channel<Msg>,
    terminal: Option<pty_process::Size>,
}

/// What russh calls for each request of one client.
struct ClientHandler {
    connection: Connection,
    client_key: PublicKey,
    opened: HashMap<ChannelId, Opened>,
}

impl ClientHandler {
    fn start(
        &mut self,
        channel: ChannelId,
        command: Option<String>,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(opened) = self.opened.remove(&channel) else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        self.connection.had_session.store(true, Ordering::Relaxed);
        let running = self
            .connection
            .clone()
            .session(opened, command, session.handle());
        self.connection.sessions.spawn(running);
        Ok(())
    }
}

impl russh::server::Handler for ClientHandler {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        if key.public_key.key_data() == self.client_key.key_data() {
            Ok(Auth::Accept)
        } else {
            Ok(Auth::reject())
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.opened.insert(
            channel.id(),
            Opened {
                channel,
                terminal: None,
            },
        );
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(opened) = self.opened.get_mut(&channel) else {
            return session.channel_failure(channel);
        };
        let clamp = |cells: u32| u16::try_from(cells).unwrap_or(u16::MAX);
        opened.terminal = Some(pty_process::Size::new(clamp(rows), clamp(columns)));
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.start(channel, Some(command), session)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, None, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.connection.had_session.store(true, Ordering::Relaxed);
        let end = Disconnect::new(AgentToClient, DisconnectReason::Rejected)
            .with_initiator(Initiator::Agent)
            .with_detail(format!("unsupported subsystem: {name}"));
        info!(self.connection.context.log, "ssh session closed"; end);
        self.opened.remove(&channel);
        session.channel_failure(channel)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let target = (host.to_owned(), u16::try_from(port).unwrap_or_default());
        let connection = self.connection.clone();
        self.connection.had_session.store(true, Ordering::Relaxed);
        self.connection.sessions.spawn(async move {
            match TcpStream::connect(target).await {
                Ok(target) => {
                    reply.accept().await;
                    connection.forward(channel.into_stream(), target).await;
                }
                // Never established, so nothing ends.
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }
}

type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// The process behind a session.
struct Process {
    child: Child,
    output: JoinSet<()>,
}

impl Process {
    fn spawn(
        command: Option<String>,
        terminal: Option<pty_process::Size>,
        client: &ChannelWriteHalf<Msg>,
    ) -> io::Result<(Self, Option<Input>)> {
        let arguments = command
            .map(|command| vec!["-c".to_owned(), command])
            .unwrap_or_default();
        let mut output = JoinSet::new();
        let mut print = |from: Option<Box<dyn AsyncRead + Send + Unpin>>, mut to: Input| {
            output.spawn(async move {
                if let Some(mut from) = from {
                    let _ = copy(&mut from, &mut to).await;
                }
            });
        };
        if let Some(size) = terminal {
            let (terminal, process_end) = pty_process::open().map_err(io::Error::other)?;
            terminal.resize(size).map_err(io::Error::other)?;
            let child = pty_process::Command::new("sh")
                .args(arguments)
                .kill_on_drop(true)
                .spawn(process_end)
                .map_err(io::Error::other)?;
            let (printed, typed) = terminal.into_split();
            print(Some(Box::new(printed)), Box::new(client.make_writer()));
            return Ok((Self { child, output }, Some(Box::new(typed))));
        }
        let mut child = Command::new("sh")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        print(
            child.stdout.take().map(|pipe| Box::new(pipe) as _),
            Box::new(client.make_writer()),
        );
        print(
            child.stderr.take().map(|pipe| Box::new(pipe) as _),
            Box::new(client.make_writer_ext(Some(1))),
        );
        let input = child.stdin.take().map(|pipe| Box::new(pipe) as _);
        Ok((Self { child, output }, input))
    }

    /// Waits for the process, and for its last words to reach the client.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        let last_words = async { while self.output.join_next().await.is_some() {} };
        // A process in the background may hold the pipe for ever.
        let _ = timeout(Duration::from_millis(200), last_words).await;
        status
    }

    /// Ends the process as a terminal that goes away does.
    async fn hang_up(&mut self) -> io::Result<ExitStatus> {
        // A session's process leads its own group.
        let group = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group {
            let _ = killpg(Pid::from_raw(group), Signal::SIGHUP);
        }
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            self.child.start_kill()?;
        }
        self.child.wait().await
    }
}

/// Passes on what the client sends. `true` when the client closed the channel, `false` when the whole
/// connection is gone.
async fn feed(mut client: ChannelReadHalf, mut input: Option<Input>) -> bool {
    while let Some(message) = client.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(open) = &mut input
                    && open.write_all(&data).await.is_err()
                {
                    input = None;
                }
            }
            ChannelMsg::Eof => input = None,
            ChannelMsg::Close => return true,
            _ => {}
        }
    }
    false
}

/// Tells the client how its session ended. One that is gone does not hear it.
async fn tell(client: &Handle, channel: ChannelId, result: &io::Result<ExitStatus>) {
    if let Ok(status) = result {
        if let Some(code) = status.code() {
            let _ = client
                .exit_status_request(channel, code.unsigned_abs())
                .await;
        } else if let Some(signal) = status.signal().and_then(|raw| Signal::try_from(raw).ok()) {
            let name = signal.as_str().trim_start_matches("SIG").to_owned();
            let (dumped, text) = (status.core_dumped(), status.to_string());
            let _ = client
                .exit_signal_request(channel, Sig::Custom(name), dumped, text, String::new())
                .await;
        }
    }
    let _ = client.eof(channel).await;
    let _ = client.close(channel).await;
}
