//! Close codes: every listed code from every sender, and everything that no standard lists.

use disconnect_attribution::DisconnectReason::{
    ClientClosed, Graceful, NetworkError, ProtocolError, Rejected, ServerShutdown, Unknown,
};
use disconnect_attribution::{CloseCode, ConnectType, Disconnect, DisconnectReason, Initiator};

/// Number, name in the standard, meaning.
type Row = (i128, &'static str, Meaning);

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Deliberate,
    GoingAway,
    Always(DisconnectReason),
}

use Meaning::{Always, Deliberate, GoingAway};

impl Meaning {
    /// The reason where a client, an agent, a server, the network or an unknown sender sent the code.
    fn by_sender(self) -> [DisconnectReason; 5] {
        match self {
            Deliberate => [ClientClosed, Graceful, Graceful, Graceful, Graceful],
            GoingAway => [
                ClientClosed,
                ServerShutdown,
                ServerShutdown,
                NetworkError,
                NetworkError,
            ],
            Always(reason) => [reason; 5],
        }
    }
}

const SENDERS: [Initiator; 5] = [
    Initiator::Client,
    Initiator::Agent,
    Initiator::Server,
    Initiator::Network,
    Initiator::Unknown,
];

const SSH: &[Row] = &[
    (1, "host not allowed to connect", Always(Rejected)),
    (2, "protocol error", Always(ProtocolError)),
    (3, "key exchange failed", Always(ProtocolError)),
    (4, "reserved", Always(Unknown)),
    (5, "MAC error", Always(ProtocolError)),
    (6, "compression error", Always(ProtocolError)),
    (7, "service not available", Always(Rejected)),
    (8, "protocol version not supported", Always(ProtocolError)),
    (9, "host key not verifiable", Always(Rejected)),
    (10, "connection lost", Always(NetworkError)),
    (11, "by application", Deliberate),
    (12, "too many connections", Always(Rejected)),
    (13, "auth cancelled by user", Always(ClientClosed)),
    (14, "no more auth methods available", Always(Rejected)),
    (15, "illegal user name", Always(Rejected)),
];

const WEBSOCKET: &[Row] = &[
    (1000, "normal closure", Deliberate),
    (1001, "going away", GoingAway),
    (1002, "protocol error", Always(ProtocolError)),
    (1003, "unsupported data", Always(ProtocolError)),
    (1004, "reserved", Always(Unknown)),
    (1005, "no status received", Deliberate),
    (1006, "abnormal closure", Always(NetworkError)),
    (1007, "invalid payload", Always(ProtocolError)),
    (1008, "policy violation", Always(Rejected)),
    (1009, "message too big", Always(ProtocolError)),
    (1010, "mandatory extension missing", Always(ProtocolError)),
    (1011, "internal error", Always(Unknown)),
    (1012, "service restart", GoingAway),
    (1013, "try again later", Always(Rejected)),
    (1014, "bad gateway", Always(NetworkError)),
    (1015, "TLS handshake failure", Always(ProtocolError)),
    (3000, "unauthorized", Always(Rejected)),
    (3003, "forbidden", Always(Rejected)),
    (3008, "timeout", Always(NetworkError)),
];

const GRPC: &[Row] = &[
    (0, "OK", Deliberate),
    (1, "CANCELLED", GoingAway),
    (2, "UNKNOWN", Always(Unknown)),
    (3, "INVALID_ARGUMENT", Always(Rejected)),
    (4, "DEADLINE_EXCEEDED", Always(NetworkError)),
    (5, "NOT_FOUND", Always(Rejected)),
    (6, "ALREADY_EXISTS", Always(Rejected)),
    (7, "PERMISSION_DENIED", Always(Rejected)),
    (8, "RESOURCE_EXHAUSTED", Always(Rejected)),
    (9, "FAILED_PRECONDITION", Always(Rejected)),
    (10, "ABORTED", Always(Rejected)),
    (11, "OUT_OF_RANGE", Always(Rejected)),
    (12, "UNIMPLEMENTED", Always(ProtocolError)),
    (13, "INTERNAL", Always(ProtocolError)),
    (14, "UNAVAILABLE", GoingAway),
    (15, "DATA_LOSS", Always(ProtocolError)),
    (16, "UNAUTHENTICATED", Always(Rejected)),
];

const HTTP2: &[Row] = &[
    (0x0, "NO_ERROR", GoingAway),
    (0x1, "PROTOCOL_ERROR", Always(ProtocolError)),
    (0x2, "INTERNAL_ERROR", Always(Unknown)),
    (0x3, "FLOW_CONTROL_ERROR", Always(ProtocolError)),
    (0x4, "SETTINGS_TIMEOUT", Always(NetworkError)),
    (0x5, "STREAM_CLOSED", Always(ProtocolError)),
    (0x6, "FRAME_SIZE_ERROR", Always(ProtocolError)),
    (0x7, "REFUSED_STREAM", Always(Rejected)),
    (0x8, "CANCEL", GoingAway),
    (0x9, "COMPRESSION_ERROR", Always(ProtocolError)),
    (0xa, "CONNECT_ERROR", Always(NetworkError)),
    (0xb, "ENHANCE_YOUR_CALM", Always(Rejected)),
    (0xc, "INADEQUATE_SECURITY", Always(ProtocolError)),
    (0xd, "HTTP_1_1_REQUIRED", Always(ProtocolError)),
];

const TLS: &[Row] = &[
    (0, "close_notify", Deliberate),
    (10, "unexpected_message", Always(ProtocolError)),
    (20, "bad_record_mac", Always(ProtocolError)),
    (22, "record_overflow", Always(ProtocolError)),
    (40, "handshake_failure", Always(ProtocolError)),
    (42, "bad_certificate", Always(Rejected)),
    (43, "unsupported_certificate", Always(Rejected)),
    (44, "certificate_revoked", Always(Rejected)),
    (45, "certificate_expired", Always(Rejected)),
    (46, "certificate_unknown", Always(Rejected)),
    (47, "illegal_parameter", Always(ProtocolError)),
    (48, "unknown_ca", Always(Rejected)),
    (49, "access_denied", Always(Rejected)),
    (50, "decode_error", Always(ProtocolError)),
    (51, "decrypt_error", Always(ProtocolError)),
    (70, "protocol_version", Always(ProtocolError)),
    (71, "insufficient_security", Always(ProtocolError)),
    (80, "internal_error", Always(Unknown)),
    (86, "inappropriate_fallback", Always(ProtocolError)),
    (90, "user_canceled", GoingAway),
    (109, "missing_extension", Always(ProtocolError)),
    (110, "unsupported_extension", Always(ProtocolError)),
    (112, "unrecognized_name", Always(Rejected)),
    (113, "bad_certificate_status_response", Always(Rejected)),
    (115, "unknown_psk_identity", Always(Rejected)),
    (116, "certificate_required", Always(Rejected)),
    (120, "no_application_protocol", Always(ProtocolError)),
];

const QUIC: &[Row] = &[
    (0x0, "NO_ERROR", Deliberate),
    (0x1, "INTERNAL_ERROR", Always(Unknown)),
    (0x2, "CONNECTION_REFUSED", Always(Rejected)),
    (0x3, "FLOW_CONTROL_ERROR", Always(ProtocolError)),
    (0x4, "STREAM_LIMIT_ERROR", Always(ProtocolError)),
    (0x5, "STREAM_STATE_ERROR", Always(ProtocolError)),
    (0x6, "FINAL_SIZE_ERROR", Always(ProtocolError)),
    (0x7, "FRAME_ENCODING_ERROR", Always(ProtocolError)),
    (0x8, "TRANSPORT_PARAMETER_ERROR", Always(ProtocolError)),
    (0x9, "CONNECTION_ID_LIMIT_ERROR", Always(ProtocolError)),
    (0xa, "PROTOCOL_VIOLATION", Always(ProtocolError)),
    (0xb, "INVALID_TOKEN", Always(Rejected)),
    (0xc, "APPLICATION_ERROR", Always(Unknown)),
    (0xd, "CRYPTO_BUFFER_EXCEEDED", Always(ProtocolError)),
    (0xe, "KEY_UPDATE_ERROR", Always(ProtocolError)),
    (0xf, "AEAD_LIMIT_REACHED", Always(ProtocolError)),
    (0x10, "NO_VIABLE_PATH", Always(NetworkError)),
    (0x11, "VERSION_NEGOTIATION_ERROR", Always(ProtocolError)),
];

/// The numbers are the application's own: the row without a name is a custom.
const QUIC_APPLICATION: &[Row] = &[(0, "", Deliberate)];

const HTTP3: &[Row] = &[
    (0x33, "H3_DATAGRAM_ERROR", Always(ProtocolError)),
    (0x100, "H3_NO_ERROR", GoingAway),
    (0x101, "H3_GENERAL_PROTOCOL_ERROR", Always(ProtocolError)),
    (0x102, "H3_INTERNAL_ERROR", Always(Unknown)),
    (0x103, "H3_STREAM_CREATION_ERROR", Always(ProtocolError)),
    (0x104, "H3_CLOSED_CRITICAL_STREAM", Always(ProtocolError)),
    (0x105, "H3_FRAME_UNEXPECTED", Always(ProtocolError)),
    (0x106, "H3_FRAME_ERROR", Always(ProtocolError)),
    (0x107, "H3_EXCESSIVE_LOAD", Always(Rejected)),
    (0x108, "H3_ID_ERROR", Always(ProtocolError)),
    (0x109, "H3_SETTINGS_ERROR", Always(ProtocolError)),
    (0x10a, "H3_MISSING_SETTINGS", Always(ProtocolError)),
    (0x10b, "H3_REQUEST_REJECTED", Always(Rejected)),
    (0x10c, "H3_REQUEST_CANCELLED", GoingAway),
    (0x10d, "H3_REQUEST_INCOMPLETE", Always(ProtocolError)),
    (0x10e, "H3_MESSAGE_ERROR", Always(ProtocolError)),
    (0x10f, "H3_CONNECT_ERROR", Always(NetworkError)),
    (0x110, "H3_VERSION_FALLBACK", Always(ProtocolError)),
    (0x200, "QPACK_DECOMPRESSION_FAILED", Always(ProtocolError)),
    (0x201, "QPACK_ENCODER_STREAM_ERROR", Always(ProtocolError)),
    (0x202, "QPACK_DECODER_STREAM_ERROR", Always(ProtocolError)),
];

#[track_caller]
fn check(code: CloseCode, name: Option<&str>, meaning: Meaning) {
    assert_eq!(code.name(), name, "{code}");
    for (sender, reason) in SENDERS.into_iter().zip(meaning.by_sender()) {
        assert_eq!(code.reason(sender), reason, "{code} from {sender}");
    }
}

/// Holds a code against its row, or, without one, against what is true of every unlisted code.
#[track_caller]
fn check_in(rows: &[Row], number: impl Into<i128>, code: CloseCode) {
    let number = number.into();
    match rows.iter().find(|(listed, ..)| *listed == number) {
        Some((_, "", meaning)) => check(code, None, *meaning),
        Some((_, name, meaning)) => check(code, Some(name), *meaning),
        None => check(code, None, Always(Unknown)),
    }
}

/// Small numbers, each bit and its neighbours, the ends, and a walk over the rest.
fn numbers() -> impl Iterator<Item = u64> {
    let bits = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    let walk = (0..4096_u64).map(|step| step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..=0xffff).chain(bits).chain(walk).chain([u64::MAX])
}

#[test]
fn each_code_of_8_or_16_bits_has_the_name_and_the_reason_of_its_row() {
    for code in 0..=u8::MAX {
        check_in(TLS, code, CloseCode::Tls(code));
    }
    for code in 0..=u16::MAX {
        check_in(WEBSOCKET, code, CloseCode::WebSocket(code));
    }
}

#[test]
fn each_longer_code_has_the_name_and_the_reason_of_its_row() {
    for number in numbers() {
        let [a, b, c, d, ..] = number.to_le_bytes();
        let (unsigned, signed) = (
            u32::from_le_bytes([a, b, c, d]),
            i32::from_le_bytes([a, b, c, d]),
        );
        check_in(SSH, unsigned, CloseCode::Ssh(unsigned));
        check_in(GRPC, signed, CloseCode::Grpc(signed));
        check_in(HTTP2, unsigned, CloseCode::Http2(unsigned));
        check_in(QUIC_APPLICATION, number, CloseCode::QuicApplication(number));
        check_in(HTTP3, number, CloseCode::Http3(number));
        if !(0x100..=0x1ff).contains(&number) {
            check_in(QUIC, number, CloseCode::Quic(number));
        }
    }
}

#[test]
fn a_quic_crypto_error_is_the_tls_alert_in_its_low_byte() {
    for alert in 0..=u8::MAX {
        let code = CloseCode::Quic(0x100 + u64::from(alert));
        match TLS.iter().find(|(listed, ..)| *listed == i128::from(alert)) {
            Some((_, name, meaning)) => check(code, Some(name), *meaning),
            None => check(code, Some("CRYPTO_ERROR"), Always(Unknown)),
        }
        let text = format!("quic:{}", 256 + u64::from(alert));
        assert_eq!(code.to_string(), text, "the number is kept as it came");
    }
    check(
        CloseCode::Quic(0x12a),
        Some("bad_certificate"),
        Always(Rejected),
    );
    check(
        CloseCode::Quic(0x1ff),
        Some("CRYPTO_ERROR"),
        Always(Unknown),
    );
    check(CloseCode::Quic(0x200), None, Always(Unknown));
}

#[test]
fn names_and_reasons_are_constants() {
    const NAME: Option<&str> = CloseCode::Http3(0x107).name();
    const REASON: DisconnectReason = CloseCode::Http3(0x107).reason(Initiator::Server);
    assert_eq!((NAME, REASON), (Some("H3_EXCESSIVE_LOAD"), Rejected));
}

#[test]
fn the_text_is_the_protocol_and_the_number() {
    let rows = [
        (CloseCode::Ssh(11), "ssh:11"),
        (CloseCode::Ssh(u32::MAX), "ssh:4294967295"),
        (CloseCode::WebSocket(1001), "websocket:1001"),
        (CloseCode::WebSocket(u16::MAX), "websocket:65535"),
        (CloseCode::Grpc(14), "grpc:14"),
        (CloseCode::Grpc(i32::MIN), "grpc:-2147483648"),
        (CloseCode::Http2(8), "http2:8"),
        (CloseCode::Http2(0), "http2:0"),
        (CloseCode::Tls(40), "tls:40"),
        (CloseCode::Quic(2), "quic:2"),
        (CloseCode::Quic(u64::MAX), "quic:18446744073709551615"),
        (CloseCode::QuicApplication(7), "quic_app:7"),
        (CloseCode::Http3(256), "http3:256"),
    ];
    for (code, text) in rows {
        assert_eq!(code.to_string(), text);
        assert_eq!(text.parse(), Ok(code));
    }
}

#[test]
fn no_other_text_is_a_code() {
    for text in [
        "",
        ":",
        "ssh",
        "ssh:",
        ":11",
        "11",
        "SSH:11",
        " ssh:11",
        "ssh:+11",
        "ssh:011",
        "ssh:-1",
        "ssh:--1",
        "ssh: 11",
        "ssh:11 ",
        "ssh:11:12",
        "ssh:0x0b",
        "ssh:1_1",
        "ssh:1.0",
        "ssh:4294967296",
        "websocket:65536",
        "websocket:-1000",
        "grpc:-0",
        "grpc:00",
        "grpc:+14",
        "grpc:2147483648",
        "grpc:-2147483649",
        "http2:\u{663}",
        "http2:-8",
        "tls:256",
        "tls:-1",
        "quic:18446744073709551616",
        "quic:-1",
        "quic_app:",
        "quicapp:7",
        "quic-app:7",
        "http3:0x100",
        "http:8",
        "smtp:421",
    ] {
        assert!(text.parse::<CloseCode>().is_err(), "accepted {text:?}");
    }
}

#[test]
fn a_record_from_a_code_keeps_layer_code_and_sender() {
    let rows = [
        (CloseCode::WebSocket(4321), [Unknown; 5]),
        (CloseCode::Quic(0x0), Deliberate.by_sender()),
        (CloseCode::Http3(0x100), GoingAway.by_sender()),
    ];
    for (code, reasons) in rows {
        for &connect_type in ConnectType::VARIANTS {
            for (sender, reason) in SENDERS.into_iter().zip(reasons) {
                let expected = Disconnect::new(connect_type, reason).with_code(code);
                let expected = match sender {
                    Initiator::Unknown => expected,
                    sender => expected.with_initiator(sender),
                };
                let end = Disconnect::from_close_code(connect_type, code, sender);
                assert_eq!(end, expected, "an unknown sender is left out");
            }
        }
    }
}
