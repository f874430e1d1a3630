//! What russh calls for each request of one client.

use std::collections::HashMap;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Disconnect, DisconnectGuard, DisconnectReason, Initiator, classify_session_exit,
};
use recipes::russh_channel::feed;
use recipes::russh_connection::{Carrier, PATIENCE};
use recipes::russh_forward::{dial, forward};
use recipes::russh_phase::Phases;
use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handle, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Error};
use slog::{Logger, debug, info};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::crowd::HalfOpen;
use crate::process::{CANNOT_RUN, Process, report};

/// A session's channel before its client asks for a command.
pub(super) struct Opened {
    channel: Channel<Msg>,
    terminal: Option<pty_process::Size>,
}

pub(super) struct ClientHandler {
    pub(super) log: Logger,
    pub(super) carrier: Carrier,
    pub(super) sessions: TaskTracker,
    pub(super) client_key: PublicKey,
    /// Given back when the client has logged in.
    pub(super) half_open: Option<HalfOpen>,
    pub(super) opened: HashMap<ChannelId, Opened>,
}

pub(super) fn rejected(detail: String) -> Disconnect {
    Disconnect::new(AgentToClient, DisconnectReason::Rejected)
        .with_initiator(Initiator::Agent)
        .with_detail(detail)
}

impl ClientHandler {
    /// Starts a session, or a channel, as a task.
    fn spawn<F>(&self, task: impl FnOnce(Logger, Carrier) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let open = Phases::open(&self.carrier.phases);
        let task = task(self.log.clone(), self.carrier.clone());
        self.sessions.spawn(async move {
            let _open = open;
            task.await;
        });
    }

    fn start(
        &mut self,
        channel: ChannelId,
        command: Option<String>,
        session: &mut Session,
    ) -> Result<(), Error> {
        let Some(opened) = self.opened.remove(&channel) else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        let client = session.handle();
        self.spawn(|log, carrier| run(log, carrier, opened, command, client));
        Ok(())
    }
}

/// Runs a command, or a shell, until it ends or its client, its workspace or its agent does.
async fn run(log: Logger, carrier: Carrier, opened: Opened, command: Option<String>, client: Handle) {
    let guard = DisconnectGuard::new(AgentToClient, move |end| info!(log, "ssh session closed"; end))
        .with_cause(carrier.cause.child());
    let cause = guard.cause();
    let id = opened.channel.id();
    let (from_client, to_client) = opened.channel.split();

    let status = match Process::spawn(command, opened.terminal, &to_client) {
        Err(error) => Err(error),
        Ok((mut process, input)) => tokio::select! {
            status = process.wait() => status,
            () = feed(from_client, input, &carrier, &cause) => process.hang_up().await,
            _ = cause.ended() => process.hang_up().await,
        },
    };
    // Where the cause is known, the line gains the exit code from this.
    guard.close(match &status {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            rejected(error.to_string()).with_exit_code(CANNOT_RUN)
        }
        _ => classify_session_exit(false, &status),
    });
    let _ = timeout(PATIENCE, report(&client, id, &status)).await;
}

impl Handler for ClientHandler {
    type Error = Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Error> {
        self.carrier.phases.asked();
        Ok(None)
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        let is_known = key.public_key.key_data() == self.client_key.key_data();
        Ok(if is_known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Error> {
        self.half_open = None;
        self.carrier.phases.logged_in();
        Ok(())
    }

    fn adjust_window(&mut self, _: ChannelId, _: u32) -> u32 {
        self.carrier.window()
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.opened.insert(channel.id(), Opened { channel, terminal: None });
        reply.accept().await;
        Ok(())
    }

    /// Nothing takes what comes before a command, and a full channel holds up the others.
    async fn data(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Error> {
        match self.opened.remove(&id) {
            Some(_) => session.close(id),
            None => Ok(()),
        }
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.opened.remove(&id);
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
    ) -> Result<(), Error> {
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
    ) -> Result<(), Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.start(channel, Some(command), session)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        self.start(channel, None, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        let end = rejected(format!("unsupported subsystem: {name}"));
        info!(self.log, "ssh session closed"; end);
        drop(Phases::open(&self.carrier.phases));
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
    ) -> Result<(), Error> {
        let host = host.to_owned();
        self.spawn(|log, carrier| async move {
            // Never established, so nothing ends.
            let Some(target) = dial(host, port, &carrier).await else {
                return reply.reject(ChannelOpenFailure::ConnectFailed).await;
            };
            reply.accept().await;
            let guard = DisconnectGuard::new(AgentToClient, move |end| {
                debug!(log, "JetBrains channel closed"; end);
            })
            .with_cause(carrier.cause.child());
            forward(channel, target, guard, &carrier).await;
        });
        Ok(())
    }
}
