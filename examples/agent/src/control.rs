//! The agent's control plane: a connection to the coordinator, two calls over it, and why each of them ends.

use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::ServerToAgent;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream, Trigger,
    classify_coordination_close, classify_coordinator_rpc_exit,
};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use recipes::websocket::{Site, broke, goodbye};
use slog::{Logger, debug, info, warn};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::task::AbortOnDropHandle;

use crate::context::{Context, shutdown};
use crate::coordinator::{COORDINATION_FINISHED, DISCONNECT, RELAY_MAP_FINISHED, WORKSPACE_STOPPED};

type Socket = WebSocketStream<TrackedStream<TcpStream>>;

/// The half that writes: the run loop pings through it, and the coordination leaves through it.
type Requests = Arc<Mutex<SplitSink<Socket, Message>>>;

/// The agent's run loop: listens for the server, and makes sure that it is there.
///
/// What ends with it is dropped in this order: first the connection logs its line, then each call. That an
/// agent has decided to shut down ends no call: they are there to announce it.
struct RunLoop {
    guard: DisconnectGuard,
    relay_map: Option<DisconnectGuard>,
    coordination: Option<DisconnectGuard>,
    /// Dropped after that: who waits for it finds the line in the log.
    coordination_open: Option<oneshot::Sender<()>>,
    site: Site,
    workspace: Cause,
    responses: SplitStream<Socket>,
    requests: Requests,
}

impl RunLoop {
    /// Runs until the connection ends.
    async fn run(mut self) {
        let ping_interval = self.site.patience;
        let mut pings = interval_at(Instant::now() + ping_interval, ping_interval);
        let mut answered = true;
        loop {
            tokio::select! {
                message = self.responses.next() => match message {
                    Some(Ok(message)) => {
                        answered = true;
                        self.heard(&message);
                    }
                    Some(Err(error)) => return broke(&self.guard.cause(), self.site, &error),
                    None => return,
                },
                _ = pings.tick() => {
                    if !answered {
                        let end = Disconnect::network_error(ServerToAgent, Trigger::KeepaliveTimeout);
                        self.guard.cause().record(Evidence::Transport, end);
                        return;
                    }
                    answered = false;
                    // If this fails, the tracked stream has recorded it, and the next read ends.
                    let _ = self.requests.lock().await.send(Message::Ping(Bytes::new())).await;
                }
            }
        }
    }

    fn heard(&mut self, message: &Message) {
        match message {
            Message::Close(frame) => {
                let frame = frame.as_ref().map(|frame| (frame.code.into(), frame.reason.as_str()));
                goodbye(&self.guard.cause(), self.site, frame);
            }
            Message::Text(text) => match text.as_str() {
                WORKSPACE_STOPPED => {
                    let end = Disconnect::new(ServerToAgent, DisconnectReason::WorkspaceStopped)
                        .with_initiator(Initiator::Server);
                    self.workspace.record(Evidence::Peer, end);
                }
                RELAY_MAP_FINISHED => finish(self.relay_map.take()),
                COORDINATION_FINISHED => {
                    finish(self.coordination.take());
                    self.coordination_open = None;
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// Ends a call that the server has finished.
fn finish(call: Option<DisconnectGuard>) {
    if let Some(guard) = call {
        let end = classify_coordinator_rpc_exit(false, &Ok::<_, Error>(()));
        guard.cause().record(Evidence::Peer, end);
    }
}

/// One life of the control plane, from a dial that succeeds to its end.
pub(crate) struct ControlPlane {
    log: Logger,
    requests: Requests,
    run_loop: AbortOnDropHandle<()>,
    coordination_ended: oneshot::Receiver<()>,
    /// Logs that the agent dials again, and why it has to.
    retrying: Option<DisconnectGuard>,
}

impl ControlPlane {
    /// Dials. A dial that fails ends nothing, so it logs no disconnect.
    pub(crate) async fn open(
        context: &Context,
        coordinator: &str,
        ping_interval: Duration,
    ) -> Result<Self, Error> {
        let site = Site {
            layer: ServerToAgent,
            this_side: Initiator::Agent,
            peer: Initiator::Server,
            patience: ping_interval,
            idle: Duration::MAX,
        };
        let cause = context.agent.child();
        let stream = TcpStream::connect(coordinator).await?;
        let stream = TrackedStream::new(stream, site.layer, site.peer, cause.clone());
        let (socket, _) = client_async(format!("ws://{coordinator}/agent"), stream).await?;
        let (requests, responses) = socket.split();
        let requests = Arc::new(Mutex::new(requests));

        let log = context.log.clone();
        let guard = DisconnectGuard::boxed(ServerToAgent, move |end| {
            info!(log, "disconnected from coderd"; end);
        });
        let log = context.log.clone();
        let relay_map = DisconnectGuard::boxed(ServerToAgent, move |end| {
            debug!(log, "disconnected from derp map RPC"; end);
        });
        let log = context.log.clone();
        let coordination = DisconnectGuard::boxed(ServerToAgent, move |end| {
            debug!(log, "disconnected from coordination RPC"; end);
        });
        let log = context.log.clone();
        let retrying = DisconnectGuard::boxed(ServerToAgent, move |end| {
            warn!(log, "control plane connection closed, retrying"; end);
        });
        let retrying = Some(retrying.with_cause(cause.child()));
        let (coordination_open, coordination_ended) = oneshot::channel();
        let run_loop = RunLoop {
            relay_map: Some(relay_map.with_cause(cause.child())),
            coordination: Some(coordination.with_cause(cause.child())),
            guard: guard.with_cause(cause),
            coordination_open: Some(coordination_open),
            site,
            workspace: context.workspace.clone(),
            responses,
            requests: Arc::clone(&requests),
        };
        let run_loop = AbortOnDropHandle::new(tokio::spawn(run_loop.run()));
        Ok(Self { log: context.log.clone(), requests, run_loop, coordination_ended, retrying })
    }

    /// Waits until the server, or the network, has ended it.
    pub(crate) async fn ended(&mut self) {
        if !self.run_loop.is_finished() {
            let _ = (&mut self.run_loop).await;
        }
        self.retrying = None;
    }

    /// Leaves in good order, once the agent's shutdown is recorded.
    pub(crate) async fn close(mut self, patience: Duration) {
        if let Some(retrying) = self.retrying.take() {
            retrying.finish();
        }
        let log = self.log.clone();
        let mut leaving = Box::pin(self.end_coordination(patience * 2));
        if timeout(patience, &mut leaving).await.is_ok() {
            debug!(log, "coordinator RPC disconnected"; shutdown());
        } else {
            let end = shutdown().with_detail("timed out waiting for coordinator RPC to disconnect");
            warn!(log, "timed out waiting for Coordinator RPC disconnect"; end);
            (&mut leaving).await;
        }
        drop(leaving);
        let closed = async {
            let _ = self.requests.lock().await.close().await;
            self.ended().await;
        };
        if timeout(patience, closed).await.is_err() {
            self.run_loop.abort();
        }
        self.ended().await;
    }

    /// Announces that the agent leaves, and waits for the server to end the coordination.
    async fn end_coordination(&mut self, patience: Duration) {
        let log = &self.log;
        let disconnect = Message::text(DISCONNECT);
        let sent = self.requests.lock().await.send(disconnect).await;
        let end = classify_coordination_close(ServerToAgent, Initiator::Agent, &sent);
        if sent.is_err() {
            warn!(log, "failed to send disconnect"; end);
            return;
        }
        debug!(log, "sent disconnect"; &end);
        if timeout(patience, &mut self.coordination_ended).await.is_ok() {
            debug!(log, "responses closed after disconnect"; end);
        } else {
            let end = end
                .with_reason(DisconnectReason::NetworkError)
                .with_detail("context expired before coordinator hung up");
            warn!(log, "context expired while waiting for coordinate responses to close"; end);
        }
    }
}
