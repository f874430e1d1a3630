//! The record: its fields and constructors here, setters in `with.rs`, getters in `read.rs`.

use std::error::Error;

use crate::escaped::Escaped;
use crate::{CloseCode, ConnectType, DisconnectReason, Initiator, Trigger};

mod facts;
mod read;
mod with;

pub use facts::__Fields;
pub(crate) use facts::{Facts, More, Number};

/// How one connection ended: in which layer, why, by which side, and what else is known.
///
/// A plain value without a lifetime: classify where the connection ends, attach the result to the
/// log line that is already there. It is a `slog::KV` (feature `slog`), so one value attaches every
/// field, and it reads and writes with serde (feature `serde`) as a flat map under the same
/// [keys](crate::keys).
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
///
/// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
///     .with_initiator(Initiator::Network)
///     .with_trigger(Trigger::KeepaliveTimeout)
///     .with_detail("three pings without an answer");
///
/// assert!(!end.expected());
/// assert_eq!(
///     end.to_string(),
///     "agent_to_client ended by network: network_error (keepalive_timeout): \
///      three pings without an answer",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Disconnect {
    pub(crate) connect_type: ConnectType,
    pub(crate) reason: DisconnectReason,
    pub(crate) initiator: Option<Initiator>,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) origin: Option<ConnectType>,
    pub(crate) detail: Option<Escaped>,
    pub(crate) more: More,
}

/// # Constructors
impl Disconnect {
    /// Creates a record with the two fields that every line has.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    ///
    /// let end = Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::ControlPlaneLost);
    /// assert_eq!(end.reason(), DisconnectReason::ControlPlaneLost);
    /// assert_eq!(end.initiator(), None);
    /// ```
    #[must_use]
    #[inline]
    pub const fn new(connect_type: ConnectType, reason: DisconnectReason) -> Self {
        Self {
            connect_type,
            reason,
            initiator: None,
            trigger: None,
            origin: None,
            detail: None,
            more: More::none(),
        }
    }

    /// Creates a record from the code that a protocol closed with.
    ///
    /// The [code's table](CloseCode) gives the reason, `sender` is the initiator (left out if
    /// unknown), and the raw code is kept. Text that came with it goes to the
    /// [detail](Self::with_detail).
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{CloseCode, ConnectType, Disconnect, DisconnectReason, Initiator};
    ///
    /// let code = CloseCode::Ssh(11);
    /// let end = Disconnect::from_close_code(ConnectType::AgentToClient, code, Initiator::Client)
    ///     .with_detail("disconnected by user");
    /// assert_eq!(end.reason(), DisconnectReason::ClientClosed);
    /// assert_eq!(end.code(), Some(code));
    /// ```
    #[must_use]
    pub const fn from_close_code(
        connect_type: ConnectType,
        code: CloseCode,
        sender: Initiator,
    ) -> Self {
        Self::new(connect_type, code.reason(sender))
            .by(sender)
            .with_code(code)
    }

    /// Creates a record from an error: reason and trigger from its chain of sources, detail from its text.
    ///
    /// The first [`io::Error`](std::io::Error) of the chain whose kind has a
    /// [reason](DisconnectReason::from_io_error_kind) decides; an error without one is
    /// [`Unknown`](DisconnectReason::Unknown). The initiator is [`Network`](Initiator::Network) exactly
    /// where the reason is [`NetworkError`](DisconnectReason::NetworkError). The detail is the text of
    /// the error and of each source that adds something, joined by `: `, bounded and escaped as in
    /// [`with_detail`](Self::with_detail).
    ///
    /// An error that forwards its source, such as a variant of thiserror with `#[error(transparent)]`, hides
    /// the `io::Error` that it holds: the chain goes on below it. With a text of its own
    /// (`#[error("socket")]`) the chain shows it.
    ///
    /// A `Box<dyn Error + Send + Sync>` goes in as `&*error`, an `anyhow::Error` as `error.as_ref()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, Initiator, Trigger};
    /// use std::error::Error;
    /// use std::io;
    ///
    /// let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    /// let error: Box<dyn Error + Send + Sync> = io::Error::other(reset).into();
    ///
    /// let end = Disconnect::from_error(ConnectType::AgentToClient, &*error);
    /// assert_eq!(end.trigger(), Some(Trigger::Reset));
    /// assert_eq!(end.initiator(), Some(Initiator::Network));
    /// assert_eq!(end.detail(), Some("connection reset"));
    /// ```
    #[must_use]
    pub fn from_error(connect_type: ConnectType, error: &(dyn Error + 'static)) -> Self {
        let reason = DisconnectReason::from_error(error);
        let end = Self::new(connect_type, reason).with_error(error);
        if reason == DisconnectReason::NetworkError {
            end.with_initiator(Initiator::Network)
        } else {
            end
        }
    }

    /// Creates the record of a healthy connection that ends because `side` shuts down.
    ///
    /// The reason is [`ServerShutdown`](DisconnectReason::ServerShutdown), or
    /// [`ClientClosed`](DisconnectReason::ClientClosed) if the side is a client. `network` and `unknown`
    /// are not sides; with them the initiator is left out.
    ///
    /// Recorded once in the [`Cause`](crate::Cause) of a whole process, it explains the connections of
    /// every layer: each line keeps its own layer, and has this one as its
    /// [origin](Self::origin).
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};
    ///
    /// let end = Disconnect::shutdown(ConnectType::ServerToAgent, Initiator::Agent);
    /// assert_eq!(end.reason(), DisconnectReason::ServerShutdown);
    /// assert_eq!(end.initiator(), Some(Initiator::Agent));
    /// ```
    #[must_use]
    pub const fn shutdown(connect_type: ConnectType, side: Initiator) -> Self {
        Self::meant_by(connect_type, side, DisconnectReason::ServerShutdown)
    }

    /// Creates the record of a connection that `side` closed on purpose.
    ///
    /// The reason is [`ClientClosed`](DisconnectReason::ClientClosed) if the side is a client, and
    /// [`Graceful`](DisconnectReason::Graceful) if it is any other. `network` and `unknown` are not sides;
    /// with them the initiator is left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};
    ///
    /// let end = Disconnect::closed_by(ConnectType::ClientToServer, Initiator::Client);
    /// assert_eq!(end.reason(), DisconnectReason::ClientClosed);
    /// ```
    #[must_use]
    pub const fn closed_by(connect_type: ConnectType, side: Initiator) -> Self {
        Self::meant_by(connect_type, side, DisconnectReason::Graceful)
    }

    const fn meant_by(
        connect_type: ConnectType,
        side: Initiator,
        reason: DisconnectReason,
    ) -> Self {
        match side {
            Initiator::Client => Self::new(connect_type, DisconnectReason::ClientClosed).by(side),
            Initiator::Agent | Initiator::Server => Self::new(connect_type, reason).by(side),
            Initiator::Network | Initiator::Unknown => Self::new(connect_type, reason),
        }
    }
}
