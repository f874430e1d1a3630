//! The record: its fields and constructors here, setters in `setters.rs`, getters in `getters.rs`.

use std::error::Error;

use crate::error::Finding;
use crate::escaped::Escaped;
use crate::{CloseCode, ConnectType, DisconnectReason, Initiator, Trigger};

mod facts;
mod getters;
mod setters;

pub(crate) use facts::{Facts, take_apart};

/// How one connection ended: in which layer, why, by which side, and what else is known.
///
/// A plain value without a lifetime: classify at the place that ends the connection, attach the result to the
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
    pub(crate) peer: Option<Initiator>,
    pub(crate) code: Option<CloseCode>,
    pub(crate) detail: Option<Escaped>,
    pub(crate) origin: Option<ConnectType>,
    pub(crate) facts: Facts,
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
    pub const fn new(connect_type: ConnectType, reason: DisconnectReason) -> Self {
        Self {
            connect_type,
            reason,
            initiator: None,
            trigger: None,
            peer: None,
            code: None,
            detail: None,
            origin: None,
            facts: Facts::NONE,
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
    pub const fn from_close_code(connect_type: ConnectType, code: CloseCode, sender: Initiator) -> Self {
        Self::new(connect_type, code.reason(sender)).with_known_initiator(sender).with_code(code)
    }

    /// Creates a record from an error: reason and trigger from its chain of sources, detail from its text.
    ///
    /// The first error of the chain that [means something](DisconnectReason::from_error) decides; a chain without
    /// one is [`Unknown`](DisconnectReason::Unknown). The initiator is [`Network`](Initiator::Network) exactly
    /// if the reason is [`NetworkError`](DisconnectReason::NetworkError). A timeout that no system call reported
    /// has the trigger [`Deadline`](Trigger::Deadline). Under the feature `tokio` the `JoinError` of a task that
    /// panicked has the trigger [`Panic`](Trigger::Panic). The detail is the text of
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
        Self::of_finding(connect_type, Finding::of(error), error)
    }

    /// The same for an error that was looked through already.
    pub(crate) fn of_finding(
        connect_type: ConnectType,
        finding: Finding,
        error: &(dyn Error + 'static),
    ) -> Self {
        let detail = Escaped::from_error(error);
        Self { trigger: finding.trigger, detail, ..Self::failure(connect_type, finding.reason) }
    }

    /// What an error means, by `network` exactly if that is a network error.
    pub(crate) const fn failure(connect_type: ConnectType, reason: DisconnectReason) -> Self {
        let end = Self::new(connect_type, reason);
        if matches!(reason, DisconnectReason::NetworkError) {
            end.with_initiator(Initiator::Network)
        } else {
            end
        }
    }

    /// Creates the record of a transport that failed: `network_error` by `network`.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, Initiator, Trigger};
    ///
    /// let end = Disconnect::network_error(ConnectType::AgentToClient, Trigger::KeepaliveTimeout);
    /// assert_eq!(end.initiator(), Some(Initiator::Network));
    /// assert_eq!(end.trigger(), Some(Trigger::KeepaliveTimeout));
    /// ```
    #[must_use]
    pub const fn network_error(connect_type: ConnectType, trigger: Trigger) -> Self {
        Self::failure(connect_type, DisconnectReason::NetworkError).with_trigger(trigger)
    }

    /// Creates the record of a protocol that `side` broke.
    ///
    /// `network` and `unknown` are not sides; with them the initiator is left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};
    ///
    /// let end = Disconnect::protocol_error(ConnectType::ClientToServer, Initiator::Client)
    ///     .with_detail("length of 4 GiB");
    /// assert_eq!(end.reason(), DisconnectReason::ProtocolError);
    /// assert_eq!(end.initiator(), Some(Initiator::Client));
    /// ```
    #[must_use]
    pub const fn protocol_error(connect_type: ConnectType, side: Initiator) -> Self {
        Self::of_side(connect_type, side, DisconnectReason::ProtocolError)
    }

    /// Creates the record of a healthy connection that ends because `side` shuts down.
    ///
    /// The reason is [`ServerShutdown`](DisconnectReason::ServerShutdown), or
    /// [`ClientClosed`](DisconnectReason::ClientClosed) if the side is a client. `network` and `unknown`
    /// are not sides; with them the initiator is left out.
    ///
    /// Recorded once in the [`Cause`](crate::Cause) of a whole process, it explains the connections of
    /// every layer: each line keeps its own layer.
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

    const fn meant_by(connect_type: ConnectType, side: Initiator, otherwise: DisconnectReason) -> Self {
        let is_client = matches!(side, Initiator::Client);
        Self::of_side(connect_type, side, if is_client { DisconnectReason::ClientClosed } else { otherwise })
    }

    const fn of_side(connect_type: ConnectType, side: Initiator, reason: DisconnectReason) -> Self {
        let end = Self::new(connect_type, reason);
        if side.is_side() { end.with_initiator(side) } else { end }
    }
}
