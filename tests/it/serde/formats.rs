//! Self-describing formats other than JSON.

use disconnect_attribution::{Disconnect, DisconnectReason};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::support::{bare, end, full};

/// A value in each format, and what it reads back as.
fn through_all<T: Serialize, U: DeserializeOwned>(value: &T) -> [(&'static str, Result<U, String>); 5] {
    let mut cbor = Vec::new();
    ciborium::into_writer(value, &mut cbor).expect("written");
    let packed = rmp_serde::to_vec(value).expect("written");
    let toml = toml::to_string(value).expect("written");
    let yaml = serde_norway::to_string(value).expect("written");
    let json = serde_json::to_string(value).expect("written");
    [
        ("CBOR", ciborium::from_reader(&*cbor).map_err(|error| error.to_string())),
        ("MessagePack", rmp_serde::from_slice(&packed).map_err(|error| error.to_string())),
        ("TOML", toml::from_str(&toml).map_err(|error| error.to_string())),
        ("YAML", serde_norway::from_str(&yaml).map_err(|error| error.to_string())),
        ("JSON", serde_json::from_str(&json).map_err(|error| error.to_string())),
    ]
}

#[test]
fn a_record_goes_through_every_format() {
    // TOML has no integers beyond 63 bits.
    let full = full().with_bytes(i64::MAX.unsigned_abs(), 0);
    let text = end(DisconnectReason::Unknown).with_detail("yes: \"no\" [x] # {y} 日");
    let status = end(DisconnectReason::ProcessExited).with_exit_code(-1_073_741_510);
    for record in [full, bare(), text, status] {
        for (format, read) in through_all::<_, Disconnect>(&record) {
            assert_eq!(read.as_ref(), Ok(&record), "{format}");
        }
    }
}

/// Go writes STATUS_CONTROL_C_EXIT of Windows without a sign.
#[test]
fn an_exit_code_without_a_sign_goes_through_every_format() {
    let line = |code: u64| json!({"connect_type": "agent_to_client", "disconnect_reason": "process_exited", "exit_code": code});
    for (format, read) in through_all::<_, Disconnect>(&line(0xC000_013A)) {
        assert_eq!(read.expect(format).exit_code(), Some(-1_073_741_510), "{format}");
    }
    for (format, read) in through_all::<_, Disconnect>(&line(1 << 32)) {
        let error = read.expect_err(format);
        assert!(error.contains("expected an exit code of 32 bits"), "{format}: {error}");
    }
}

#[test]
fn a_record_under_fields_is_found_in_every_format() {
    let full = full().with_bytes(0, 1);
    let line = json!({"msg": "closed", "fields": full});
    for (format, read) in through_all::<_, Disconnect>(&line) {
        assert_eq!(read.as_ref(), Ok(&full), "{format}");
    }
}

/// Both begin with the number of entries, which a reader believes.
#[test]
fn the_length_of_the_map_is_that_of_its_entries() {
    let packed = rmp_serde::to_vec(&full()).expect("written");
    assert_eq!(packed[..3], [0xde, 0, 16], "a map of MessagePack");
    for (record, entries) in [(bare(), 3), (bare().with_bytes(1, 2), 5)] {
        let packed = rmp_serde::to_vec(&record).expect("written");
        assert_eq!(packed[0], 0x80 | entries, "a short map of MessagePack");
        let mut cbor = Vec::new();
        ciborium::into_writer(&record, &mut cbor).expect("written");
        assert_eq!(cbor[0], 0xa0 | entries, "a short map of CBOR");
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
