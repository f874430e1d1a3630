//! What the end of an SSH server's connection means: by how far its client has come, and by russh's
//! result.
//!
//! Fits this crate with `tokio`, russh 0.65 (with `ring`, or its default `aws-lc-rs`), and tokio 1
//! with `sync` and `time`. [`Phases::observe`] is what every server on russh needs.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectReason, Evidence, Initiator, Trigger};
use russh::Error;
use tokio::sync::watch;
use tokio::time::timeout;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Phase {
    fn is_logged_in(self) -> bool {
        !matches!(self, Self::Connected | Self::Asked)
    }
}

/// How far a client has come, in step with what its cause presumes of an end without a word.
#[derive(Debug)]
pub struct Phases {
    cause: Cause,
    phase: watch::Sender<Phase>,
}

fn new(reason: DisconnectReason, initiator: Initiator) -> Disconnect {
    Disconnect::new(AgentToClient, reason).with_initiator(initiator)
}

/// The end of a connection whose client was not let in, by whatever method it tried.
fn refused() -> Disconnect {
    new(DisconnectReason::Rejected, Initiator::Agent).with_detail("login refused")
}

fn left() -> Disconnect {
    Disconnect::closed_by(AgentToClient, Initiator::Client)
}

impl Phases {
    pub fn new(cause: Cause) -> Self {
        // Nothing before a login is normal operation of a client.
        let end = new(DisconnectReason::NetworkError, Initiator::Network);
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
        self.phase.borrow().is_logged_in()
    }

    fn is_goodbye(&self, seen: &Disconnect) -> bool {
        *self.phase.borrow() == Phase::Done && seen.trigger() == Some(Trigger::EndOfFile)
    }

    /// Records that the client has not logged in in time, and returns then; else never.
    pub async fn late(&self, limit: Duration) {
        let mut phase = self.phase.subscribe();
        let login = phase.wait_for(|phase| phase.is_logged_in());
        if timeout(limit, login).await.is_ok() {
            pending::<()>().await;
        }
        let (evidence, end) = if *self.phase.borrow() == Phase::Asked {
            (Evidence::Local, refused())
        } else {
            let end = Disconnect::network_error(AgentToClient, Trigger::HandshakeTimeout);
            (Evidence::Transport, end)
        };
        self.cause
            .record(evidence, end.with_trigger(Trigger::HandshakeTimeout));
    }

    /// Records what russh explains of the end, beyond what the transport did.
    pub fn observe(&self, result: &Result<(), Error>) {
        let (evidence, end) = match result {
            // russh ends without an error on an SSH_MSG_DISCONNECT, and keeps its code to itself.
            // Before the login it may be this side's own, after too many attempts: what is
            // presumed knows.
            Ok(()) if !self.is_logged_in() => return,
            Ok(()) => (Evidence::Peer, left()),
            Err(Error::InactivityTimeout) => {
                let end = Disconnect::closed_by(AgentToClient, Initiator::Agent);
                (Evidence::Local, end.with_trigger(Trigger::IdleTimeout))
            }
            Err(Error::KeepaliveTimeout) => {
                let end = Disconnect::network_error(AgentToClient, Trigger::KeepaliveTimeout);
                (Evidence::Transport, end)
            }
            // russh's task panicked: a bug of the site's handler.
            Err(Error::Join(_)) => {
                let end = Disconnect::new(AgentToClient, DisconnectReason::Unknown);
                let end = end.with_trigger(Trigger::Panic);
                (Evidence::Local, end.with_detail("ended by a panic"))
            }
            // Of the transport, which the tracked stream has seen. A FIN when all that the client came
            // for has ended is its goodbye.
            Err(
                Error::IO(_) | Error::Disconnect | Error::HUP | Error::SendError | Error::RecvError,
            ) => match self.cause.get() {
                Some(seen) if self.is_goodbye(&seen) => {
                    let end = seen.with_reason(DisconnectReason::ClientClosed);
                    (Evidence::Peer, end.with_initiator(Initiator::Client))
                }
                _ => return,
            },
            Err(error) => {
                let end = Disconnect::protocol_error(AgentToClient, Initiator::Client);
                (Evidence::Local, end.with_detail(error.to_string()))
            }
        };
        self.cause.record(evidence, end);
    }
}

/// A session, or a channel, that is open.
#[derive(Debug)]
pub struct Open(Arc<Phases>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.enter(|phase| match phase {
            Phase::Busy(open @ 2..) => Phase::Busy(open - 1),
            _ => Phase::Done,
        });
    }
}
