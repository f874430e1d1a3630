//! Accepts connections, and goes on doing so.

use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectGuard, DisconnectReason, Initiator};
use russh::keys::{PrivateKey, PublicKey};
use russh::server::run_stream;
use russh::{MethodKind, MethodSet};
use slog::{info, warn};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Connection;
use super::cut::Cut;
use super::handler::ClientHandler;
use super::phase::Phases;
use crate::context::Context;

/// What a client that has not logged in yet may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long handshake and login may take together.
    pub(crate) login: Duration,
    /// How many connections may be in that state at once.
    pub(crate) half_open: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login: Duration::from_secs(30),
            half_open: 100,
        }
    }
}

/// Lets in every client that holds the key.
#[derive(Debug, Clone)]
pub(crate) struct SshServer {
    context: Context,
    config: Arc<russh::server::Config>,
    client_key: PublicKey,
    limits: Limits,
    half_open: Arc<Semaphore>,
    connections: TaskTracker,
}

impl SshServer {
    pub(crate) fn new(
        context: &Context,
        host_key: PrivateKey,
        client_key: PublicKey,
        limits: Limits,
    ) -> Self {
        let config = Arc::new(russh::server::Config {
            keys: vec![host_key],
            methods: MethodSet::from(&[MethodKind::PublicKey][..]),
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
            limits,
            half_open: Arc::new(Semaphore::new(limits.half_open)),
            connections: TaskTracker::new(),
        }
    }

    /// Accepts until the agent shuts down, then waits until every connection has logged its end.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut shutdown = self.context.agent.ended();
        let mut failures = 0;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = &mut shutdown => break,
            };
            match accepted {
                Ok((socket, _)) => {
                    failures = 0;
                    self.connections.spawn(self.clone().connection(socket));
                }
                // Such as too many open files. What is open lives on, and an end of it makes room.
                Err(error) => {
                    warn!(self.context.log, "failed to accept"; "error" => %error);
                    tokio::select! {
                        () = sleep(pause(failures)) => failures += 1,
                        _ = &mut shutdown => break,
                    }
                }
            }
        }
        self.all_ended().await;
    }

    /// Waits until every connection has logged its end.
    pub(crate) async fn all_ended(&self) {
        self.connections.close();
        self.connections.wait().await;
        self.connections.reopen();
    }

    async fn connection(self, socket: TcpStream) {
        let log = self.context.log.clone();
        let guard = DisconnectGuard::new(AgentToClient, move |end| {
            info!(log, "ssh connection closed"; end);
        })
        .with_cause(self.context.workspace.child());
        let Ok(half_open) = self.half_open.try_acquire_owned() else {
            let end = Disconnect::new(AgentToClient, DisconnectReason::Rejected)
                .with_initiator(Initiator::Agent)
                .with_detail("too many clients that have not logged in");
            return guard.close(end);
        };
        let connection = Connection {
            log: self.context.log,
            cause: guard.cause(),
            phases: Arc::new(Phases::new(guard.cause())),
            sessions: TaskTracker::new(),
        };
        let cut = CancellationToken::new();
        let stream = Cut::new(guard.track(socket), cut.clone());
        let handler = ClientHandler::new(connection.clone(), self.client_key, half_open);

        let start = run_stream(self.config, stream, handler);
        connection.serve(start, self.limits.login).await;
        cut.cancel();
        connection.sessions_ended().await;
    }
}

/// How long to wait after an error in a row: a twentieth of a second at first, two seconds at most.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(50 << failures.min(5)).min(Duration::from_secs(2))
}
