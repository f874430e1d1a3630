//! What a client that leaves without a word means, phase by phase.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectReason, Initiator};
use tokio::sync::watch;
use tokio::time::timeout;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Handshake,
    Refused,
    LoggedIn,
    /// So many sessions and channels are open.
    Busy(usize),
    /// All that there were have ended.
    Done,
}

impl Phase {
    fn presumption(self) -> Option<Disconnect> {
        let end = |reason| Disconnect::new(AgentToClient, reason);
        match self {
            Self::Handshake => Some(
                end(DisconnectReason::NetworkError)
                    .with_initiator(Initiator::Network)
                    .with_detail("before the client had logged in"),
            ),
            Self::Refused => Some(
                end(DisconnectReason::Rejected)
                    .with_initiator(Initiator::Agent)
                    .with_detail("login refused"),
            ),
            Self::LoggedIn | Self::Busy(_) => None,
            Self::Done => Some(Disconnect::closed_by(AgentToClient, Initiator::Client)),
        }
    }

    fn is_logged_in(self) -> bool {
        match self {
            Self::Handshake | Self::Refused => false,
            Self::LoggedIn | Self::Busy(_) | Self::Done => true,
        }
    }
}

/// The phase of a connection, in step with what its cause presumes.
#[derive(Debug)]
pub(super) struct Phases {
    cause: Cause,
    phase: watch::Sender<Phase>,
}

impl Phases {
    pub(super) fn new(cause: Cause) -> Self {
        cause.presume(Phase::Handshake.presumption());
        let (phase, _) = watch::channel(Phase::Handshake);
        Self { cause, phase }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.change(|_| phase);
    }

    fn change(&self, next: impl FnOnce(Phase) -> Phase) {
        self.phase.send_modify(|phase| {
            *phase = next(*phase);
            self.cause.presume(phase.presumption());
        });
    }

    /// Marks a session, or a channel, as open until the value is dropped.
    pub(super) fn run(phases: &Arc<Self>) -> Running {
        phases.change(|phase| match phase {
            Phase::Busy(open) => Phase::Busy(open + 1),
            Phase::Handshake | Phase::Refused | Phase::LoggedIn | Phase::Done => Phase::Busy(1),
        });
        Running(Arc::clone(phases))
    }

    pub(super) fn is_refused(&self) -> bool {
        *self.phase.borrow() == Phase::Refused
    }

    /// Returns when the client should have logged in and has not, and else never.
    pub(super) async fn login_takes_longer_than(&self, limit: Duration) {
        let mut phase = self.phase.subscribe();
        let login = phase.wait_for(|phase| phase.is_logged_in());
        if timeout(limit, login).await.is_ok() {
            pending::<()>().await;
        }
    }
}

/// A session, or a channel, that is open.
#[derive(Debug)]
pub(super) struct Running(Arc<Phases>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.change(|phase| match phase {
            Phase::Busy(open @ 2..) => Phase::Busy(open - 1),
            Phase::Handshake | Phase::Refused | Phase::LoggedIn | Phase::Busy(_) | Phase::Done => {
                Phase::Done
            }
        });
    }
}
