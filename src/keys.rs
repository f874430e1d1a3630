//! The log schema: every key this crate writes or reads.
//!
//! Dashboards and alerts match on these words, so a released key never changes.
//!
//! | key | value | written |
//! |---|---|---|
//! | [`connect_type`](CONNECT_TYPE) | [`ConnectType`](crate::ConnectType) | always |
//! | [`disconnect_reason`](DISCONNECT_REASON) | [`DisconnectReason`](crate::DisconnectReason) | always |
//! | [`disconnect_expected`](DISCONNECT_EXPECTED) | bool, derived from the reason and from nothing else | always |
//! | [`disconnect_initiator`](DISCONNECT_INITIATOR) | [`Initiator`](crate::Initiator) | where known |
//! | [`disconnect_detail`](DISCONNECT_DETAIL) | free text: one line, at most 256 bytes | where useful |
//! | [`disconnect_code`](DISCONNECT_CODE) | a protocol's close code, such as `ssh:11` | where a protocol gave one |
//! | [`exit_code`](EXIT_CODE) | integer | where a process ended |
//! | [`connection_method`](CONNECTION_METHOD) | [`ConnectionMethod`](crate::ConnectionMethod) | where known |

/// The layer that the connection belonged to.
pub const CONNECT_TYPE: &str = "connect_type";

/// Why the connection ended.
pub const DISCONNECT_REASON: &str = "disconnect_reason";

/// Whether this end is part of normal operation: `false` asks for a look.
pub const DISCONNECT_EXPECTED: &str = "disconnect_expected";

/// Who ended the connection; left out where nobody knows, never `""`.
pub const DISCONNECT_INITIATOR: &str = "disconnect_initiator";

/// What no closed vocabulary can say: an error's text, a signal's name, a peer's message.
pub const DISCONNECT_DETAIL: &str = "disconnect_detail";

/// The close code that the protocol carried, with the protocol's name before it.
pub const DISCONNECT_CODE: &str = "disconnect_code";

/// The exit status of the process behind a session, by the conventions of a shell.
pub const EXIT_CODE: &str = "exit_code";

/// How the packets travelled.
pub const CONNECTION_METHOD: &str = "connection_method";
