use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disconnect, DisconnectReason};

/// How good an observation of an end is.
///
/// | kept | replaced by |
/// |---|---|
/// | `Presumed` | `Transport`, `Local`, `Peer` |
/// | `Transport` | `Peer` |
/// | `Local` | nothing |
/// | `Peer` | nothing |
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence};
///
/// let cause = Cause::default();
/// let end = |reason| Disconnect::new(ConnectType::AgentToClient, reason);
///
/// assert!(cause.record(Evidence::Transport, end(DisconnectReason::NetworkError)));
/// // A shutdown that comes after the client vanished does not rewrite history.
/// assert!(!cause.record(Evidence::Local, end(DisconnectReason::ServerShutdown)));
/// // A goodbye that was still in the buffer explains the end of the socket.
/// assert!(cause.record(Evidence::Peer, end(DisconnectReason::ClientClosed)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Closed or dropped here, and nobody said why.
    Presumed,

    /// The socket failed or ended.
    Transport,

    /// This side decided, with a reason.
    Local,

    /// The other side said so: a close code, a goodbye.
    Peer,
}

impl Evidence {
    /// Whether `later` refines what was kept with this evidence. Anything else would contradict it.
    const fn yields_to(self, later: Self) -> bool {
        match (self, later) {
            (Self::Presumed, Self::Transport | Self::Local | Self::Peer)
            | (Self::Transport, Self::Peer) => true,
            (Self::Presumed, Self::Presumed)
            | (Self::Transport, Self::Presumed | Self::Transport | Self::Local)
            | (Self::Local | Self::Peer, _) => false,
        }
    }
}

/// The first true cause of one connection's end, shared by its tasks.
///
/// Several tasks see one connection end: the reader gets an end of file, the writer a broken pipe,
/// the supervisor a cancelled token. Each records what it saw, in any order and from any thread, and
/// one rule decides: **a cause can be refined, never contradicted** ([`Evidence`] has the table).
///
/// A clone is another handle to the same cell. A cell is one allocation of 80 bytes (on 64-bit
/// Linux), and recording takes one uncontended lock that no user code runs under. A thread that panics
/// does not poison it.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence};
/// use std::thread;
///
/// let cause = Cause::default();
/// let reader = cause.clone();
/// thread::spawn(move || {
///     let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError);
///     reader.record(Evidence::Transport, end)
/// })
/// .join()
/// .unwrap();
///
/// assert_eq!(cause.get().unwrap().reason(), DisconnectReason::NetworkError);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cause(Arc<Mutex<Option<Kept>>>);

#[derive(Debug)]
struct Kept {
    evidence: Evidence,
    disconnect: Disconnect,
}

impl Cause {
    /// Records an observation, and returns whether it was kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence};
    ///
    /// let cause = Cause::default();
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Graceful);
    /// assert!(cause.record(Evidence::Local, end.clone()));
    /// assert!(!cause.record(Evidence::Local, end), "the first one stays");
    /// ```
    // Most sites have nothing to do with the answer.
    #[allow(clippy::must_use_candidate)]
    pub fn record(&self, evidence: Evidence, disconnect: Disconnect) -> bool {
        let mut kept = self.lock();
        let is_kept = kept
            .as_ref()
            .is_none_or(|kept| kept.evidence.yields_to(evidence));
        if is_kept {
            *kept = Some(Kept {
                evidence,
                disconnect,
            });
        }
        is_kept
    }

    /// Returns what is known so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::Cause;
    ///
    /// assert_eq!(Cause::default().get(), None);
    /// ```
    #[must_use]
    pub fn get(&self) -> Option<Disconnect> {
        self.lock().as_ref().map(|kept| kept.disconnect.clone())
    }

    /// Ends the story: returns what is known, else records `otherwise` and returns that.
    ///
    /// A `Presumed` end without a reason (a stream that was dropped) knows nothing.
    pub(crate) fn conclude(&self, otherwise: impl FnOnce() -> Disconnect) -> Disconnect {
        let explains = |kept: &&Kept| {
            kept.evidence != Evidence::Presumed
                || kept.disconnect.reason() != DisconnectReason::Unknown
        };
        if let Some(known) = self.lock().as_ref().filter(explains) {
            return known.disconnect.clone();
        }
        // Not under the lock: this runs a closure of the user's.
        let otherwise = otherwise();
        self.record(Evidence::Local, otherwise.clone());
        // Something better may have come in between.
        self.get().unwrap_or(otherwise)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        // Whole values move in and out, so a panic elsewhere leaves no half-written one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
