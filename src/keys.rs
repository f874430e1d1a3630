//! The log schema: every key this crate writes or reads.
//!
//! Dashboards and alerts match on these words, so a released key never changes.
//!
//! | key | value | written |
//! |---|---|---|
//! | [`connect_type`](CONNECT_TYPE) | [`ConnectType`](crate::ConnectType) | always |
//! | [`disconnect_reason`](DISCONNECT_REASON) | [`DisconnectReason`](crate::DisconnectReason) | always |
//! | [`disconnect_expected`](DISCONNECT_EXPECTED) | bool, derived from the reason alone | always |
//! | [`disconnect_initiator`](DISCONNECT_INITIATOR) | [`Initiator`](crate::Initiator) | if known |
//! | [`disconnect_trigger`](DISCONNECT_TRIGGER) | [`Trigger`](crate::Trigger) | if known |
//! | [`disconnect_peer`](DISCONNECT_PEER) | `client`, `agent` or `server` | if a tracked transport showed the end |
//! | [`disconnect_code`](DISCONNECT_CODE) | [`CloseCode`](crate::CloseCode), such as `ssh:11` | if a protocol gave one |
//! | [`disconnect_detail`](DISCONNECT_DETAIL) | free text: one line, at most 256 bytes | if useful |
//! | [`disconnect_origin`](DISCONNECT_ORIGIN) | [`ConnectType`](crate::ConnectType) | if another line reports the cause |
//! | [`exit_code`](EXIT_CODE) | integer | if a process ended |
//! | [`connection_method`](CONNECTION_METHOD) | [`ConnectionMethod`](crate::ConnectionMethod) | if known |
//! | [`connection_duration_ms`](CONNECTION_DURATION_MS) | integer | if a guard saw it |
//! | [`peer_silence_ms`](PEER_SILENCE_MS) | integer | if a tracked stream saw it |
//! | [`bytes_received`](BYTES_RECEIVED), [`bytes_sent`](BYTES_SENT) | integers | if a tracked stream counted |
//! | [`clock_jump_ms`](CLOCK_JUMP_MS) | signed integer | from one second on |

/// The layer that the connection belonged to.
pub const CONNECT_TYPE: &str = "connect_type";

/// Why the connection ended.
pub const DISCONNECT_REASON: &str = "disconnect_reason";

/// Whether this end is part of normal operation: `false` needs a look.
pub const DISCONNECT_EXPECTED: &str = "disconnect_expected";

/// Which side ended the connection; left out if that is not known, never `""`.
pub const DISCONNECT_INITIATOR: &str = "disconnect_initiator";

/// What was seen, or which timer fired.
pub const DISCONNECT_TRIGGER: &str = "disconnect_trigger";

/// Whose transport ended: which leg of a proxy, which hop of a tunnel.
pub const DISCONNECT_PEER: &str = "disconnect_peer";

/// The close code that the protocol carried, with the protocol's name before it.
pub const DISCONNECT_CODE: &str = "disconnect_code";

/// What no closed vocabulary holds: an error's text, a signal's name, a peer's message.
pub const DISCONNECT_DETAIL: &str = "disconnect_detail";

/// The layer whose line reports an inherited cause.
///
/// One outage under 65 channels is 66 lines, of which only one has no origin. What a whole process recorded has no
/// line of its own: there the lines of its connections are the original ones.
pub const DISCONNECT_ORIGIN: &str = "disconnect_origin";

/// The exit status of the process behind a session: 255 if a signal killed it, as OpenSSH's client
/// exits.
pub const EXIT_CODE: &str = "exit_code";

/// How the packets travelled.
pub const CONNECTION_METHOD: &str = "connection_method";

/// How long the connection was open, in milliseconds: from established to the end.
pub const CONNECTION_DURATION_MS: &str = "connection_duration_ms";

/// How long the peer had sent nothing when the connection ended, in milliseconds.
pub const PEER_SILENCE_MS: &str = "peer_silence_ms";

/// How many bytes the transport received.
pub const BYTES_RECEIVED: &str = "bytes_received";

/// How many bytes the transport sent.
pub const BYTES_SENT: &str = "bytes_sent";

/// How much further the wall clock moved than the monotonic clock while the connection was open, in
/// milliseconds: the machine slept (not on Windows, [on which both go on](crate::guide::guard#what-the-line-holds)), or its
/// clock was set.
pub const CLOCK_JUMP_MS: &str = "clock_jump_ms";
