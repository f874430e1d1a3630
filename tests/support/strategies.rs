//! Strategies for what the crate's users may pass it.

use std::time::Duration;

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Numbers in which the listed ones are frequent.
pub(crate) fn any_code() -> impl Strategy<Value = CloseCode> {
    let wide = || prop_oneof![0_u64..0x300, any::<u64>()];
    prop_oneof![
        any::<u32>().prop_map(CloseCode::Ssh),
        any::<u16>().prop_map(CloseCode::WebSocket),
        any::<i32>().prop_map(CloseCode::Grpc),
        any::<u32>().prop_map(CloseCode::Http2),
        any::<u8>().prop_map(CloseCode::Tls),
        wide().prop_map(CloseCode::Quic),
        wide().prop_map(CloseCode::QuicApplication),
        wide().prop_map(CloseCode::Http3),
        any::<u8>().prop_map(CloseCode::Mqtt),
    ]
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

/// Mostly there, so that records with every field are frequent.
fn present<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    option::weighted(0.9, strategy)
}

/// The record with one more value, if there is one.
fn with<T>(end: Disconnect, value: Option<T>, set: fn(Disconnect, T) -> Disconnect) -> Disconnect {
    match value {
        Some(value) => set(end, value),
        None => end,
    }
}

/// A record with any of the fields that have a setter.
pub(crate) fn any_end() -> impl Strategy<Value = Disconnect> {
    let words = (
        select(ConnectType::VARIANTS),
        select(DisconnectReason::VARIANTS),
        present(select(Initiator::VARIANTS)),
        present(select(Trigger::VARIANTS)),
        present(select(&Initiator::VARIANTS[..3])),
        present(select(ConnectionMethod::VARIANTS)),
    );
    let values = (
        any_text(),
        present(any_code()),
        present(any::<i32>()),
        present(any::<u64>().prop_map(Duration::from_millis)),
        present(any::<u64>().prop_map(Duration::from_millis)),
        present(any::<(u64, u64)>()),
        any::<i64>(),
    );
    (words, values).prop_map(|((layer, reason, who, trigger, peer, method), values)| {
        let (detail, code, exit_code, duration, silence, bytes, jump) = values;
        let end = Disconnect::new(layer, reason).with_detail(detail).with_clock_jump(jump);
        let end = with(end, who, Disconnect::with_initiator);
        let end = with(end, trigger, Disconnect::with_trigger);
        let end = with(end, peer, Disconnect::with_peer);
        let end = with(end, method, Disconnect::with_connection_method);
        let end = with(end, code, Disconnect::with_code);
        let end = with(end, exit_code, Disconnect::with_exit_code);
        let end = with(end, duration, Disconnect::with_connection_duration);
        let end = with(end, silence, Disconnect::with_peer_silence);
        with(end, bytes, |end, (received, sent)| end.with_bytes(received, sent))
    })
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
