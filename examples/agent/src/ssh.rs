//! The agent's SSH server: accepts connections, and goes on doing so.
//!
//! What every server on russh needs stands in the recipes: a connection's loop, and what its end means.
//! Sessions and channels run over their connection, so each has a child of its cause: an outage of the
//! connection, a stop of the workspace and a shutdown of the agent are recorded where they happen, and
//! explain every line below.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::DisconnectGuard;
use recipes::russh_connection;
use russh::keys::{PrivateKey, PublicKey};
use russh::{MethodKind, MethodSet};
use slog::{info, warn};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::context::Context;

mod crowd;
mod handler;

use crowd::{Crowd, refusal};
use handler::ClientHandler;

/// Lets in every client that holds the key.
#[derive(Debug, Clone)]
pub(crate) struct SshServer {
    context: Context,
    config: Arc<russh::server::Config>,
    client_key: PublicKey,
    login_time: Duration,
    crowd: Arc<Crowd>,
    connections: TaskTracker,
}

impl SshServer {
    pub(crate) fn new(
        context: &Context,
        host_key: PrivateKey,
        client_key: PublicKey,
        login_time: Duration,
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
            login_time,
            crowd: Arc::default(),
            connections: TaskTracker::new(),
        }
    }

    /// Accepts until the agent shuts down, then waits until every connection has logged its end.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let log_refused = async {
            loop {
                sleep(Duration::from_secs(1)).await;
                self.log_refused();
            }
        };
        tokio::select! {
            () = self.accept(&listener) => {}
            () = log_refused => {}
            _ = self.context.agent.ended() => {}
        }
        self.all_ended().await;
        self.log_refused();
    }

    async fn accept(&self, listener: &TcpListener) {
        let mut failures = 0;
        loop {
            match listener.accept().await {
                Ok((socket, client)) => {
                    failures = 0;
                    self.connections.spawn(self.clone().connection(socket, client.ip()));
                }
                // Such as too many open files. What is open lives on, and an end of it makes room.
                Err(error) => {
                    warn!(self.context.log, "failed to accept"; "error" => %error);
                    sleep(pause(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    /// One line a second for all that were refused, whatever their number.
    fn log_refused(&self) {
        let refused = self.crowd.take_refused();
        if refused > 0 {
            info!(self.context.log, "ssh connections refused"; "connections" => refused, refusal());
        }
    }

    /// Waits until every connection has logged its end.
    pub(crate) async fn all_ended(&self) {
        drain(&self.connections).await;
        self.connections.reopen();
    }

    async fn connection(self, socket: TcpStream, address: IpAddr) {
        let log = self.context.log;
        let (line, crowd) = (log.clone(), Arc::clone(&self.crowd));
        let guard = DisconnectGuard::new(AgentToClient, move |end| {
            if !crowd.counts(&end) {
                info!(line, "ssh connection closed"; end);
            }
        })
        .with_cause(self.context.workspace.child());
        let half_open = Crowd::enter(&self.crowd, address, guard.cause());
        let sessions = TaskTracker::new();
        let over = sessions.clone();
        let handler = |carrier| ClientHandler {
            log,
            carrier,
            sessions: over,
            client_key: self.client_key,
            half_open: Some(half_open),
            opened: HashMap::new(),
        };
        let (config, login_time) = (self.config, self.login_time);
        russh_connection::serve(socket, guard, config, login_time, handler, drain(&sessions)).await;
        drain(&sessions).await;
    }
}

/// Waits until all that is tracked has ended.
async fn drain(tasks: &TaskTracker) {
    tasks.close();
    tasks.wait().await;
}

/// How long to wait after an error in a row: a twentieth of a second at first, two seconds at most.
pub(crate) fn pause(failures: u32) -> Duration {
    Duration::from_millis(50 << failures.min(5)).min(Duration::from_secs(2))
}
