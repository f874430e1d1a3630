//! One SSH connection of the agent: its sessions, its forwarded ports, and why each of them ends.
//!
//! Sessions and channels run over their connection, so each has a child of its cause: an outage of the
//! connection, a stop of the workspace and a shutdown of the agent are recorded where they happen, and
//! explain every line below.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
    classify_channel_close, classify_session_exit,
};
use russh::server::{Handle, Msg, RunningSession};
use russh::{ChannelStream, Disconnect as Goodbye};
use slog::{Logger, debug, info};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::process::{Process, report};

mod cut;
mod handler;
mod phase;
mod server;

use handler::{ClientHandler, Opened, closed_by_client};
use phase::{Phases, Running};

pub(crate) use server::{Limits, SshServer};

/// How long a client may take to leave.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the sessions of one SSH connection share.
#[derive(Debug, Clone)]
struct Connection {
    log: Logger,
    /// Why the connection as a whole ended.
    cause: Cause,
    phases: Arc<Phases>,
    sessions: TaskTracker,
}

impl Connection {
    /// Runs a command, or a shell, until it ends or its client, its workspace or its agent does.
    async fn session(self, opened: Opened, command: Option<String>, client: Handle, run: Running) {
        let log = self.log;
        let guard = DisconnectGuard::new(
            AgentToClient,
            move |end| info!(log, "ssh session closed"; end),
        )
        .with_cause(self.cause.child());
        let cause = guard.cause();
        let id = opened.channel.id();
        let (from_client, to_client) = opened.channel.split();
        let left = Disconnect::closed_by(AgentToClient, Initiator::Client);

        let status = match Process::spawn(command, opened.terminal, &to_client) {
            Err(error) => Err(error),
            Ok((mut process, input)) => tokio::select! {
                status = process.wait() => status,
                () = cause.record_when(closed_by_client(from_client, input), Evidence::Peer, left) => {
                    process.hang_up().await
                }
                _ = cause.ended() => process.hang_up().await,
            },
        };
        // Where the cause is known, the line gains the exit code from this.
        guard.close(classify_session_exit(false, &status));
        drop(run);
        let _ = timeout(PATIENCE, report(&client, id, &status)).await;
    }

    /// Connects a forwarded channel with its target, until either closes it.
    async fn forward(self, mut channel: ChannelStream<Msg>, target: TcpStream, _run: Running) {
        let log = self.log;
        let guard = DisconnectGuard::new(AgentToClient, move |end| {
            debug!(log, "JetBrains channel closed"; end);
        })
        .with_cause(self.cause.child());
        let mut target = guard.track(target).with_half_close(Initiator::Agent);
        tokio::select! {
            result = copy_bidirectional(&mut channel, &mut target) => {
                guard.close(classify_channel_close(&result));
            }
            _ = guard.cause().ended() => {}
        }
    }

    /// Serves one client, from its first byte until the cause of the connection knows why it ended.
    async fn serve(
        &self,
        start: impl Future<Output = Result<RunningSession<ClientHandler>, russh::Error>>,
        limit: Duration,
    ) {
        let never_logged_in = Disconnect::new(AgentToClient, DisconnectReason::NetworkError)
            .with_initiator(Initiator::Network)
            .with_trigger(Trigger::HandshakeTimeout);
        let late = self.phases.login_takes_longer_than(limit);
        let mut late = pin!(
            self.cause
                .record_when(late, Evidence::Transport, never_logged_in)
        );

        let started = tokio::select! {
            started = start => started,
            () = &mut late => return,
            // A client that has not even introduced itself holds nothing up.
            _ = self.cause.ended() => return,
        };
        let mut running = match started {
            Ok(running) => running,
            Err(error) => return self.observe(&Err(error)),
        };
        let client = running.handle();
        tokio::select! {
            result = &mut running => self.observe(&result),
            () = &mut late => {}
            end = self.cause.ended() => {
                self.sessions_ended().await;
                let text = match end.reason() {
                    DisconnectReason::WorkspaceStopped => "workspace stopped",
                    _ => "agent is shutting down",
                }.to_owned();
                let leave = async {
                    let _ = client.disconnect(Goodbye::ByApplication, text, String::new()).await;
                    let _ = running.await;
                };
                let _ = timeout(PATIENCE, leave).await;
            }
        }
    }

    /// Records what SSH knows about the end, beyond what the transport did.
    fn observe(&self, result: &Result<(), russh::Error>) {
        let end = |error: &russh::Error, reason, initiator| {
            Disconnect::from_error(AgentToClient, error)
                .with_reason(reason)
                .with_initiator(initiator)
        };
        let (evidence, end) = match result {
            // This side has refused one login too many, and what that means is presumed already.
            Ok(()) if self.phases.is_refused() => return,
            // russh ends without an error when the client sends SSH_MSG_DISCONNECT, and keeps the
            // code to itself: clients send 11, "by application".
            Ok(()) => (
                Evidence::Peer,
                Disconnect::closed_by(AgentToClient, Initiator::Client),
            ),
            Err(russh::Error::KeepaliveTimeout) => (
                Evidence::Transport,
                Disconnect::new(AgentToClient, DisconnectReason::NetworkError)
                    .with_initiator(Initiator::Network)
                    .with_trigger(Trigger::KeepaliveTimeout),
            ),
            // Most of these the tracked stream has seen itself.
            Err(error @ (russh::Error::IO(_) | russh::Error::Disconnect | russh::Error::HUP)) => (
                Evidence::Transport,
                end(error, DisconnectReason::NetworkError, Initiator::Network),
            ),
            Err(error @ russh::Error::Join(_)) => (
                Evidence::Local,
                Disconnect::from_error(AgentToClient, error).with_trigger(Trigger::Panic),
            ),
            Err(error) => (
                Evidence::Local,
                end(error, DisconnectReason::ProtocolError, Initiator::Client),
            ),
        };
        self.cause.record(evidence, end);
    }

    /// Starts a session, or a channel, as a task.
    fn spawn<F>(&self, session: impl FnOnce(Self, Running) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = Phases::run(&self.phases);
        self.sessions.spawn(session(self.clone(), running));
    }

    async fn sessions_ended(&self) {
        self.sessions.close();
        self.sessions.wait().await;
    }
}
