use std::fmt;
use std::time::Duration;

use super::take_apart;
use crate::escaped::Escaped;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger, keys,
};

/// # Getters
///
/// A value that is not known is `None`, and its field is left out of the line. Durations are whole
/// milliseconds.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{ConnectType, DisconnectGuard, DisconnectReason, Initiator, Trigger};
/// use std::io::Read;
///
/// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
///     assert_eq!(end.connect_type(), ConnectType::AgentToClient);
///     assert_eq!(end.reason(), DisconnectReason::NetworkError);
///     assert!(!end.expected());
///     assert_eq!(end.initiator(), Some(Initiator::Network));
///     assert_eq!(end.trigger(), Some(Trigger::EndOfFile));
///     assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(2), Some(0)));
///     assert!(end.connection_duration() >= end.peer_silence());
///     assert_eq!((end.detail(), end.code(), end.exit_code()), (None, None, None));
///     assert_eq!((end.connection_method(), end.clock_jump()), (None, None));
/// });
/// let socket: &[u8] = b"hi";
/// guard.track(socket, Initiator::Client).read_to_end(&mut Vec::new())?;
/// # Ok::<(), std::io::Error>(())
/// ```
impl Disconnect {
    /// Returns the layer that the connection belonged to.
    pub const fn connect_type(&self) -> ConnectType {
        self.connect_type
    }

    /// Returns why the connection ended.
    pub const fn reason(&self) -> DisconnectReason {
        self.reason
    }

    /// Returns whether this end is part of normal operation, which follows from the
    /// [reason](DisconnectReason::expected) alone.
    pub const fn expected(&self) -> bool {
        self.reason.expected()
    }

    /// Returns the side that ended the connection, if that is known.
    pub const fn initiator(&self) -> Option<Initiator> {
        self.initiator
    }

    /// Returns what was seen, or which timer fired, if that is known.
    pub const fn trigger(&self) -> Option<Trigger> {
        self.trigger
    }

    /// Returns whose transport ended, if a tracked stream saw that.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, Initiator, TrackedStream};
    /// use std::io::Read;
    ///
    /// let cause = Cause::default();
    /// let layer = ConnectType::ClientToServer;
    /// TrackedStream::new(std::io::empty(), layer, Initiator::Server, cause.clone()).read(&mut [0])?;
    /// assert_eq!(cause.get().unwrap().peer(), Some(Initiator::Server));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn peer(&self) -> Option<Initiator> {
        self.peer
    }

    /// Returns the layer whose line reports an inherited cause; nothing if this line is the original.
    ///
    /// A guard sets this, and there is no setter.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     Cause, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator,
    /// };
    ///
    /// let agent = Cause::default();
    /// let session = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.connect_type(), ConnectType::AgentToClient);
    ///     assert_eq!(end.origin(), Some(ConnectType::ServerToAgent));
    /// })
    /// .with_cause(agent.child());
    ///
    /// let shutdown = Disconnect::shutdown(ConnectType::ServerToAgent, Initiator::Agent);
    /// agent.record(Evidence::Local, shutdown);
    /// drop(session);
    /// ```
    pub const fn origin(&self) -> Option<ConnectType> {
        self.origin
    }

    /// Returns the free text: one line, at most 256 bytes, never blank.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_ref().map(Escaped::as_str)
    }

    /// Returns the code that the protocol closed with.
    pub const fn code(&self) -> Option<CloseCode> {
        self.code
    }

    /// Returns the exit status of the process behind the session.
    pub const fn exit_code(&self) -> Option<i32> {
        self.facts.exit_code
    }

    /// Returns how the packets travelled, if that is known.
    pub const fn connection_method(&self) -> Option<ConnectionMethod> {
        self.facts.connection_method
    }

    /// Returns how long the connection was open.
    pub fn connection_duration(&self) -> Option<Duration> {
        let milliseconds = self.facts.connection_duration_ms;
        milliseconds.map(Duration::from_millis)
    }

    /// Returns how long the peer had sent nothing when the connection ended.
    pub fn peer_silence(&self) -> Option<Duration> {
        self.facts.peer_silence_ms.map(Duration::from_millis)
    }

    /// Returns how many bytes the transport received.
    pub const fn bytes_received(&self) -> Option<u64> {
        self.facts.bytes_received
    }

    /// Returns how many bytes the transport sent.
    pub const fn bytes_sent(&self) -> Option<u64> {
        self.facts.bytes_sent
    }

    /// Returns how much further the wall clock moved than the monotonic clock while the connection was
    /// open, in milliseconds; never 0.
    pub const fn clock_jump(&self) -> Option<i64> {
        self.facts.clock_jump_ms
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
    pub fn report_reason(&self) -> &str {
        self.detail().unwrap_or(self.reason.as_str())
    }

    /// Returns the fields with a fixed set of words, as label pairs for a metrics library.
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
    /// let end = Disconnect::closed_by(ConnectType::AgentToClient, Initiator::Client)
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
    pub fn labels(&self) -> [(&'static str, &'static str); 4] {
        let expected = if self.expected() { "true" } else { "false" };
        let initiator = self.initiator.unwrap_or_default();
        [
            (ConnectType::KEY, self.connect_type.as_str()),
            (DisconnectReason::KEY, self.reason.as_str()),
            (keys::DISCONNECT_EXPECTED, expected),
            (Initiator::KEY, initiator.as_str()),
        ]
    }
}

/// Writes one readable sentence: `agent_to_client ended by client: graceful (exit code 0)`.
impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        take_apart!(self => detail connect_type reason initiator trigger peer code origin;
            exit_code connection_method connection_duration_ms peer_silence_ms
            bytes_received bytes_sent clock_jump_ms);

        let in_brackets = [
            trigger.map(|trigger| trigger.to_string()),
            code.map(|code| code.to_string()),
            peer.map(|peer| format!("peer {peer}")),
            exit_code.map(|code| format!("exit code {code}")),
            connection_method.map(|method| method.to_string()),
            origin.map(|layer| format!("from {layer}")),
            connection_duration_ms.map(|time| format!("open {time} ms")),
            peer_silence_ms.map(|time| format!("peer silent {time} ms")),
            bytes_received.map(|bytes| format!("received {bytes} B")),
            bytes_sent.map(|bytes| format!("sent {bytes} B")),
            clock_jump_ms.map(|time| format!("clock jumped {time} ms")),
        ];
        let in_brackets = in_brackets.into_iter().flatten().collect::<Vec<_>>().join(", ");
        write!(f, "{connect_type} ended")?;
        initiator.map_or(Ok(()), |initiator| write!(f, " by {initiator}"))?;
        write!(f, ": {reason}")?;
        if !in_brackets.is_empty() {
            write!(f, " ({in_brackets})")?;
        }
        detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}
