//! What the agent's parts have to know of each other: where to log, and which cause they run over.

use disconnect_attribution::ConnectType::ServerToAgent;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator};
use slog::Logger;

/// The upper part of the tree of causes; each connection hangs its own below.
///
/// ```text
/// agent                    shut down by a signal
/// ├── control plane        the connection to the coordinator
/// │   ├── relay map        a call over it
/// │   └── coordination     another
/// └── workspace            stopped by the server
///     ├── terminal         a reconnecting one
///     └── SSH connection
///         ├── session
///         └── channel
/// ```
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) log: Logger,
    /// Why this agent as a whole ends.
    pub(crate) agent: Cause,
    /// Why its workspace ends, and with it all that users have open.
    pub(crate) workspace: Cause,
}

impl Context {
    pub(crate) fn new(log: Logger) -> Self {
        let agent = Cause::default();
        let workspace = agent.child();
        Self { log, agent, workspace }
    }

    /// Records that this agent shuts down: once, for everything that is still open.
    pub(crate) fn shut_down(&self) {
        self.agent.record(Evidence::Local, shutdown());
    }
}

/// The end of a healthy connection because this agent shuts down.
pub(crate) const fn shutdown() -> Disconnect {
    Disconnect::shutdown(ServerToAgent, Initiator::Agent)
}
