//! Close codes: every listed code, every sender, and everything that no standard lists.

use disconnect_attribution::DisconnectReason::{
    ClientClosed, Graceful, NetworkError, ProtocolError, Rejected, ServerShutdown, Unknown,
};
use disconnect_attribution::{CloseCode, ConnectType, Disconnect, DisconnectReason, Initiator};

/// What a row of a table says.
#[derive(Debug, Clone, Copy)]
enum Row {
    Deliberate,
    GoingAway,
    Always(DisconnectReason),
}

use Row::{Always, Deliberate, GoingAway};

impl Row {
    fn reason(self, sender: Initiator) -> DisconnectReason {
        match (self, sender) {
            (Deliberate | GoingAway, Initiator::Client) => ClientClosed,
            (Deliberate, _) => Graceful,
            (GoingAway, Initiator::Agent | Initiator::Server) => ServerShutdown,
            (GoingAway, Initiator::Network | Initiator::Unknown) => NetworkError,
            (Always(reason), _) => reason,
        }
    }
}

#[track_caller]
fn check(code: CloseCode, row: Row) {
    for &sender in Initiator::VARIANTS {
        assert_eq!(
            code.reason(sender),
            row.reason(sender),
            "{code} from {sender}"
        );
    }
}

const SSH: &[(u32, Row)] = &[
    (1, Always(Rejected)),
    (2, Always(ProtocolError)),
    (3, Always(ProtocolError)),
    (4, Always(Unknown)),
    (5, Always(ProtocolError)),
    (6, Always(ProtocolError)),
    (7, Always(Rejected)),
    (8, Always(ProtocolError)),
    (9, Always(Rejected)),
    (10, Always(NetworkError)),
    (11, Deliberate),
    (12, Always(Rejected)),
    (13, Always(ClientClosed)),
    (14, Always(Rejected)),
    (15, Always(Rejected)),
];

const WEBSOCKET: &[(u16, Row)] = &[
    (1000, Deliberate),
    (1001, GoingAway),
    (1002, Always(ProtocolError)),
    (1003, Always(ProtocolError)),
    (1004, Always(Unknown)),
    (1005, Deliberate),
    (1006, Always(NetworkError)),
    (1007, Always(ProtocolError)),
    (1008, Always(Rejected)),
    (1009, Always(ProtocolError)),
    (1010, Always(ProtocolError)),
    (1011, Always(Unknown)),
    (1012, GoingAway),
    (1013, Always(Rejected)),
    (1014, Always(NetworkError)),
    (1015, Always(ProtocolError)),
    (3000, Always(Rejected)),
    (3003, Always(Rejected)),
    (3008, Always(NetworkError)),
];

const GRPC: &[(i32, Row)] = &[
    (0, Deliberate),
    (1, GoingAway),
    (2, Always(Unknown)),
    (3, Always(Rejected)),
    (4, Always(NetworkError)),
    (5, Always(Rejected)),
    (6, Always(Rejected)),
    (7, Always(Rejected)),
    (8, Always(Rejected)),
    (9, Always(Rejected)),
    (10, Always(Rejected)),
    (11, Always(Rejected)),
    (12, Always(ProtocolError)),
    (13, Always(ProtocolError)),
    (14, GoingAway),
    (15, Always(ProtocolError)),
    (16, Always(Rejected)),
];

const HTTP2: &[(u32, Row)] = &[
    (0x0, GoingAway),
    (0x1, Always(ProtocolError)),
    (0x2, Always(Unknown)),
    (0x3, Always(ProtocolError)),
    (0x4, Always(NetworkError)),
    (0x5, Always(ProtocolError)),
    (0x6, Always(ProtocolError)),
    (0x7, Always(Rejected)),
    (0x8, GoingAway),
    (0x9, Always(ProtocolError)),
    (0xa, Always(NetworkError)),
    (0xb, Always(Rejected)),
    (0xc, Always(ProtocolError)),
    (0xd, Always(ProtocolError)),
];

/// The row of a code; an unlisted one is unknown whoever sent it.
fn row<T: PartialEq>(table: &[(T, Row)], code: &T) -> Row {
    table
        .iter()
        .find(|(listed, _)| listed == code)
        .map_or(Always(Unknown), |(_, row)| *row)
}

#[test]
fn every_websocket_code() {
    for code in 0..=u16::MAX {
        check(CloseCode::WebSocket(code), row(WEBSOCKET, &code));
    }
}

/// Small numbers, each bit and its neighbours, the ends, and a walk over the rest.
fn numbers() -> impl Iterator<Item = u32> {
    let bits = (0..32).flat_map(|bit| [(1_u32 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    let walk = (0..u32::MAX).step_by(65_537);
    (0..4096).chain(bits).chain(walk).chain([u32::MAX])
}

#[test]
fn every_listed_code_and_a_walk_over_the_others() {
    for number in numbers() {
        check(CloseCode::Ssh(number), row(SSH, &number));
        check(CloseCode::Http2(number), row(HTTP2, &number));
        let signed = i32::from_ne_bytes(number.to_ne_bytes());
        check(CloseCode::Grpc(signed), row(GRPC, &signed));
    }
}

#[test]
fn text_is_the_protocol_and_the_number() {
    for (code, text) in [
        (CloseCode::Ssh(11), "ssh:11"),
        (CloseCode::WebSocket(1001), "websocket:1001"),
        (CloseCode::Grpc(14), "grpc:14"),
        (CloseCode::Grpc(i32::MIN), "grpc:-2147483648"),
        (CloseCode::Http2(8), "http2:8"),
        (CloseCode::Http2(u32::MAX), "http2:4294967295"),
    ] {
        assert_eq!(code.to_string(), text);
        assert_eq!(text.parse(), Ok(code));
    }
}

#[test]
fn nothing_else_parses() {
    for text in [
        "",
        "ssh",
        "ssh:",
        ":11",
        "11",
        "SSH:11",
        "ssh:+11",
        "ssh:011",
        "ssh:-1",
        "ssh: 11",
        "ssh:11 ",
        "ssh:11:12",
        "ssh:0x0b",
        "ssh:4294967296",
        "websocket:65536",
        "grpc:-0",
        "grpc:2147483648",
        "http2:٣",
        "quic:7",
    ] {
        let error = text.parse::<CloseCode>().expect_err(text);
        assert_eq!(
            error.to_string(),
            format!(
                "invalid disconnect_code \"{text}\": \
                 expected one of ssh:<u32>, websocket:<u16>, grpc:<i32>, http2:<u32>"
            ),
        );
    }
}

#[test]
fn a_record_from_a_code_keeps_all_three() {
    for &connect_type in ConnectType::VARIANTS {
        for &sender in Initiator::VARIANTS {
            let code = CloseCode::WebSocket(4321);
            let end = Disconnect::from_close_code(connect_type, code, sender);
            assert_eq!(end.connect_type(), connect_type);
            assert_eq!(end.reason(), Unknown);
            assert_eq!(end.code(), Some(code));
            let known = (sender != Initiator::Unknown).then_some(sender);
            assert_eq!(end.initiator(), known, "an unknown sender is left out");
        }
    }
}
