//! Self-describing formats other than JSON.

use disconnect_attribution::{Disconnect, DisconnectReason};
use serde::Serialize;
use serde_json::json;

use super::Format::{Cbor, Json, MessagePack, Toml, Yaml};
use crate::support::{bare, end, full};

/// A value in each format, and what it reads back as.
fn through_all(value: &impl Serialize) -> [(String, Result<Disconnect, String>); 5] {
    [Json, Cbor, MessagePack, Toml, Yaml].map(|it| (format!("{it:?}"), it.read(&it.write(value))))
}

#[test]
fn a_record_goes_through_every_format_also_under_fields() {
    // TOML has no integers beyond 63 bits.
    let full = full().with_bytes(i64::MAX.unsigned_abs(), 0);
    let text = end(DisconnectReason::Unknown).with_detail("yes: \"no\" [x] # {y} 日");
    let status = end(DisconnectReason::ProcessExited).with_exit_code(-1_073_741_510);
    for record in [full, bare(), text, status] {
        let nested = through_all(&json!({"msg": "closed", "fields": record}));
        for (format, read) in through_all(&record).into_iter().chain(nested) {
            assert_eq!(read.as_ref(), Ok(&record), "{format}");
        }
    }
}

/// Go writes STATUS_CONTROL_C_EXIT of Windows without a sign.
#[test]
fn an_exit_code_without_a_sign_goes_through_every_format() {
    let line = |code: u64| json!({"connect_type": "agent_to_client", "disconnect_reason": "process_exited", "exit_code": code});
    for (format, read) in through_all(&line(0xC000_013A)) {
        assert_eq!(read.expect(&format).exit_code(), Some(-1_073_741_510), "{format}");
    }
    for (format, read) in through_all(&line(1 << 32)) {
        let error = read.expect_err(&format);
        assert!(error.contains("expected an exit code of 32 bits"), "{format}: {error}");
    }
}

/// Both begin with the number of entries, which a reader believes.
#[test]
fn the_length_of_the_map_is_that_of_its_entries() {
    assert_eq!(MessagePack.write(&full())[..3], [0xde, 0, 16], "a map of MessagePack");
    for (record, entries) in [(bare(), 3), (bare().with_bytes(1, 2), 5)] {
        assert_eq!(MessagePack.write(&record)[0], 0x80 | entries, "a short map of MessagePack");
        assert_eq!(Cbor.write(&record)[0], 0xa0 | entries, "a short map of CBOR");
    }
}

#[test]
fn yaml_has_tags_and_cbor_has_bytes() {
    let read = |text: &str| {
        let text = format!("connect_type: agent_to_client\ndisconnect_reason: rejected\n{text}");
        serde_norway::from_str::<Disconnect>(&text).map_err(|error| error.to_string())
    };
    let rejected = end(DisconnectReason::Rejected);
    assert_eq!(read("fields: !go {a: 1}"), Ok(rejected.clone()));
    assert_eq!(read("error: !go text"), Ok(rejected.clone()));
    let error = read("exit_code: !go {a: 1}").expect_err("refused");
    assert!(error.contains("invalid type: enum, expected an exit code of 32 bits"), "{error}");
    assert_eq!(read("exit_code: ~"), Ok(rejected.clone()));

    let entry = |key: &str, value| (ciborium::Value::Text(key.to_owned()), value);
    let map = ciborium::Value::Map(vec![
        entry("connect_type", "agent_to_client".into()),
        entry("disconnect_reason", "rejected".into()),
        entry("fields", ciborium::Value::Bytes(vec![7])),
        entry("peer", ciborium::Value::Bytes(vec![7])),
    ]);
    let read = map.deserialized::<Disconnect>();
    assert_eq!(read.expect("accepted"), rejected);
}

/// Each level of them is read as one of ours, as deep as the format allows.
#[test]
fn fields_in_fields_do_not_fill_the_stack() {
    let mut packed = b"\x81\xa6fields".repeat(600);
    packed.push(0xc0);
    let read = rmp_serde::from_slice::<Disconnect>(&packed);
    assert_eq!(read.expect_err("no record").to_string(), "missing field `connect_type`");
}
