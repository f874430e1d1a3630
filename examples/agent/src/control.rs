//! The agent's control plane: three connections to the coordinator, and why each of them ends.

use std::time::Duration;

use disconnect_attribution::ConnectType::ServerToAgent;
use disconnect_attribution::{
    Cause, CloseCode, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence,
    Initiator, TrackedStream, classify_coordination_close, classify_coordinator_rpc_exit,
};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use slog::{Logger, debug, info, warn};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::coordinator::{DISCONNECT, WORKSPACE_STOPPED};

type Socket = WebSocketStream<TrackedStream<TcpStream>>;

/// What the agent's parts have to know of each other.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) log: Logger,
    /// This agent itself is shutting down. Nothing else cancels it: see the trap in the docs of
    /// `classify_coordinator_rpc_exit`.
    pub(crate) shutdown: CancellationToken,
    /// The server stopped the workspace.
    pub(crate) workspace_stopped: CancellationToken,
}

impl Context {
    pub(crate) fn new(log: Logger) -> Self {
        Self {
            log,
            shutdown: CancellationToken::new(),
            workspace_stopped: CancellationToken::new(),
        }
    }
}

/// One life of the control plane, from a dial that succeeds to its end.
pub(crate) struct ControlPlane {
    context: Context,
    run_loop: AbortOnDropHandle<Option<Disconnect>>,
    relay_map: Subscription,
    coordination: Coordination,
}

impl ControlPlane {
    /// Dials. A dial that fails ends nothing, so it logs no disconnect.
    pub(crate) async fn open(
        context: &Context,
        coordinator: &str,
        ping_interval: Duration,
    ) -> Result<Self, Error> {
        let (run_loop, run_loop_cause) = dial(coordinator, "/agent").await?;
        let (relay_map, relay_map_cause) = dial(coordinator, "/derp-map").await?;
        let (coordination, coordination_cause) = dial(coordinator, "/coordinate").await?;

        let run_loop = {
            let (context, log) = (context.clone(), context.log.clone());
            let guard = DisconnectGuard::new(ServerToAgent, move |end| {
                info!(log, "disconnected from coderd"; end);
            })
            .with_cause(run_loop_cause.clone());
            AbortOnDropHandle::new(tokio::spawn(async move {
                let result = run(run_loop, &run_loop_cause, &context, ping_interval).await;
                let shutdown = context.shutdown.is_cancelled();
                guard.close(classify_coordinator_rpc_exit(shutdown, &result));
                run_loop_cause.get()
            }))
        };
        let log = context.log.clone();
        let relay_map = Subscription::spawn(context, relay_map, relay_map_cause, move |end| {
            debug!(log, "disconnected from derp map RPC"; end);
        });
        let coordination = Coordination::spawn(context, coordination, coordination_cause);
        Ok(Self {
            context: context.clone(),
            run_loop,
            relay_map,
            coordination,
        })
    }

    /// Waits until the server, or the network, has ended it.
    pub(crate) async fn ended(&mut self) {
        const GRACE: Duration = Duration::from_millis(500);

        let end = (&mut self.run_loop).await.ok().flatten();
        for sibling in [&mut self.relay_map, &mut self.coordination.responses] {
            // Most notice by themselves; one that hangs is told why before it is stopped.
            if timeout(GRACE, finished(&mut sibling.task)).await.is_err() {
                if let Some(end) = end.clone() {
                    sibling.cause.record(Evidence::Transport, end);
                }
                sibling.task.abort();
                finished(&mut sibling.task).await;
            }
        }
        if let Some(end) = end {
            warn!(self.context.log, "control plane connection closed, retrying"; end);
        }
    }

    /// Says goodbye, since this agent is shutting down.
    pub(crate) async fn close(mut self, patience: Duration) {
        let log = &self.context.log;
        self.context.shutdown.cancel();
        let end = shutdown(ServerToAgent);
        let mut goodbye = tokio::spawn(self.coordination.close(log.clone(), patience * 2));
        if timeout(patience, &mut goodbye).await.is_ok() {
            debug!(log, "coordinator RPC disconnected"; end);
        } else {
            let end = end.with_detail("timed out waiting for coordinator RPC to disconnect");
            warn!(log, "timed out waiting for Coordinator RPC disconnect"; end);
            let _ = goodbye.await;
        }
        let _ = timeout(patience, finished(&mut self.run_loop)).await;
    }
}

/// Waits for a task; one whose result was taken already has finished too.
async fn finished<T>(task: &mut AbortOnDropHandle<T>) {
    if !task.is_finished() {
        let _ = task.await;
    }
}

/// The end of a healthy connection because this agent shuts down.
pub(crate) fn shutdown(connect_type: ConnectType) -> Disconnect {
    Disconnect::new(connect_type, DisconnectReason::ServerShutdown).with_initiator(Initiator::Agent)
}

/// Connects, and tracks the connection from its first byte.
async fn dial(coordinator: &str, path: &str) -> Result<(Socket, Cause), Error> {
    let cause = Cause::default();
    let stream = TcpStream::connect(coordinator).await?;
    // A bare end of file is a WebSocket's 1006, and `observe` says so.
    let stream = TrackedStream::new(stream, ServerToAgent, cause.clone()).with_half_close();
    let (socket, _) = client_async(format!("ws://{coordinator}{path}"), stream).await?;
    Ok((socket, cause))
}

/// Records what a message says about the end of its WebSocket, beyond what the transport did.
fn observe(cause: &Cause, message: &Result<Message, Error>) {
    let end = |code| {
        Disconnect::from_close_code(ServerToAgent, CloseCode::WebSocket(code), Initiator::Server)
    };
    match message {
        Ok(Message::Close(Some(frame))) => {
            let text = frame.reason.as_str().to_owned();
            cause.record(Evidence::Peer, end(frame.code.into()).with_detail(text));
        }
        Ok(Message::Close(None)) => {
            cause.record(Evidence::Peer, end(1005));
        }
        Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
            let code = CloseCode::WebSocket(1006);
            let end = Disconnect::from_close_code(ServerToAgent, code, Initiator::Network);
            cause.record(Evidence::Transport, end);
        }
        Err(error @ (Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_))) => {
            let end = Disconnect::new(ServerToAgent, DisconnectReason::ProtocolError)
                .with_initiator(Initiator::Server)
                .with_detail(error.to_string());
            cause.record(Evidence::Local, end);
        }
        Ok(_) | Err(_) => {} // data, or an error of the transport, which told the cause itself
    }
}

/// The agent's run loop: listens for orders, and makes sure that somebody is there.
async fn run(
    mut socket: Socket,
    cause: &Cause,
    context: &Context,
    ping_interval: Duration,
) -> Result<(), Error> {
    let mut pings = interval_at(Instant::now() + ping_interval, ping_interval);
    let mut answered = true;
    loop {
        tokio::select! {
            message = socket.next() => {
                let Some(message) = message else { return Ok(()) };
                observe(cause, &message);
                answered = true;
                if matches!(message?, Message::Text(text) if text == WORKSPACE_STOPPED) {
                    context.workspace_stopped.cancel();
                }
            }
            _ = pings.tick() => {
                if !answered {
                    let end = Disconnect::new(ServerToAgent, DisconnectReason::NetworkError)
                        .with_initiator(Initiator::Network)
                        .with_detail("ping timed out");
                    cause.record(Evidence::Transport, end);
                    return Err(Error::Io(std::io::ErrorKind::TimedOut.into()));
                }
                answered = false;
                socket.send(Message::Ping(Bytes::new())).await?;
            }
            () = context.shutdown.cancelled() => {
                cause.record(Evidence::Local, shutdown(ServerToAgent));
                return socket.close(None).await;
            }
        }
    }
}

/// A call whose responses are read until one side ends it.
struct Subscription {
    cause: Cause,
    task: AbortOnDropHandle<()>,
}

impl Subscription {
    fn spawn(
        context: &Context,
        mut responses: impl futures_util::Stream<Item = Result<Message, Error>> + Unpin + Send + 'static,
        cause: Cause,
        emit: impl FnOnce(Disconnect) + Send + Sync + 'static,
    ) -> Self {
        let shutdown = context.shutdown.clone();
        let condition = context.shutdown.clone();
        let guard = DisconnectGuard::new(ServerToAgent, emit)
            .with_cause(cause.clone())
            .shutdown_when(Initiator::Agent, move || condition.is_cancelled());
        let observed = cause.clone();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut result = Ok(());
            while let Some(message) = responses.next().await {
                observe(&observed, &message);
                result = message.map(drop);
            }
            guard.close(classify_coordinator_rpc_exit(
                shutdown.is_cancelled(),
                &result,
            ));
        }));
        Self { cause, task }
    }
}

/// The coordination RPC: requests go out, responses come in, and each side can end it.
struct Coordination {
    requests: SplitSink<Socket, Message>,
    responses: Subscription,
}

impl Coordination {
    fn spawn(context: &Context, socket: Socket, cause: Cause) -> Self {
        let (requests, responses): (_, SplitStream<Socket>) = socket.split();
        let log = context.log.clone();
        let responses = Subscription::spawn(context, responses, cause, move |end| {
            debug!(log, "disconnected from coordination RPC"; end);
        });
        Self {
            requests,
            responses,
        }
    }

    async fn close(mut self, log: Logger, patience: Duration) {
        // Decided here and now: what the coordinator answers is the answer to this.
        self.responses
            .cause
            .record(Evidence::Local, shutdown(ServerToAgent));
        let sent = self.requests.send(Message::text(DISCONNECT)).await;
        let end = classify_coordination_close(ServerToAgent, Initiator::Agent, &sent);
        if let Err(error) = sent {
            warn!(log, "failed to send disconnect"; end.with_detail(error.to_string()));
            return;
        }
        debug!(log, "sent disconnect"; &end);
        if timeout(patience, finished(&mut self.responses.task))
            .await
            .is_ok()
        {
            debug!(log, "responses closed after disconnect"; &end);
        } else {
            let end = Disconnect::new(ServerToAgent, DisconnectReason::NetworkError)
                .with_initiator(Initiator::Agent)
                .with_detail("context expired before coordinator hung up");
            warn!(log, "context expired while waiting for coordinate responses to close"; end);
        }
    }
}
