//! Close codes: what every number of every protocol means from every sender, and how it is written.

use disconnect_attribution::DisconnectReason::{
    ClientClosed, Graceful, NetworkError, ProtocolError, Rejected, ServerShutdown, Unknown,
};
use disconnect_attribution::{CloseCode, ConnectType, Disconnect, DisconnectReason, Initiator};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::random;
use crate::support::strategies::any_code;

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Deliberate,
    GoingAway,
    Always(DisconnectReason),
}

use Meaning::{Always, Deliberate, GoingAway};

impl Meaning {
    /// The reason if a client, an agent, a server, the network or an unknown sender sent the code.
    fn by_sender(self) -> [DisconnectReason; 5] {
        match self {
            Deliberate => [ClientClosed, Graceful, Graceful, Graceful, Graceful],
            GoingAway => [ClientClosed, ServerShutdown, ServerShutdown, NetworkError, NetworkError],
            Always(reason) => [reason; 5],
        }
    }
}

const SENDERS: [Initiator; 5] =
    [Initiator::Client, Initiator::Agent, Initiator::Server, Initiator::Network, Initiator::Unknown];

/// The numbers of a protocol by what they mean; all others mean nothing. The rows of the source stand by number, and
/// `tests/close_code.rs` of the examples holds names against crates that speak the protocols.
type Meanings = &'static [(Meaning, &'static [u64])];

const SSH: Meanings = &[
    (Deliberate, &[11]),
    (Always(ClientClosed), &[13]),
    (Always(NetworkError), &[10]),
    (Always(ProtocolError), &[2, 3, 5, 6, 8]),
    (Always(Rejected), &[1, 7, 9, 12, 14, 15]),
    (Always(Unknown), &[4]),
];
const WEBSOCKET: Meanings = &[
    (Deliberate, &[1000, 1005]),
    (GoingAway, &[1001, 1012]),
    (Always(NetworkError), &[1006, 1014, 3008]),
    (Always(ProtocolError), &[1002, 1003, 1007, 1009, 1010, 1015]),
    (Always(Rejected), &[1008, 1013, 3000, 3003]),
    (Always(Unknown), &[1004, 1011]),
];
const GRPC: Meanings = &[
    (Deliberate, &[0]),
    (GoingAway, &[1, 14]),
    (Always(NetworkError), &[4]),
    (Always(ProtocolError), &[12, 13, 15]),
    (Always(Rejected), &[3, 5, 6, 7, 8, 9, 10, 11, 16]),
    (Always(Unknown), &[2]),
];
const HTTP2: Meanings = &[
    (GoingAway, &[0, 8]),
    (Always(NetworkError), &[4, 0xa]),
    (Always(ProtocolError), &[1, 3, 5, 6, 9, 0xc, 0xd]),
    (Always(Rejected), &[7, 0xb]),
    (Always(Unknown), &[2]),
];
const TLS: Meanings = &[
    (Deliberate, &[0]),
    (GoingAway, &[90]),
    (Always(ProtocolError), &[10, 20, 22, 40, 47, 50, 51, 70, 71, 86, 109, 110, 120]),
    (Always(Rejected), &[42, 43, 44, 45, 46, 48, 49, 112, 113, 115, 116]),
    (Always(Unknown), &[80]),
];
const QUIC: Meanings = &[
    (Deliberate, &[0]),
    (Always(NetworkError), &[0x10]),
    (Always(ProtocolError), &[3, 4, 5, 6, 7, 8, 9, 0xa, 0xd, 0xe, 0xf, 0x11]),
    (Always(Rejected), &[2, 0xb]),
    (Always(Unknown), &[1, 0xc]),
];
/// The numbers are the application's own; that 0 is deliberate is a custom, and has no name.
const QUIC_APPLICATION: Meanings = &[(Deliberate, &[0])];
const HTTP3: Meanings = &[
    (GoingAway, &[0x100, 0x10c]),
    (Always(NetworkError), &[0x10f]),
    (
        Always(ProtocolError),
        &[
            0x33, 0x101, 0x103, 0x104, 0x105, 0x106, 0x108, 0x109, 0x10a, 0x10d, 0x10e, 0x110, 0x200, 0x201,
            0x202,
        ],
    ),
    (Always(Rejected), &[0x107, 0x10b]),
    (Always(Unknown), &[0x102]),
];
const MQTT: Meanings = &[
    (Deliberate, &[0, 4, 0x8e]),
    (GoingAway, &[0x8b, 0x9c, 0x9d]),
    (Always(NetworkError), &[0x8d]),
    (Always(ProtocolError), &[0x81, 0x82, 0x84, 0x93, 0x94, 0x95, 0x99]),
    (
        Always(Rejected),
        &[
            0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x8f, 0x90, 0x96, 0x97, 0x98, 0x9a, 0x9b, 0x9e, 0x9f,
            0xa0, 0xa1, 0xa2,
        ],
    ),
    (Always(Unknown), &[0x80, 0x83]),
];

#[track_caller]
fn check(meanings: Meanings, number: impl TryInto<u64>, code: CloseCode) {
    // A negative number of gRPC has no row.
    let number = number.try_into().unwrap_or(u64::MAX);
    let row = meanings.iter().find(|(_, numbers)| numbers.contains(&number));
    let reasons = row.map_or(Always(Unknown), |(meaning, _)| *meaning).by_sender();
    assert_eq!(SENDERS.map(|sender| code.reason(sender)), reasons, "{code}");
    let has_name = row.is_some() && !matches!(code, CloseCode::QuicApplication(_));
    assert_eq!(code.name().is_some(), has_name, "{code}");
}

/// Small numbers, each bit and its neighbours, the ends, and a walk over the rest.
fn numbers() -> impl Iterator<Item = u64> {
    let bits = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    let walk = (0..4096_u64).map(|step| step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..=0xffff).chain(bits).chain(walk).chain([u64::MAX])
}

#[test]
fn each_number_means_what_its_protocol_makes_of_it_and_all_others_nothing() {
    for number in numbers() {
        let [a, b, c, d, ..] = number.to_le_bytes();
        let long = u32::from_le_bytes([a, b, c, d]);
        check(TLS, a, CloseCode::Tls(a));
        check(MQTT, a, CloseCode::Mqtt(a));
        check(WEBSOCKET, u16::from_le_bytes([a, b]), CloseCode::WebSocket(u16::from_le_bytes([a, b])));
        check(SSH, long, CloseCode::Ssh(long));
        check(GRPC, long.cast_signed(), CloseCode::Grpc(long.cast_signed()));
        check(HTTP2, long, CloseCode::Http2(long));
        check(QUIC_APPLICATION, number, CloseCode::QuicApplication(number));
        check(HTTP3, number, CloseCode::Http3(number));
        if !(0x100..=0x1ff).contains(&number) {
            check(QUIC, number, CloseCode::Quic(number));
        }
    }
}

#[test]
fn a_quic_crypto_error_is_the_tls_alert_in_its_low_byte() {
    for alert in 0..=u8::MAX {
        let (code, tls) = (CloseCode::Quic(0x100 + u64::from(alert)), CloseCode::Tls(alert));
        assert_eq!(code.name(), Some(tls.name().unwrap_or("CRYPTO_ERROR")));
        assert_eq!(SENDERS.map(|sender| code.reason(sender)), SENDERS.map(|sender| tls.reason(sender)));
        let text = format!("quic:{}", 256 + u64::from(alert));
        assert_eq!(code.to_string(), text, "the number is kept as it came");
    }
}

/// A code by its number.
type Code = fn(u64) -> CloseCode;

/// Those that no crate of the examples' tests names, from a number on.
const NAMES: [(Code, u64, &str); 10] = [
    (
        websocket,
        1000,
        "normal closure, going away, protocol error, unsupported data, reserved, no status received",
    ),
    (websocket, 1006, "abnormal closure, invalid payload, policy violation, message too big"),
    (
        websocket,
        1010,
        "mandatory extension missing, internal error, service restart, try again later, bad gateway",
    ),
    (
        CloseCode::Http3,
        0x100,
        "H3_NO_ERROR, H3_GENERAL_PROTOCOL_ERROR, H3_INTERNAL_ERROR, H3_STREAM_CREATION_ERROR, \
         H3_CLOSED_CRITICAL_STREAM, H3_FRAME_UNEXPECTED, H3_FRAME_ERROR, H3_EXCESSIVE_LOAD, H3_ID_ERROR, \
         H3_SETTINGS_ERROR, H3_MISSING_SETTINGS, H3_REQUEST_REJECTED, H3_REQUEST_CANCELLED, \
         H3_REQUEST_INCOMPLETE, H3_MESSAGE_ERROR, H3_CONNECT_ERROR, H3_VERSION_FALLBACK",
    ),
    (CloseCode::Http3, 0x33, "H3_DATAGRAM_ERROR"),
    (mqtt, 0, "Normal disconnection"),
    (mqtt, 4, "Disconnect with Will Message"),
    (
        mqtt,
        0x80,
        "Unspecified error, Malformed Packet, Protocol Error, Implementation specific error, Unsupported Protocol \
         Version, Client Identifier not valid, Bad User Name or Password, Not authorized, Server unavailable, \
         Server busy, Banned, Server shutting down, Bad authentication method, Keep Alive timeout, Session taken \
         over, Topic Filter invalid, Topic Name invalid",
    ),
    (
        mqtt,
        0x93,
        "Receive Maximum exceeded, Topic Alias invalid, Packet too large, Message rate too high, Quota exceeded, \
         Administrative action, Payload format invalid, Retain not supported, QoS not supported, Use another \
         server, Server moved, Shared Subscriptions not supported, Connection rate exceeded, Maximum connect time, \
         Subscription Identifiers not supported, Wildcard Subscriptions not supported",
    ),
    (
        CloseCode::Http3,
        0x200,
        "QPACK_DECOMPRESSION_FAILED, QPACK_ENCODER_STREAM_ERROR, QPACK_DECODER_STREAM_ERROR",
    ),
];

fn mqtt(number: u64) -> CloseCode {
    CloseCode::Mqtt(number.try_into().expect("8 bits"))
}

fn websocket(number: u64) -> CloseCode {
    CloseCode::WebSocket(number.try_into().expect("16 bits"))
}

#[test]
fn names_are_those_of_the_standards() {
    let others =
        [(3000, "unauthorized"), (3003, "forbidden"), (3008, "timeout"), (1015, "TLS handshake failure")];
    let others = others.map(|(number, name)| (websocket as Code, number, name));
    for (code, first, names) in NAMES.into_iter().chain(others) {
        for (number, name) in (first..).zip(names.split(", ")) {
            assert_eq!(code(number).name(), Some(name), "{number}");
        }
    }
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
        (CloseCode::Mqtt(141), "mqtt:141"),
    ];
    for (code, text) in rows {
        assert_eq!(code.to_string(), text);
        assert_eq!(text.parse(), Ok(code));
    }
}

#[test]
fn no_other_text_is_a_code() {
    let words = ": ssh ssh: :11 11 SSH:11 ssh:+11 ssh:011 ssh:-1 ssh:--1 ssh:11:12 ssh:0x0b ssh:1_1 ssh:1.0 \
                 ssh:4294967296 websocket:65536 websocket:-1000 grpc:-0 grpc:00 grpc:+14 grpc:2147483648 \
                 grpc:-2147483649 http2:\u{663} http2:-8 tls:256 tls:-1 quic:18446744073709551616 quic:-1 \
                 quic_app: quicapp:7 quic-app:7 http3:0x100 mqtt:256 http:8 smtp:421";
    for text in words.split(' ').chain(["", " ssh:11", "ssh: 11", "ssh:11 "]) {
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

#[test]
fn a_close_code_is_what_it_prints_and_with_one_character_changed_itself_or_refused() {
    let change = (any::<prop::sample::Index>(), select(b"0123456789+-:_.qa \n".as_slice()));
    random::run(1_000, 10, &(any_code(), change), |(code, (at, c))| {
        let text = code.to_string();
        prop_assert_eq!(text.parse::<CloseCode>(), Ok(code));
        let mut text = text.into_bytes();
        let at = at.index(text.len());
        text[at] = c;
        let text = String::from_utf8(text).expect("ASCII");
        let changed = text.parse::<CloseCode>();
        if let Ok(code) = &changed {
            prop_assert_eq!(code.to_string(), text);
        }
        Ok(changed.is_ok())
    });
}
