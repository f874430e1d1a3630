use std::borrow::Cow;
use std::fmt;

use crate::detail::Detail;
use crate::{CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator, keys};

/// One end of one connection: which layer, why, who, and what else is known.
///
/// A plain value without a lifetime: classify where the connection ends, attach the result to the
/// log line that is already there. It is a `slog::KV` (feature `slog`),
/// so one value attaches every field, and it reads and writes with serde (feature `serde`) as a flat map under the
/// same [keys](crate::keys).
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};
///
/// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
///     .with_initiator(Initiator::Network)
///     .with_detail("keepalive timed out");
///
/// assert!(!end.expected());
/// assert_eq!(
///     end.to_string(),
///     "agent_to_client ended by network: network_error: keepalive timed out",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Disconnect {
    connect_type: ConnectType,
    reason: DisconnectReason,
    initiator: Option<Initiator>,
    connection_method: Option<ConnectionMethod>,
    code: Option<CloseCode>,
    exit_code: Option<i32>,
    detail: Option<Detail>,
}

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
            connection_method: None,
            code: None,
            exit_code: None,
            detail: None,
        }
    }

    /// Creates a record from the code that a protocol closed with.
    ///
    /// The [code's table](CloseCode::reason) gives the reason, `sender` is the initiator (left out if
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

    /// Says who ended the connection.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// use disconnect_attribution::Initiator;
    ///
    /// # let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::ClientClosed);
    /// let end = end.with_initiator(Initiator::Client);
    /// assert_eq!(end.initiator(), Some(Initiator::Client));
    /// ```
    #[must_use]
    pub const fn with_initiator(mut self, initiator: Initiator) -> Self {
        self.initiator = Some(initiator);
        self
    }

    /// Adds free text: an error, a signal's name, what the peer said.
    ///
    /// The text is untrusted. Control characters, line separators and bidirectional formatting are
    /// escaped as in a Rust string, and what goes beyond 256 bytes is cut at a character boundary
    /// and marked with `…`. Text that is clean already is kept as it is: a `&'static str` is not
    /// copied. Blank text is no detail.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// # let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Rejected);
    /// let peer_text = "no such user\nINFO all is well".to_owned();
    /// let end = end.with_detail(peer_text);
    /// assert_eq!(end.detail(), Some(r"no such user\nINFO all is well"));
    /// ```
    #[must_use]
    #[inline]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Detail::new(detail.into());
        self
    }

    /// Keeps the code that the protocol closed with.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// use disconnect_attribution::CloseCode;
    ///
    /// # let end = Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::NetworkError);
    /// let end = end.with_code(CloseCode::WebSocket(1006));
    /// assert_eq!(end.code(), Some(CloseCode::WebSocket(1006)));
    /// ```
    #[must_use]
    pub const fn with_code(mut self, code: CloseCode) -> Self {
        self.code = Some(code);
        self
    }

    /// Says how the process behind the session ended, by the conventions of a shell.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::ProcessExited)
    ///     .with_exit_code(127);
    /// assert_eq!(end.exit_code(), Some(127));
    /// ```
    #[must_use]
    pub const fn with_exit_code(mut self, exit_code: i32) -> Self {
        self.exit_code = Some(exit_code);
        self
    }

    /// Says how the packets travelled.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// use disconnect_attribution::ConnectionMethod;
    ///
    /// # let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError);
    /// let end = end.with_connection_method(ConnectionMethod::Derp);
    /// assert_eq!(end.connection_method(), Some(ConnectionMethod::Derp));
    /// ```
    #[must_use]
    pub const fn with_connection_method(mut self, method: ConnectionMethod) -> Self {
        self.connection_method = Some(method);
        self
    }

    /// Returns the layer.
    #[must_use]
    pub const fn connect_type(&self) -> ConnectType {
        self.connect_type
    }

    /// Returns why the connection ended.
    #[must_use]
    pub const fn reason(&self) -> DisconnectReason {
        self.reason
    }

    /// Returns whether this end is part of normal operation, as the
    /// [reason](DisconnectReason::expected) says.
    #[must_use]
    pub const fn expected(&self) -> bool {
        self.reason.expected()
    }

    /// Returns who ended the connection, where somebody knew.
    #[must_use]
    pub const fn initiator(&self) -> Option<Initiator> {
        self.initiator
    }

    /// Returns the free text: one line, at most 256 bytes, never blank.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_ref().map(Detail::as_str)
    }

    /// Returns the code that the protocol closed with.
    #[must_use]
    pub const fn code(&self) -> Option<CloseCode> {
        self.code
    }

    /// Returns the exit status of the process behind the session.
    #[must_use]
    pub const fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// Returns how the packets travelled, where somebody knew.
    #[must_use]
    pub const fn connection_method(&self) -> Option<ConnectionMethod> {
        self.connection_method
    }

    /// Returns the one string for a connection log that has a single reason column: the detail if
    /// there is one, else the reason's name. Never empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    ///
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Graceful);
    /// assert_eq!(end.report_reason(), "graceful");
    /// assert_eq!(end.with_detail("normal close").report_reason(), "normal close");
    /// ```
    #[must_use]
    pub fn report_reason(&self) -> &str {
        self.detail().unwrap_or(self.reason.as_str())
    }

    /// Returns the closed part as label pairs for a metrics library.
    ///
    /// Every word comes from the vocabulary, so the number of series has an upper bound: 3 connect
    /// types x 10 reasons x 5 initiators = 150 (the flag follows from the reason). A missing
    /// initiator counts as `unknown`, since a label set must not change its shape.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};
    ///
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::ClientClosed)
    ///     .with_initiator(Initiator::Client)
    ///     .with_detail("free text never becomes a label");
    /// assert_eq!(
    ///     end.labels(),
    ///     [
    ///         ("connect_type", "agent_to_client"),
    ///         ("disconnect_reason", "client_closed"),
    ///         ("disconnect_expected", "true"),
    ///         ("disconnect_initiator", "client"),
    ///     ],
    /// );
    /// ```
    #[must_use]
    pub fn labels(&self) -> [(&'static str, &'static str); 4] {
        let expected = if self.expected() { "true" } else { "false" };
        [
            (ConnectType::KEY, self.connect_type.as_str()),
            (DisconnectReason::KEY, self.reason.as_str()),
            (keys::DISCONNECT_EXPECTED, expected),
            (Initiator::KEY, self.initiator.unwrap_or_default().as_str()),
        ]
    }

    /// The end of a healthy connection because `side` shuts down.
    pub(crate) const fn shutdown_of(connect_type: ConnectType, side: Initiator) -> Self {
        Self::new(connect_type, DisconnectReason::shutdown_of(side)).with_initiator(side)
    }

    /// Says who ended the connection, if that is known.
    pub(crate) const fn by(self, initiator: Initiator) -> Self {
        match initiator {
            Initiator::Unknown => self,
            Initiator::Client | Initiator::Agent | Initiator::Server | Initiator::Network => {
                self.with_initiator(initiator)
            }
        }
    }

    /// Adds the text of an error as the detail, without ever holding more of it than fits.
    pub(crate) fn with_error(mut self, error: &dyn fmt::Display) -> Self {
        self.detail = Detail::from_display(error).unless_blank();
        self
    }

    /// Adds the first of some details that is not blank.
    #[cfg(feature = "serde")]
    pub(crate) fn with_first_detail(mut self, details: [Option<Detail>; 3]) -> Self {
        let mut details = details.into_iter().flatten();
        self.detail = details.find_map(Detail::unless_blank);
        self
    }
}

/// One readable part of a sentence: `agent_to_client ended by client: graceful (exit code 0)`.
impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended", self.connect_type)?;
        if let Some(initiator) = self.initiator {
            write!(f, " by {initiator}")?;
        }
        write!(f, ": {}", self.reason)?;
        if let Some(code) = self.code {
            write!(f, " ({code})")?;
        }
        if let Some(exit_code) = self.exit_code {
            write!(f, " (exit code {exit_code})")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}
