use crate::{DisconnectReason, Initiator, keys};

#[macro_use]
mod table;

use table::Meaning;

close_codes! {
/// The code that a protocol gave for closing, kept raw.
///
/// Every integer is a value, listed by its standard or not, so nothing that a peer sends is lost.
/// The text, for [`Display`](std::fmt::Display), [`FromStr`](std::str::FromStr), serde and every logger, is the protocol and
/// the number: `ssh:11`, `websocket:1001`, `quic:2`. A protocol may join in any release, so the
/// enum is `#[non_exhaustive]`.
///
/// In the tables a *deliberate* close is [`ClientClosed`](DisconnectReason::ClientClosed) from a client
/// and [`Graceful`](DisconnectReason::Graceful) from any other sender. *Going away* is `ClientClosed`
/// from a client, [`ServerShutdown`](DisconnectReason::ServerShutdown) from an agent or a server, else
/// [`NetworkError`](DisconnectReason::NetworkError). Any other row has one reason for every sender; a
/// code without a row is [`Unknown`](DisconnectReason::Unknown). The standards name the codes; the reasons
/// are this crate's choice.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::CloseCode;
///
/// let code: CloseCode = "websocket:1001".parse()?;
/// assert_eq!(code, CloseCode::WebSocket(1001));
/// assert_eq!(code.name(), Some("going away"));
/// assert_eq!(code.to_string(), "websocket:1001");
/// # Ok::<(), disconnect_attribution::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// The reason code of `SSH_MSG_DISCONNECT` (RFC 4253 section 11.1, RFC 4250 section 4.2.2).
    Ssh(u32) as "ssh" {
        1 "host not allowed to connect" Rejected,
        2 "protocol error" ProtocolError,
        3 "key exchange failed" ProtocolError,
        4 "reserved" Unknown,
        5 "MAC error" ProtocolError,
        6 "compression error" ProtocolError,
        7 "service not available" Rejected,
        8 "protocol version not supported" ProtocolError,
        9 "host key not verifiable" Rejected,
        10 "connection lost" NetworkError,
        11 "by application" Deliberate,
        12 "too many connections" Rejected,
        13 "auth cancelled by user" ClientClosed,
        14 "no more auth methods available" Rejected,
        15 "illegal user name" Rejected,
    }

    /// The status code of a close frame (RFC 6455 section 7.4.1 and its IANA registry).
    WebSocket(u16) as "websocket" {
        1000 "normal closure" Deliberate,
        1001 "going away" GoingAway,
        1002 "protocol error" ProtocolError,
        1003 "unsupported data" ProtocolError,
        1004 "reserved" Unknown,
        1005 "no status received" Deliberate,
        1006 "abnormal closure" NetworkError,
        1007 "invalid payload" ProtocolError,
        1008 "policy violation" Rejected,
        1009 "message too big" ProtocolError,
        1010 "mandatory extension missing" ProtocolError,
        1011 "internal error" Unknown,
        1012 "service restart" GoingAway,
        1013 "try again later" Rejected,
        1014 "bad gateway" NetworkError,
        1015 "TLS handshake failure" ProtocolError,
        3000 "unauthorized" Rejected,
        3003 "forbidden" Rejected,
        3008 "timeout" NetworkError,
    }

    /// The status code of a call (statuscodes.md of the gRPC project).
    Grpc(i32) as "grpc" {
        0 "OK" Deliberate,
        1 "CANCELLED" GoingAway,
        2 "UNKNOWN" Unknown,
        3 "INVALID_ARGUMENT" Rejected,
        4 "DEADLINE_EXCEEDED" NetworkError,
        5 "NOT_FOUND" Rejected,
        6 "ALREADY_EXISTS" Rejected,
        7 "PERMISSION_DENIED" Rejected,
        8 "RESOURCE_EXHAUSTED" Rejected,
        9 "FAILED_PRECONDITION" Rejected,
        10 "ABORTED" Rejected,
        11 "OUT_OF_RANGE" Rejected,
        12 "UNIMPLEMENTED" ProtocolError,
        13 "INTERNAL" ProtocolError,
        14 "UNAVAILABLE" GoingAway,
        15 "DATA_LOSS" ProtocolError,
        16 "UNAUTHENTICATED" Rejected,
    }

    /// The error code of `RST_STREAM` or `GOAWAY` (RFC 9113 section 7).
    Http2(u32) as "http2" {
        0x0 "NO_ERROR" GoingAway,
        0x1 "PROTOCOL_ERROR" ProtocolError,
        0x2 "INTERNAL_ERROR" Unknown,
        0x3 "FLOW_CONTROL_ERROR" ProtocolError,
        0x4 "SETTINGS_TIMEOUT" NetworkError,
        0x5 "STREAM_CLOSED" ProtocolError,
        0x6 "FRAME_SIZE_ERROR" ProtocolError,
        0x7 "REFUSED_STREAM" Rejected,
        0x8 "CANCEL" GoingAway,
        0x9 "COMPRESSION_ERROR" ProtocolError,
        0xa "CONNECT_ERROR" NetworkError,
        0xb "ENHANCE_YOUR_CALM" Rejected,
        0xc "INADEQUATE_SECURITY" ProtocolError,
        0xd "HTTP_1_1_REQUIRED" ProtocolError,
    }

    /// The alert that ended a TLS connection (RFC 8446 section 6; numbers of older versions are unlisted).
    ///
    /// An end of file without `close_notify` has no code: the transport ended, perhaps amid the data.
    Tls(u8) as "tls" {
        0 "close_notify" Deliberate,
        10 "unexpected_message" ProtocolError,
        20 "bad_record_mac" ProtocolError,
        22 "record_overflow" ProtocolError,
        40 "handshake_failure" ProtocolError,
        42 "bad_certificate" Rejected,
        43 "unsupported_certificate" Rejected,
        44 "certificate_revoked" Rejected,
        45 "certificate_expired" Rejected,
        46 "certificate_unknown" Rejected,
        47 "illegal_parameter" ProtocolError,
        48 "unknown_ca" Rejected,
        49 "access_denied" Rejected,
        50 "decode_error" ProtocolError,
        51 "decrypt_error" ProtocolError,
        70 "protocol_version" ProtocolError,
        71 "insufficient_security" ProtocolError,
        80 "internal_error" Unknown,
        86 "inappropriate_fallback" ProtocolError,
        90 "user_canceled" GoingAway,
        109 "missing_extension" ProtocolError,
        110 "unsupported_extension" ProtocolError,
        112 "unrecognized_name" Rejected,
        113 "bad_certificate_status_response" Rejected,
        115 "unknown_psk_identity" Rejected,
        116 "certificate_required" Rejected,
        120 "no_application_protocol" ProtocolError,
    }

    /// The transport error of a `CONNECTION_CLOSE` of type 0x1c (RFC 9000 section 20.1, RFC 9368).
    ///
    /// 0x100 to 0x1ff are `CRYPTO_ERROR` and mean what the [TLS alert](Self::Tls) in their low byte means.
    /// An idle timeout and a stateless reset have no code: they are triggers.
    Quic(u64) as "quic" {
        0x0 "NO_ERROR" Deliberate,
        0x1 "INTERNAL_ERROR" Unknown,
        0x2 "CONNECTION_REFUSED" Rejected,
        0x3 "FLOW_CONTROL_ERROR" ProtocolError,
        0x4 "STREAM_LIMIT_ERROR" ProtocolError,
        0x5 "STREAM_STATE_ERROR" ProtocolError,
        0x6 "FINAL_SIZE_ERROR" ProtocolError,
        0x7 "FRAME_ENCODING_ERROR" ProtocolError,
        0x8 "TRANSPORT_PARAMETER_ERROR" ProtocolError,
        0x9 "CONNECTION_ID_LIMIT_ERROR" ProtocolError,
        0xa "PROTOCOL_VIOLATION" ProtocolError,
        0xb "INVALID_TOKEN" Rejected,
        0xc "APPLICATION_ERROR" Unknown,
        0xd "CRYPTO_BUFFER_EXCEEDED" ProtocolError,
        0xe "KEY_UPDATE_ERROR" ProtocolError,
        0xf "AEAD_LIMIT_REACHED" ProtocolError,
        0x10 "NO_VIABLE_PATH" NetworkError,
        0x11 "VERSION_NEGOTIATION_ERROR" ProtocolError,
    }

    /// The application's own error code: a `CONNECTION_CLOSE` of type 0x1d, `RESET_STREAM`,
    /// `STOP_SENDING` (RFC 9000 section 20.2).
    ///
    /// The numbers mean what the application defines. Only 0 is known, by custom, as a deliberate
    /// close; a site teaches the others with [`Disconnect::with_reason`](crate::Disconnect::with_reason).
    QuicApplication(u64) as "quic_app" {
        0 "" Deliberate,
    }

    /// The error code of HTTP/3 (RFC 9114 section 8.1, RFC 9297) and QPACK (RFC 9204 section 6).
    ///
    /// An unlisted code is `unknown` here, though RFC 9114 lets a peer treat it as `H3_NO_ERROR`.
    Http3(u64) as "http3" {
        0x33 "H3_DATAGRAM_ERROR" ProtocolError,
        0x100 "H3_NO_ERROR" GoingAway,
        0x101 "H3_GENERAL_PROTOCOL_ERROR" ProtocolError,
        0x102 "H3_INTERNAL_ERROR" Unknown,
        0x103 "H3_STREAM_CREATION_ERROR" ProtocolError,
        0x104 "H3_CLOSED_CRITICAL_STREAM" ProtocolError,
        0x105 "H3_FRAME_UNEXPECTED" ProtocolError,
        0x106 "H3_FRAME_ERROR" ProtocolError,
        0x107 "H3_EXCESSIVE_LOAD" Rejected,
        0x108 "H3_ID_ERROR" ProtocolError,
        0x109 "H3_SETTINGS_ERROR" ProtocolError,
        0x10a "H3_MISSING_SETTINGS" ProtocolError,
        0x10b "H3_REQUEST_REJECTED" Rejected,
        0x10c "H3_REQUEST_CANCELLED" GoingAway,
        0x10d "H3_REQUEST_INCOMPLETE" ProtocolError,
        0x10e "H3_MESSAGE_ERROR" ProtocolError,
        0x10f "H3_CONNECT_ERROR" NetworkError,
        0x110 "H3_VERSION_FALLBACK" ProtocolError,
        0x200 "QPACK_DECOMPRESSION_FAILED" ProtocolError,
        0x201 "QPACK_ENCODER_STREAM_ERROR" ProtocolError,
        0x202 "QPACK_DECODER_STREAM_ERROR" ProtocolError,
    }

    /// The reason code of `CONNACK` or `DISCONNECT` (OASIS MQTT 5.0 section 2.4).
    ///
    /// Some of them have a [trigger](crate::Trigger) that a site adds: 0x8d `keepalive_timeout`, 0x8e `superseded`,
    /// 0xa0 `max_age`.
    Mqtt(u8) as "mqtt" {
        0x00 "Normal disconnection" Deliberate,
        0x04 "Disconnect with Will Message" Deliberate,
        0x80 "Unspecified error" Unknown,
        0x81 "Malformed Packet" ProtocolError,
        0x82 "Protocol Error" ProtocolError,
        0x83 "Implementation specific error" Unknown,
        0x84 "Unsupported Protocol Version" ProtocolError,
        0x85 "Client Identifier not valid" Rejected,
        0x86 "Bad User Name or Password" Rejected,
        0x87 "Not authorized" Rejected,
        0x88 "Server unavailable" Rejected,
        0x89 "Server busy" Rejected,
        0x8a "Banned" Rejected,
        0x8b "Server shutting down" GoingAway,
        0x8c "Bad authentication method" Rejected,
        0x8d "Keep Alive timeout" NetworkError,
        0x8e "Session taken over" Deliberate,
        0x8f "Topic Filter invalid" Rejected,
        0x90 "Topic Name invalid" Rejected,
        0x93 "Receive Maximum exceeded" ProtocolError,
        0x94 "Topic Alias invalid" ProtocolError,
        0x95 "Packet too large" ProtocolError,
        0x96 "Message rate too high" Rejected,
        0x97 "Quota exceeded" Rejected,
        0x98 "Administrative action" Rejected,
        0x99 "Payload format invalid" ProtocolError,
        0x9a "Retain not supported" Rejected,
        0x9b "QoS not supported" Rejected,
        0x9c "Use another server" GoingAway,
        0x9d "Server moved" GoingAway,
        0x9e "Shared Subscriptions not supported" Rejected,
        0x9f "Connection rate exceeded" Rejected,
        0xa0 "Maximum connect time" Rejected,
        0xa1 "Subscription Identifiers not supported" Rejected,
        0xa2 "Wildcard Subscriptions not supported" Rejected,
    }
}
}

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
    /// A code alone does not answer that: a client that is "going away" quits, a server that does is
    /// restarted. `sender` is the side that put the code on the wire; [`Initiator::Network`] means that
    /// neither did and the local library made it up (WebSocket 1006, a gRPC `UNAVAILABLE` after a
    /// broken connection). The tables stand beside the [variants](Self#variants).
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
        match self.or_alert().row() {
            Some((_, meaning)) => meaning.reason(sender),
            None => DisconnectReason::Unknown,
        }
    }

    /// Returns the name that the standard gives the code, if it lists it.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::CloseCode;
    ///
    /// assert_eq!(CloseCode::Http2(8).name(), Some("CANCEL"));
    /// assert_eq!(CloseCode::Quic(0x12a).name(), Some("bad_certificate"));
    /// assert_eq!(CloseCode::Ssh(99).name(), None);
    /// ```
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match (self, self.or_alert().row()) {
            (_, Some((name, _))) if !name.is_empty() => Some(name),
            (Self::Quic(0x100..=0x1ff), None) => Some("CRYPTO_ERROR"),
            (_, Some(_) | None) => None,
        }
    }

    /// The TLS alert in the low byte of a QUIC `CRYPTO_ERROR` (RFC 9001 section 4.8).
    const fn or_alert(self) -> Self {
        match self {
            Self::Quic(code @ 0x100..=0x1ff) => Self::Tls(code.to_le_bytes()[0]),
            code => code,
        }
    }
}
