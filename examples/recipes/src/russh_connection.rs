//! An SSH server's connection: handshake, login, and what runs over it.
//!
//! Fits this crate with `tokio`, russh 0.65 (with `ring`, or its default `aws-lc-rs`), and
//! tokio 1 with `io-util`, `macros`, `net`, `process`, `rt`, `sync` and `time`. Sessions and
//! forwarded channels stand in `russh_session.rs`.

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
};
use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream,
};
use russh::{Channel, ChannelId, Error};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::russh_session::{forward, run_session};

/// How long anything has to leave.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// The log statement: a message, and the end.
pub type Log = Arc<dyn Fn(&'static str, Disconnect) + Send + Sync>;

/// What connections share.
#[derive(Clone)]
pub struct Site {
    pub agent: Cause,
    /// OpenSSH asks for the method `none` first, and russh answers each refusal after
    /// `auth_rejection_time`, 1 s by default: set `auth_rejection_time_initial` to
    /// `Some(Duration::ZERO)`.
    pub config: Arc<Config>,
    /// How long a client has to log in, with its passphrases: OpenSSH's server allows 120 s
    /// (`LoginGraceTime`).
    pub login_time: Duration,
    pub client_key: PublicKey,
    /// What a command becomes, such as `sh -c`.
    pub command: fn(&str) -> Command,
    /// Starts a subsystem, such as `sftp`; false if there is none of this name.
    pub subsystem: fn(&str) -> bool,
    /// Sessions and forwarded channels, so that a drain can wait for them.
    pub tasks: Arc<Mutex<JoinSet<()>>>,
    pub log: Log,
}

/// Serves one connection until it ends. russh runs it in a task of its own: to stop it, record
/// why in `agent`; an abort of this task would end the line and not the connection.
pub async fn serve(socket: TcpStream, site: Site) {
    let log = site.log.clone();
    let guard = DisconnectGuard::new(AgentToClient, |end| log("ssh connection closed", end));
    let guard = guard.with_cause(site.agent.child());
    let cause = guard.cause();
    let (logged_in, mut is_logged_in) = watch::channel(false);
    let handler = Connection {
        site: site.clone(),
        cause: cause.clone(),
        logged_in,
        opened: HashMap::new(),
    };
    // Once russh has started its task, only the end of the socket stops that.
    let Ok((socket, second)) = two_handles(socket) else {
        return drop(guard.finish()); // the process has no file descriptor left: nothing was served
    };
    let stream = guard.track(socket, Initiator::Client);

    let connection = async {
        let mut running = run_stream(site.config.clone(), stream, handler).await?;
        let handle = running.handle();
        tokio::select! {
            result = &mut running => result,
            // Recorded once, where it was decided. Its children, the sessions, wake at the
            // same record.
            _ = site.agent.ended() => {
                let (code, text) = (russh::Disconnect::ByApplication, "shutting down".to_owned());
                let _ = handle.disconnect(code, text, String::new()).await;
                timeout(PATIENCE, running).await.unwrap_or(Ok(()))
            }
        }
    };
    let mut in_time = is_logged_in.clone();
    let late = async move {
        if timeout(site.login_time, in_time.wait_for(|logged_in| *logged_in))
            .await
            .is_ok()
        {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        result = connection => result,
        () = late => {
            let end = Disconnect::new(AgentToClient, DisconnectReason::NetworkError)
                .with_initiator(Initiator::Network)
                .with_trigger(Trigger::HandshakeTimeout);
            cause.record(Evidence::Transport, end);
            Ok(())
        }
    };
    observe(&cause, &result, *is_logged_in.borrow_and_update());
    let _ = second.shutdown(Shutdown::Both);
}

fn two_handles(socket: TcpStream) -> io::Result<(TcpStream, std::net::TcpStream)> {
    let socket = socket.into_std()?;
    let second = socket.try_clone()?;
    Ok((TcpStream::from_std(socket)?, second))
}

/// Records what SSH explains of the end, beyond what the transport did.
fn observe(cause: &Cause, result: &Result<(), Error>, is_logged_in: bool) {
    let new = |reason| Disconnect::new(AgentToClient, reason);
    let (evidence, end) = match result {
        // russh ends without an error on an SSH_MSG_DISCONNECT, and keeps its code to itself.
        // Before the login that may be this side's own, after too many attempts: the
        // presumption knows.
        Ok(()) if !is_logged_in => return,
        Ok(()) => (
            Evidence::Peer,
            Disconnect::closed_by(AgentToClient, Initiator::Client),
        ),
        Err(Error::InactivityTimeout) => {
            let end = Disconnect::closed_by(AgentToClient, Initiator::Agent);
            (Evidence::Local, end.with_trigger(Trigger::IdleTimeout))
        }
        Err(Error::KeepaliveTimeout) => {
            let end = new(DisconnectReason::NetworkError).with_initiator(Initiator::Network);
            (
                Evidence::Transport,
                end.with_trigger(Trigger::KeepaliveTimeout),
            )
        }
        // russh's task panicked: a bug of the handler below.
        Err(Error::Join(_)) => {
            let end = new(DisconnectReason::Unknown).with_trigger(Trigger::Panic);
            (Evidence::Local, end.with_detail("ended by a panic"))
        }
        // Of the transport, which the tracked stream has seen.
        Err(
            Error::IO(_) | Error::Disconnect | Error::HUP | Error::SendError | Error::RecvError,
        ) => return,
        Err(error) => {
            let end = new(DisconnectReason::ProtocolError).with_initiator(Initiator::Client);
            (Evidence::Local, end.with_detail(error.to_string()))
        }
    };
    cause.record(evidence, end);
}

/// What russh calls for each request of one client. Its drop means nothing: it may come before
/// the cause.
struct Connection {
    site: Site,
    cause: Cause,
    logged_in: watch::Sender<bool>,
    opened: HashMap<ChannelId, Channel<Msg>>,
}

impl Connection {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.site
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(task);
    }
}

impl Handler for Connection {
    type Error = Error;

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        if key.public_key.key_data() == self.site.client_key.key_data() {
            return Ok(Auth::Accept);
        }
        // However it leaves now, it was refused. A login that succeeds takes it back.
        let refused = Disconnect::new(AgentToClient, DisconnectReason::Rejected);
        let refused = refused.with_initiator(Initiator::Agent);
        self.cause
            .presume(refused.with_detail(format!("login refused: {user}")));
        Ok(Auth::reject())
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Error> {
        self.cause.presume(None);
        self.logged_in.send_replace(true);
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.opened.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        let Some(channel) = self.opened.remove(&id) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let (command, text) = (
            self.site.command,
            String::from_utf8_lossy(command).into_owned(),
        );
        self.spawn(run_session(
            channel,
            move || command(&text),
            self.cause.clone(),
            self.site.log.clone(),
        ));
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        if (self.site.subsystem)(name) {
            session.channel_success(id)
        } else {
            session.channel_failure(id)
        }
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
    ) -> Result<(), Error> {
        let port = u16::try_from(port).unwrap_or_default();
        // A dial that fails ends nothing: the dropped reply refuses the channel.
        let Ok(target) = TcpStream::connect((host, port)).await else {
            return Ok(());
        };
        reply.accept().await;
        self.spawn(forward(
            channel,
            target,
            self.cause.clone(),
            self.site.log.clone(),
        ));
        Ok(())
    }
}
