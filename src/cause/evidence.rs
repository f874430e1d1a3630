/// How good an observation of an end is.
///
/// | kept | replaced by |
/// |---|---|
/// | `Presumed` | `Transport`, `Local`, `Peer` |
/// | `Transport` | `Peer` |
/// | `Local` | nothing |
/// | `Peer` | nothing |
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
    /// An assumption: closed here, or an error that explains nothing. Yields to every other.
    Presumed,

    /// The socket failed or ended.
    Transport,

    /// This side decided, with a reason.
    Local,

    /// The peer announced it: a close code, a goodbye.
    Peer,
}

/// The evidence of a record, with the finer steps among what is weak.
///
/// Derived order: among the weak ones the greater replaces the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// A bare `unknown`, kept for its exit code alone.
    Fact,
    /// This side shut its stream down in good order.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    ShutDown,
    Presumed,
    /// An error that explained nothing new.
    Failed,
    /// An error that explained nothing: its text is all there is.
    Unexplained,
    Transport,
    Local,
    Peer,
}

impl Weight {
    /// Whether a cause with this knows why it ended.
    pub(crate) const fn knows(self) -> bool {
        match self {
            Self::Fact | Self::ShutDown | Self::Presumed | Self::Failed | Self::Unexplained => {
                false
            }
            Self::Transport | Self::Local | Self::Peer => true,
        }
    }

    /// Whether `later` refines what was kept with this. Anything else would contradict it.
    pub(crate) fn yields_to(self, later: Self) -> bool {
        match self {
            Self::Fact | Self::ShutDown | Self::Presumed | Self::Failed | Self::Unexplained => {
                later > self
            }
            Self::Transport => later == Self::Peer,
            Self::Local | Self::Peer => false,
        }
    }
}

impl From<Evidence> for Weight {
    fn from(evidence: Evidence) -> Self {
        match evidence {
            Evidence::Presumed => Self::Presumed,
            Evidence::Transport => Self::Transport,
            Evidence::Local => Self::Local,
            Evidence::Peer => Self::Peer,
        }
    }
}
