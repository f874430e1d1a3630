//! How far an SSH server's client has come, and what its end means by that.
//!
//! Fits `russh_end.rs`, with tokio 1's `sync` and `time`.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectReason, Evidence, Initiator, Trigger};
use russh::Error;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::russh_end::meaning;

/// In order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Connected,
    /// It has asked to log in, and was not let in yet.
    Asked,
    LoggedIn,
    /// So many sessions and channels are open.
    Busy(usize),
    /// All that there were have ended.
    Done,
}

/// How far a client has come, in step with what its cause presumes of an end without a word.
#[derive(Debug)]
pub struct Phases {
    cause: Cause,
    phase: watch::Sender<Phase>,
}

/// The end of a connection whose client was not let in, by whatever method it tried.
fn refused() -> Disconnect {
    let end = Disconnect::new(AgentToClient, DisconnectReason::Rejected);
    end.with_initiator(Initiator::Agent).with_detail("login refused")
}

impl Phases {
    pub fn new(cause: Cause) -> Self {
        // Nothing before a login is normal operation of a client.
        let end = Disconnect::new(AgentToClient, DisconnectReason::NetworkError);
        let end = end.with_initiator(Initiator::Network);
        cause.presume(end.with_detail("before the client had logged in"));
        let (phase, _) = watch::channel(Phase::Connected);
        Self { cause, phase }
    }

    fn enter(&self, next: impl FnOnce(Phase) -> Phase) {
        self.phase.send_modify(|phase| {
            *phase = next(*phase);
            match *phase {
                Phase::Connected => {}
                Phase::Asked => self.cause.presume(refused()),
                Phase::LoggedIn | Phase::Busy(_) | Phase::Done => self.cause.presume(None),
            }
        });
    }

    /// The client asks to log in, which russh announces by asking for the banner. Until it is let in,
    /// every end is a refusal: russh refuses some methods by itself.
    pub fn asked(&self) {
        self.enter(|_| Phase::Asked);
    }

    pub fn logged_in(&self) {
        self.enter(|_| Phase::LoggedIn);
    }

    /// Notes that a session, or a channel, is open until the value is dropped.
    pub fn open(phases: &Arc<Self>) -> Open {
        phases.enter(|phase| match phase {
            Phase::Busy(open) => Phase::Busy(open + 1),
            _ => Phase::Busy(1),
        });
        Open(Arc::clone(phases))
    }

    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        *self.phase.borrow() >= Phase::LoggedIn
    }

    /// Records that the client has not logged in in time, and returns then; else never.
    pub async fn late(&self, limit: Duration) {
        let mut phase = self.phase.subscribe();
        let login = phase.wait_for(|phase| *phase >= Phase::LoggedIn);
        if timeout(limit, login).await.is_ok() {
            pending::<()>().await;
        }
        let never_came = Disconnect::network_error(AgentToClient, Trigger::HandshakeTimeout);
        let has_asked = *self.phase.borrow() == Phase::Asked;
        let (evidence, end) =
            if has_asked { (Evidence::Local, refused()) } else { (Evidence::Transport, never_came) };
        self.cause.record(evidence, end.with_trigger(Trigger::HandshakeTimeout));
    }

    /// Records what russh explains of the end, beyond what the transport did.
    pub fn observe(&self, result: &Result<(), Error>) {
        let is_done = *self.phase.borrow() == Phase::Done;
        let end = match self.cause.get() {
            // A FIN when all that the client came for has ended is its goodbye.
            Some(seen) if is_done && seen.trigger() == Some(Trigger::EndOfFile) => {
                let end = seen.with_reason(DisconnectReason::ClientClosed);
                Some((Evidence::Peer, end.with_initiator(Initiator::Client)))
            }
            // Before the login a goodbye may be this side's own, after too many attempts: what is
            // presumed knows.
            _ if result.is_ok() && !self.is_logged_in() => None,
            _ => meaning(result),
        };
        if let Some((evidence, end)) = end {
            self.cause.record(evidence, end);
        }
    }
}

/// A session, or a channel, that is open.
#[derive(Debug)]
pub struct Open(Arc<Phases>);

impl Drop for Open {
    fn drop(&mut self) {
        // What ends with the connection was not done.
        let is_over = self.0.cause.get().is_some();
        self.0.enter(|phase| match phase {
            Phase::Busy(1) if !is_over => Phase::Done,
            Phase::Busy(open) => Phase::Busy(open - 1),
            other => other,
        });
    }
}
