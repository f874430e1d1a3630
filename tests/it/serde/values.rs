//! One value of a record: what is read, and what it reads as.

use std::fmt::Debug;

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator, Trigger,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::lines::values;
use super::{line_with, read, refused, rejected};
use crate::support::end;

#[test]
fn a_word_from_a_newer_writer_reads_as_unknown_or_not_at_all() {
    let rows = [
        ("disconnect_initiator", "relay", rejected().with_initiator(Initiator::Unknown)),
        ("disconnect_initiator", "Client", rejected().with_initiator(Initiator::Unknown)),
        ("connection_method", "quic", rejected().with_connection_method(ConnectionMethod::Unknown)),
        ("disconnect_trigger", "solar_flare", rejected()),
        ("disconnect_trigger", "max_age", rejected().with_trigger(Trigger::MaxAge)),
        ("disconnect_origin", "client_to_client", rejected()),
        ("disconnect_code", "smtp:421", rejected().with_detail("smtp:421")),
        ("disconnect_code", "ssh:12", rejected().with_code(CloseCode::Ssh(12))),
        ("disconnect_reason", "eaten", end(DisconnectReason::Unknown).with_detail("eaten")),
        ("disconnect_reason", "two\nlines\n", end(DisconnectReason::Unknown).with_detail(r"two\nlines")),
    ];
    for (key, word, expected) in rows {
        assert_eq!(read(&line_with(key, &json!(word))), expected, "{key}: {word}");
    }
}

#[test]
fn the_first_unknown_text_becomes_the_detail_unless_there_is_one() {
    let rows = [
        ("eaten", "smtp:421", json!("kept"), "kept"),
        ("eaten", "ssh:11", json!("kept"), "kept"),
        ("rejected", "smtp:421", json!("kept"), "kept"),
        ("eaten", "smtp:421", json!(""), "eaten"),
        ("eaten", "smtp:421", json!(" \n"), "eaten"),
        ("eaten", "smtp:421", Value::Null, "eaten"),
        ("eaten", "ssh:11", Value::Null, "eaten"),
        ("", "smtp:421", Value::Null, "smtp:421"),
        ("rejected", "smtp:421", Value::Null, "smtp:421"),
    ];
    for (reason, code, detail, kept) in rows {
        let line = json!({"connect_type": "agent_to_client", "disconnect_code": code,
            "disconnect_detail": detail, "disconnect_reason": reason});
        assert_eq!(read(&line.to_string()).detail(), Some(kept), "{line}");
    }
    assert_eq!(read(&line_with("disconnect_reason", &json!(""))), end(DisconnectReason::Unknown));
}

/// The keys of texts, or of numbers, that may be absent.
fn keys(is_of_kind: fn(&Value) -> bool) -> impl Iterator<Item = &'static str> {
    let keys = values().into_iter().skip(2).filter(move |(_, value, ..)| is_of_kind(value));
    keys.map(|(key, ..)| key)
}

#[test]
fn blank_and_null_values_are_absent_and_the_flag_follows_from_the_reason() {
    for key in keys(Value::is_string) {
        for nothing in [json!(""), json!(" ")] {
            assert_eq!(read(&line_with(key, &nothing)), rejected(), "{key}");
        }
    }
    for key in keys(Value::is_string).chain(keys(Value::is_number)) {
        assert_eq!(read(&line_with(key, &Value::Null)), rejected(), "{key}");
    }
    assert_eq!(read(&line_with("clock_jump_ms", &json!(0))), rejected(), "0 is none");
    assert_eq!(read(&line_with("bytes_sent", &json!(0))).bytes_sent(), Some(0));
    for flag in [json!(true), json!("yes"), json!([1, {"a": null}]), Value::Null] {
        assert_eq!(read(&line_with("disconnect_expected", &flag)), rejected());
    }
}

#[test]
fn numbers_are_integers_of_their_own_size() {
    let same = |key, number: Value| (key, number.clone(), number);
    let rows = [
        same("exit_code", json!(-1)),
        same("exit_code", json!(i32::MIN)),
        // STATUS_CONTROL_C_EXIT as Go writes it, and as Rust's own `ExitStatus` gives it.
        ("exit_code", json!(0xC000_013A_u32), json!(-1_073_741_510)),
        ("exit_code", json!(u32::MAX), json!(-1)),
        same("connection_duration_ms", json!(u64::MAX)),
        same("peer_silence_ms", json!(0)),
        same("bytes_received", json!(u64::MAX)),
        same("bytes_sent", json!(1)),
        same("clock_jump_ms", json!(i64::MIN)),
        same("clock_jump_ms", json!(i64::MAX)),
    ];
    for (key, given, kept) in rows {
        let end = read(&line_with(key, &given));
        let written = serde_json::to_value(end).expect("written");
        assert_eq!(written[key], kept, "{key}: {given}");
    }
}

#[test]
fn any_other_value_under_a_key_of_numbers_is_refused() {
    let [exit_code, count, jump] = ["an exit code of 32 bits", "a count of 64 bits", "an integer of 64 bits"];
    let rows = [
        ("exit_code", json!(1_u64 << 32), "integer `4294967296`", exit_code),
        ("exit_code", json!(i64::MIN), "integer `-9223372036854775808`", exit_code),
        ("exit_code", json!(1.5), "floating point `1.5`", exit_code),
        ("exit_code", json!("7"), "string", exit_code),
        ("exit_code", json!(true), "boolean `true`", exit_code),
        ("exit_code", json!([7]), "sequence", exit_code),
        ("exit_code", json!({"code": 7}), "map", exit_code),
        ("connection_duration_ms", json!(-1), "integer `-1`", count),
        ("peer_silence_ms", json!({}), "map", count),
        ("bytes_received", json!("1"), "string", count),
        ("bytes_sent", json!(2.0), "floating point `2.0`", count),
        ("clock_jump_ms", json!(u64::MAX), "integer `18446744073709551615`", jump),
    ];
    for (key, value, found, expected) in rows {
        let error = refused(&line_with(key, &value));
        assert_eq!(error, format!("invalid type: {found}, expected {expected}"), "{key}");
    }
}

#[test]
fn any_other_value_under_a_key_of_texts_is_refused() {
    for key in keys(Value::is_string).chain(["disconnect_reason"]) {
        for (value, found) in [
            (json!(7), "integer `7`"),
            (json!(1.5), "floating point `1.5`"),
            (json!(false), "boolean `false`"),
            (json!(["rejected"]), "sequence"),
            (json!({"text": "rejected"}), "map"),
        ] {
            let error = refused(&line_with(key, &value));
            assert_eq!(error, format!("invalid type: {found}, expected a text"), "{key}");
        }
    }
}

#[test]
fn any_other_value_in_the_place_of_a_word_is_refused_by_name() {
    fn refused<T: DeserializeOwned + Debug>(value: &Value) -> String {
        serde_json::from_value::<T>(value.clone()).expect_err("refused").to_string()
    }

    for (value, found) in [(json!(7), "integer `7`"), (json!(null), "null"), (json!([]), "sequence")] {
        assert_eq!(refused::<CloseCode>(&value), format!("invalid type: {found}, expected a close code"));
        assert_eq!(refused::<ConnectType>(&value), format!("invalid type: {found}, expected a connect type"));
        assert_eq!(refused::<Trigger>(&value), format!("invalid type: {found}, expected a trigger"));
        assert_eq!(refused::<Initiator>(&value), format!("invalid type: {found}, expected a text"));
        assert_eq!(refused::<DisconnectReason>(&value), format!("invalid type: {found}, expected a text"));
    }
}
