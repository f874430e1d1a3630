//! The agent's control plane: a connection to the coordinator, two calls over it, and why each of them ends.

use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::ServerToAgent;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream,
    Trigger, classify_coordination_close, classify_coordinator_rpc_exit,
};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use slog::{Logger, debug, info, warn};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::task::AbortOnDropHandle;

use crate::context::{Context, shutdown};
use crate::coordinator::{COORDINATION_FINISHED, DISCONNECT, RELAY_MAP_FINISHED, WORKSPACE_STOPPED};

type Socket = WebSocketStream<TrackedStream<TcpStream>>;

/// The half that writes: the run loop pings through it, and the coordination leaves through it.
type Requests = Arc<Mutex<SplitSink<Socket, Message>>>;

/// The agent's run loop: listens for the server, and makes sure that it is there.
struct RunLoop {
    guard: DisconnectGuard,
    workspace: Cause,
    responses: SplitStream<Socket>,
    requests: Requests,
    relay_map: Option<Call>,
    coordination: Option<Call>,
}

impl RunLoop {
    /// Runs until the connection ends. The guard logs the line, and both calls end after it.
    async fn run(mut self, ping_interval: Duration) -> Result<(), Error> {
        let mut pings = interval_at(Instant::now() + ping_interval, ping_interval);
        let mut answered = true;
        loop {
            tokio::select! {
                message = self.responses.next() => {
                    let Some(message) = message else { return Ok(()) };
                    let message = message.inspect_err(|error| self.failed(error))?;
                    answered = true;
                    self.heard(&message);
                }
                _ = pings.tick() => {
                    if !answered {
                        let end = Disconnect::network_error(ServerToAgent, Trigger::KeepaliveTimeout);
                        self.guard.cause().record(Evidence::Transport, end);
                        return Ok(());
                    }
                    answered = false;
                    let ping = Message::Ping(Bytes::new());
                    let sent = self.requests.lock().await.send(ping).await;
                    sent.inspect_err(|error| self.failed(error))?;
                }
            }
        }
    }

    fn heard(&mut self, message: &Message) {
        match message {
            Message::Close(frame) => {
                // A frame without a code reads as 1005 (RFC 6455, section 7.1.5).
                let code = frame.as_ref().map_or(1005, |frame| frame.code.into());
                let code = CloseCode::WebSocket(code);
                let mut end = Disconnect::from_close_code(ServerToAgent, code, Initiator::Server);
                if let Some(frame) = frame {
                    end = end.with_detail(frame.reason.as_str().to_owned());
                }
                self.guard.cause().record(Evidence::Peer, end);
            }
            Message::Text(text) => match text.as_str() {
                WORKSPACE_STOPPED => {
                    let end = Disconnect::new(ServerToAgent, DisconnectReason::WorkspaceStopped)
                        .with_initiator(Initiator::Server);
                    self.workspace.record(Evidence::Peer, end);
                }
                RELAY_MAP_FINISHED => drop(self.relay_map.take().map(Call::finish)),
                COORDINATION_FINISHED => drop(self.coordination.take().map(Call::finish)),
                _ => {}
            },
            _ => {}
        }
    }

    fn failed(&self, error: &Error) {
        match error {
            // The tracked stream has seen the end of file below.
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {}
            Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_) => {
                let end = Disconnect::from_error(ServerToAgent, error)
                    .with_reason(DisconnectReason::ProtocolError)
                    .with_initiator(Initiator::Server);
                self.guard.cause().record(Evidence::Local, end);
            }
            _ => self.guard.record_error(error),
        }
    }
}

/// A call over the connection: open until the server finishes it, or the connection is gone.
struct Call {
    cause: Cause,
    _open: oneshot::Sender<()>,
}

impl Call {
    fn start(
        connection: &Cause,
        emit: impl FnOnce(Disconnect) + Send + Sync + 'static,
    ) -> (Self, AbortOnDropHandle<()>) {
        let guard = DisconnectGuard::new(ServerToAgent, emit).with_cause(connection.child());
        let cause = guard.cause();
        let (open, closed) = oneshot::channel();
        // Not woken by the cause: a call outlives the agent's decision to shut down, which it is there
        // to announce.
        let task = tokio::spawn(async move {
            let _ = closed.await;
            drop(guard);
        });
        (Self { cause, _open: open }, AbortOnDropHandle::new(task))
    }

    fn finish(self) {
        let end = classify_coordinator_rpc_exit(false, &Ok::<_, Error>(()));
        self.cause.record(Evidence::Peer, end);
    }
}

/// One life of the control plane, from a dial that succeeds to its end.
pub(crate) struct ControlPlane {
    log: Logger,
    requests: Requests,
    run_loop: AbortOnDropHandle<Result<(), Error>>,
    relay_map: AbortOnDropHandle<()>,
    coordination: AbortOnDropHandle<()>,
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
        let cause = context.agent.child();
        let stream = TcpStream::connect(coordinator).await?;
        let stream = TrackedStream::new(stream, ServerToAgent, Initiator::Server, cause.clone());
        let (socket, _) = client_async(format!("ws://{coordinator}/agent"), stream).await?;
        let (requests, responses) = socket.split();
        let requests = Arc::new(Mutex::new(requests));

        let log = context.log.clone();
        let guard = DisconnectGuard::boxed(ServerToAgent, move |end| {
            info!(log, "disconnected from coderd"; end);
        });
        let log = context.log.clone();
        let (relay_map_call, relay_map) = Call::start(&cause, move |end| {
            debug!(log, "disconnected from derp map RPC"; end);
        });
        let log = context.log.clone();
        let (coordination_call, coordination) = Call::start(&cause, move |end| {
            debug!(log, "disconnected from coordination RPC"; end);
        });
        let log = context.log.clone();
        let retrying = DisconnectGuard::boxed(ServerToAgent, move |end| {
            warn!(log, "control plane connection closed, retrying"; end);
        });
        let run_loop = RunLoop {
            guard: guard.with_cause(cause.clone()),
            workspace: context.workspace.clone(),
            responses,
            requests: Arc::clone(&requests),
            relay_map: Some(relay_map_call),
            coordination: Some(coordination_call),
        };
        Ok(Self {
            log: context.log.clone(),
            requests,
            run_loop: AbortOnDropHandle::new(tokio::spawn(run_loop.run(ping_interval))),
            relay_map,
            coordination,
            retrying: Some(retrying.with_cause(cause.child())),
        })
    }

    /// Waits until the server, or the network, has ended it.
    pub(crate) async fn ended(&mut self) {
        finished(&mut self.run_loop).await;
        finished(&mut self.relay_map).await;
        finished(&mut self.coordination).await;
        self.retrying = None;
    }

    /// Leaves in good order, once the agent's shutdown is recorded.
    pub(crate) async fn close(mut self, patience: Duration) {
        if let Some(retrying) = self.retrying.take() {
            retrying.finish();
        }
        let log = self.log.clone();
        let mut goodbye = Box::pin(self.end_coordination(patience * 2));
        if timeout(patience, &mut goodbye).await.is_ok() {
            debug!(log, "coordinator RPC disconnected"; shutdown());
        } else {
            let end = shutdown().with_detail("timed out waiting for coordinator RPC to disconnect");
            warn!(log, "timed out waiting for Coordinator RPC disconnect"; end);
            (&mut goodbye).await;
        }
        drop(goodbye);
        let closed = async {
            let _ = self.requests.lock().await.close().await;
            finished(&mut self.run_loop).await;
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
        if timeout(patience, finished(&mut self.coordination)).await.is_ok() {
            debug!(log, "responses closed after disconnect"; end);
        } else {
            let end = end
                .with_reason(DisconnectReason::NetworkError)
                .with_detail("context expired before coordinator hung up");
            warn!(log, "context expired while waiting for coordinate responses to close"; end);
        }
    }
}

/// Waits for a task; one whose result was taken already has finished too.
async fn finished<T>(task: &mut AbortOnDropHandle<T>) {
    if !task.is_finished() {
        let _ = task.await;
    }
}
