use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::Disconnect;
use crate::clock::milliseconds;
use crate::error::Finding;
use crate::escaped::Escaped;
use crate::{CloseCode, ConnectionMethod, DisconnectReason, Initiator, Trigger};

/// # Setters
impl Disconnect {
    /// Sets the reason, for a site that knows what an application's own code means.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{CloseCode, ConnectType, Disconnect, DisconnectReason, Initiator};
    ///
    /// const TOKEN_EXPIRED: u64 = 17;
    /// let code = CloseCode::QuicApplication(TOKEN_EXPIRED);
    /// let end = Disconnect::from_close_code(ConnectType::ServerToAgent, code, Initiator::Server)
    ///     .with_reason(DisconnectReason::Rejected);
    /// assert_eq!(end.reason(), DisconnectReason::Rejected);
    /// assert_eq!(end.code(), Some(code));
    /// ```
    #[must_use]
    pub const fn with_reason(mut self, reason: DisconnectReason) -> Self {
        self.reason = reason;
        self
    }

    /// Sets the side that ended the connection.
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

    /// Sets what was seen, or which timer fired.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// use disconnect_attribution::Trigger;
    ///
    /// # let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError);
    /// let end = end.with_trigger(Trigger::KeepaliveTimeout);
    /// assert_eq!(end.trigger(), Some(Trigger::KeepaliveTimeout));
    /// ```
    #[must_use]
    pub const fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = Some(trigger);
        self
    }

    /// Sets whose transport ended: which leg of a proxy, which hop of a tunnel.
    ///
    /// `network` and `unknown` are no peers and leave it out.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, Initiator, Trigger};
    ///
    /// let end = Disconnect::network_error(ConnectType::ClientToServer, Trigger::Reset);
    /// assert_eq!(end.clone().with_peer(Initiator::Server).peer(), Some(Initiator::Server));
    /// assert_eq!(end.with_peer(Initiator::Network).peer(), None);
    /// ```
    #[must_use]
    pub const fn with_peer(mut self, peer: Initiator) -> Self {
        self.peer = if peer.is_side() { Some(peer) } else { None };
        self
    }

    /// Sets the free text: an error, a signal's name, the peer's message.
    ///
    /// The text is untrusted. Control characters, line separators, bidirectional formatting and what
    /// can't be seen (zero-width and other ignorable characters, blank fillers) are escaped as in a Rust
    /// string; a ninth combining mark in a row is dropped; what goes beyond 256 bytes is cut at a
    /// character boundary and marked with `…`. White space at both ends is trimmed, and blank text
    /// sets no detail. Text that is clean already is kept as it is: a `&'static str` is not copied.
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
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Escaped::new(detail.into());
        self
    }

    /// Sets the code that the protocol closed with.
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

    /// Sets the exit status of the process behind the session: 255 if a signal killed it, as
    /// OpenSSH's client exits.
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
        self.facts.exit_code = Some(exit_code);
        self
    }

    /// Sets how the packets travelled.
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
        self.facts.connection_method = Some(method);
        self
    }

    /// Sets how long the connection was open, in whole milliseconds.
    ///
    /// A [`DisconnectGuard`](crate::DisconnectGuard) measures this itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// use std::time::Duration;
    ///
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Graceful)
    ///     .with_connection_duration(Duration::from_micros(61_000_999));
    /// assert_eq!(end.connection_duration(), Some(Duration::from_millis(61_000)));
    /// ```
    #[must_use]
    pub const fn with_connection_duration(mut self, duration: Duration) -> Self {
        self.facts.connection_duration_ms = Some(milliseconds(duration));
        self
    }

    /// Sets how long the peer had sent nothing when the connection ended, in whole milliseconds.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// use std::time::Duration;
    ///
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
    ///     .with_peer_silence(Duration::from_secs(60));
    /// assert_eq!(end.peer_silence(), Some(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub const fn with_peer_silence(mut self, silence: Duration) -> Self {
        self.facts.peer_silence_ms = Some(milliseconds(silence));
        self
    }

    /// Sets how many bytes the transport carried.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
    ///     .with_bytes(0, 512);
    /// assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(0), Some(512)));
    /// ```
    #[must_use]
    pub const fn with_bytes(mut self, received: u64, sent: u64) -> Self {
        self.facts.bytes_received = Some(received);
        self.facts.bytes_sent = Some(sent);
        self
    }

    /// Sets how much further the wall clock moved than the monotonic clock while the connection was
    /// open, in milliseconds; 0 means none.
    ///
    /// A guard sets this from one second on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError);
    /// assert_eq!(end.clone().with_clock_jump(-3_600_000).clock_jump(), Some(-3_600_000));
    /// assert_eq!(end.with_clock_jump(0).clock_jump(), None);
    /// ```
    #[must_use]
    pub const fn with_clock_jump(mut self, milliseconds: i64) -> Self {
        self.facts.clock_jump_ms = if milliseconds == 0 { None } else { Some(milliseconds) };
        self
    }

    /// Sets the initiator, if that is known.
    pub(crate) const fn with_known_initiator(self, initiator: Initiator) -> Self {
        if matches!(initiator, Initiator::Unknown) { self } else { self.with_initiator(initiator) }
    }

    /// Sets the text of a value as the detail, without ever holding more of it than fits.
    pub(crate) fn with_text(mut self, text: &dyn fmt::Display) -> Self {
        self.detail = Escaped::from_display(text);
        self
    }

    /// Sets the text of an error and its sources as the detail, and the trigger that they know.
    pub(crate) fn with_error(self, error: &(dyn Error + 'static)) -> Self {
        Self { detail: Escaped::from_error(error), trigger: Finding::of(error).trigger, ..self }
    }
}
