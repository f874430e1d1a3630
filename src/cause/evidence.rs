/// How an end was learned.
///
/// What is known stays, except that `Peer` refines `Transport`, and that an
/// [assumption](crate::Cause#an-end-of-file-is-an-assumption) is corrected once.
///
/// The variants have no order: a decision of this side does not replace what the transport did before. The
/// enum is exhaustive: a new variant is a breaking release.
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
    /// The socket failed or ended.
    Transport,

    /// This side decided, with a reason.
    Local,

    /// The peer announced it: a close code, a goodbye.
    Peer,
}

/// What an observation can do in a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// An error that explains nothing new: better than no word at all.
    NothingNew,
    /// An error that explains nothing: its text is all there is. It refutes a declared goodbye.
    Text,
    /// It is known why the connection ended.
    Known(Evidence),
    /// The same, and bytes were missing or wrong: it refutes any expected end that was only assumed.
    Refuting(Evidence),
    /// The transport ended, and the site had presumed what that means.
    Presumed,
    /// The transport ended, in a protocol in which that is the goodbye.
    Goodbye,
}

impl Weight {
    pub(super) const fn evidence(self) -> Option<Evidence> {
        match self {
            Self::NothingNew | Self::Text => None,
            Self::Known(evidence) | Self::Refuting(evidence) => Some(evidence),
            Self::Presumed | Self::Goodbye => Some(Evidence::Transport),
        }
    }
}
