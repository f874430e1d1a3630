use std::fmt;
use std::str::FromStr;

use crate::{DisconnectReason, Initiator, ParseError, keys};

/// The code that a protocol gave for closing, kept raw.
///
/// Every integer is a value, listed by its standard or not, so nothing that a peer sends is lost.
/// The text, for [`Display`](fmt::Display), [`FromStr`], serde and every logger, is the protocol and
/// the number: `ssh:11`, `websocket:1001`, `grpc:14`, `http2:8`.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::CloseCode;
///
/// let code: CloseCode = "websocket:1001".parse()?;
/// assert_eq!(code, CloseCode::WebSocket(1001));
/// assert_eq!(code.to_string(), "websocket:1001");
/// # Ok::<(), disconnect_attribution::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The reason code of `SSH_MSG_DISCONNECT` (RFC 4253 section 11.1).
    Ssh(u32),

    /// The status code of a close frame (RFC 6455 section 7.4).
    WebSocket(u16),

    /// The status code of a call (statuscodes.md of the gRPC project).
    Grpc(i32),

    /// The error code of `RST_STREAM` or `GOAWAY` (RFC 9113 section 7).
    Http2(u32),
}

const SSH: &str = "ssh";
const WEBSOCKET: &str = "websocket";
const GRPC: &str = "grpc";
const HTTP2: &str = "http2";

impl CloseCode {
    /// The key that a log line carries this value under:
    /// [`keys::DISCONNECT_CODE`](crate::keys::DISCONNECT_CODE).
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{CloseCode, keys};
    ///
    /// assert_eq!(CloseCode::KEY, keys::DISCONNECT_CODE);
    /// ```
    pub const KEY: &'static str = keys::DISCONNECT_CODE;

    /// Returns why a connection ended with this code, given who sent it.
    ///
    /// A code alone does not say why: a client that is "going away" quits, a server that does is
    /// restarted. `sender` is who put the code on the wire; [`Initiator::Network`] means that nobody
    /// did and the local library made it up (WebSocket 1006, a gRPC `UNAVAILABLE` after a broken
    /// connection).
    ///
    /// - A **deliberate** close is `client_closed` from a client, `graceful` from anybody else.
    /// - **Going away** is `client_closed` from a client, `server_shutdown` from an agent or a server,
    ///   `network_error` otherwise.
    /// - Any other listed code means the same whoever sent it; an unlisted one is `unknown`.
    ///
    /// | protocol | deliberate | going away | `network_error` | `protocol_error` | `rejected` | `client_closed` |
    /// |---|---|---|---|---|---|---|
    /// | SSH | 11 | | 10 | 2 3 5 6 8 | 1 7 9 12 14 15 | 13 |
    /// | WebSocket | 1000 1005 | 1001 1012 | 1006 1014 3008 | 1002 1003 1007 1009 1010 1015 | 1008 1013 3000 3003 | |
    /// | gRPC | 0 | 1 14 | 4 | 12 13 15 | 3 5 6 7 8 9 10 11 16 | |
    /// | HTTP/2 | | 0 8 | 4 10 | 1 3 5 6 9 12 13 | 7 11 | |
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{CloseCode, DisconnectReason, Initiator};
    ///
    /// let going_away = CloseCode::WebSocket(1001);
    /// assert_eq!(going_away.reason(Initiator::Client), DisconnectReason::ClientClosed);
    /// assert_eq!(going_away.reason(Initiator::Server), DisconnectReason::ServerShutdown);
    /// assert_eq!(CloseCode::WebSocket(4321).reason(Initiator::Server), DisconnectReason::Unknown);
    /// ```
    #[must_use]
    pub const fn reason(self, sender: Initiator) -> DisconnectReason {
        match self {
            Self::Ssh(code) => ssh(code, sender),
            Self::WebSocket(code) => websocket(code, sender),
            Self::Grpc(code) => grpc(code, sender),
            Self::Http2(code) => http2(code, sender),
        }
    }
}

/// A normal, meant close.
const fn deliberate(sender: Initiator) -> DisconnectReason {
    match sender {
        Initiator::Client => DisconnectReason::ClientClosed,
        Initiator::Agent | Initiator::Server | Initiator::Network | Initiator::Unknown => {
            DisconnectReason::Graceful
        }
    }
}

/// The sender itself is leaving.
const fn going_away(sender: Initiator) -> DisconnectReason {
    match sender {
        Initiator::Client => DisconnectReason::ClientClosed,
        Initiator::Agent | Initiator::Server => DisconnectReason::ServerShutdown,
        Initiator::Network | Initiator::Unknown => DisconnectReason::NetworkError,
    }
}

/// RFC 4250 section 4.2.2.
const fn ssh(code: u32, sender: Initiator) -> DisconnectReason {
    match code {
        1       // host not allowed to connect
        | 7     // service not available
        | 9     // host key not verifiable
        | 12    // too many connections
        | 14    // no more auth methods available
        | 15    // illegal user name
        => DisconnectReason::Rejected,
        2       // protocol error
        | 3     // key exchange failed
        | 5     // MAC error
        | 6     // compression error
        | 8     // protocol version not supported
        => DisconnectReason::ProtocolError,
        10 => DisconnectReason::NetworkError, // connection lost
        11 => deliberate(sender), // by application
        13 => DisconnectReason::ClientClosed, // auth cancelled by user
        _ => DisconnectReason::Unknown, // 4 is reserved
    }
}

/// RFC 6455 section 7.4.1 and the registry that it set up.
const fn websocket(code: u16, sender: Initiator) -> DisconnectReason {
    match code {
        1000    // normal closure
        | 1005  // no status received
        => deliberate(sender),
        1001    // going away
        | 1012  // service restart
        => going_away(sender),
        1002    // protocol error
        | 1003  // unsupported data
        | 1007  // invalid payload
        | 1009  // message too big
        | 1010  // mandatory extension missing
        | 1015  // TLS handshake failure
        => DisconnectReason::ProtocolError,
        1006    // abnormal closure
        | 1014  // bad gateway
        | 3008  // timeout
        => DisconnectReason::NetworkError,
        1008    // policy violation
        | 1013  // try again later
        | 3000  // unauthorized
        | 3003  // forbidden
        => DisconnectReason::Rejected,
        _ => DisconnectReason::Unknown, // 1004 is reserved, 1011 an internal error
    }
}

/// statuscodes.md of the gRPC project.
const fn grpc(code: i32, sender: Initiator) -> DisconnectReason {
    match code {
        0 => deliberate(sender), // OK
        1       // CANCELLED
        | 14    // UNAVAILABLE
        => going_away(sender),
        3       // INVALID_ARGUMENT
        | 5     // NOT_FOUND
        | 6     // ALREADY_EXISTS
        | 7     // PERMISSION_DENIED
        | 8     // RESOURCE_EXHAUSTED
        | 9     // FAILED_PRECONDITION
        | 10    // ABORTED
        | 11    // OUT_OF_RANGE
        | 16    // UNAUTHENTICATED
        => DisconnectReason::Rejected,
        4 => DisconnectReason::NetworkError, // DEADLINE_EXCEEDED
        12      // UNIMPLEMENTED
        | 13    // INTERNAL
        | 15    // DATA_LOSS
        => DisconnectReason::ProtocolError,
        _ => DisconnectReason::Unknown, // 2 is UNKNOWN
    }
}

/// RFC 9113 section 7.
const fn http2(code: u32, sender: Initiator) -> DisconnectReason {
    match code {
        0x0     // NO_ERROR
        | 0x8   // CANCEL
        => going_away(sender),
        0x1     // PROTOCOL_ERROR
        | 0x3   // FLOW_CONTROL_ERROR
        | 0x5   // STREAM_CLOSED
        | 0x6   // FRAME_SIZE_ERROR
        | 0x9   // COMPRESSION_ERROR
        | 0xc   // INADEQUATE_SECURITY
        | 0xd   // HTTP_1_1_REQUIRED
        => DisconnectReason::ProtocolError,
        0x4     // SETTINGS_TIMEOUT
        | 0xa   // CONNECT_ERROR
        => DisconnectReason::NetworkError,
        0x7     // REFUSED_STREAM
        | 0xb   // ENHANCE_YOUR_CALM
        => DisconnectReason::Rejected,
        _ => DisconnectReason::Unknown, // 0x2 is INTERNAL_ERROR
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh(code) => write!(f, "{SSH}:{code}"),
            Self::WebSocket(code) => write!(f, "{WEBSOCKET}:{code}"),
            Self::Grpc(code) => write!(f, "{GRPC}:{code}"),
            Self::Http2(code) => write!(f, "{HTTP2}:{code}"),
        }
    }
}

/// Strict: what [`Display`](fmt::Display) writes and nothing else.
impl FromStr for CloseCode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const ACCEPTED: &[&str] = &["ssh:<u32>", "websocket:<u16>", "grpc:<i32>", "http2:<u32>"];

        text.split_once(':')
            .filter(|(_, number)| is_canonical(number))
            .and_then(|(protocol, number)| match protocol {
                SSH => number.parse().map(Self::Ssh).ok(),
                WEBSOCKET => number.parse().map(Self::WebSocket).ok(),
                GRPC => number.parse().map(Self::Grpc).ok(),
                HTTP2 => number.parse().map(Self::Http2).ok(),
                _ => None,
            })
            .ok_or_else(|| ParseError::new(Self::KEY, text, ACCEPTED))
    }
}

/// Rust's integers would also parse from `+11`, `011` and `-0`.
fn is_canonical(number: &str) -> bool {
    matches!(
        number.as_bytes(),
        b"0" | [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..]
    )
}
