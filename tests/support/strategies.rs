//! Strategies for what the crate's users may pass it.

use std::fmt::Debug;
use std::time::Duration;

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The code of each protocol from a number's bytes, the lowest first.
pub(crate) const PROTOCOLS: [fn([u8; 8]) -> CloseCode; 9] = [
    |[a, b, c, d, ..]| CloseCode::Ssh(u32::from_le_bytes([a, b, c, d])),
    |[a, b, ..]| CloseCode::WebSocket(u16::from_le_bytes([a, b])),
    |[a, b, c, d, ..]| CloseCode::Grpc(i32::from_le_bytes([a, b, c, d])),
    |[a, b, c, d, ..]| CloseCode::Http2(u32::from_le_bytes([a, b, c, d])),
    |[a, ..]| CloseCode::Tls(a),
    |number| CloseCode::Quic(u64::from_le_bytes(number)),
    |number| CloseCode::QuicApplication(u64::from_le_bytes(number)),
    |number| CloseCode::Http3(u64::from_le_bytes(number)),
    |[a, ..]| CloseCode::Mqtt(a),
];

/// Numbers in which the listed ones are frequent.
pub(crate) fn any_code() -> impl Strategy<Value = CloseCode> {
    let number = prop_oneof![0_u64..0x300, any::<u64>()];
    (select(&PROTOCOLS[..]), number).prop_map(|(protocol, number)| protocol(number.to_le_bytes()))
}

/// Text with many of the characters that are escaped, trimmed, counted or cut.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let short = [" ", "\n", "\u{3000}", "\u{301}", "\u{200d}", "\u{85}", "ü", "日", "🦀", "…", "\\u{1b}"];
    let long =
        ["\u{301}\u{20d0}\u{301}\u{301}\u{301}", "connection reset by peer", &"x".repeat(40).leak()[..]];
    let piece = prop_oneof![
        select([&short[..], &long].concat()).prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[ -~]{0,20}",
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// The same records, most of them with one more value.
fn with<T: Debug + 'static>(
    ends: impl Strategy<Value = Disconnect> + 'static,
    value: impl Strategy<Value = T> + 'static,
    set: fn(Disconnect, T) -> Disconnect,
) -> BoxedStrategy<Disconnect> {
    let set = move |(end, value): (Disconnect, Option<T>)| match value {
        Some(value) => set(end, value),
        None => end,
    };
    (ends, option::weighted(0.9, value)).prop_map(set).boxed()
}

/// A record with any of the fields that have a setter.
pub(crate) fn any_end() -> impl Strategy<Value = Disconnect> {
    let milliseconds = || any::<u64>().prop_map(Duration::from_millis);
    let ends = (select(ConnectType::VARIANTS), select(DisconnectReason::VARIANTS));
    let ends = ends.prop_map(|(layer, reason)| Disconnect::new(layer, reason));
    let ends = with(ends, select(Initiator::VARIANTS), Disconnect::with_initiator);
    let ends = with(ends, select(Trigger::VARIANTS), Disconnect::with_trigger);
    let ends = with(ends, select(&Initiator::VARIANTS[..3]), Disconnect::with_peer);
    let ends = with(ends, any_code(), Disconnect::with_code);
    let ends = with(ends, any_text(), Disconnect::with_detail);
    let ends = with(ends, any::<i32>(), Disconnect::with_exit_code);
    let ends = with(ends, select(ConnectionMethod::VARIANTS), Disconnect::with_connection_method);
    let ends = with(ends, milliseconds(), Disconnect::with_connection_duration);
    let ends = with(ends, milliseconds(), Disconnect::with_peer_silence);
    let ends = with(ends, any::<i64>(), Disconnect::with_clock_jump);
    with(ends, any::<(u64, u64)>(), |end, (received, sent)| end.with_bytes(received, sent))
}

/// Any JSON, of which much is what a record may hold.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let words = vec!["agent_to_client", "graceful", "client", "reset", "derp", "ssh:11", "", "EOF", "new"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_u8..9).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
        select(words).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-z]{1,3}|connect_type", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}
