//! JSON, CBOR, MessagePack: a record, and the same again.

use disconnect_attribution::Disconnect;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::Format;
use crate::support::strategies::{any_end, any_json};
use crate::support::{full, random};

const FORMATS: [Format; 3] = [Format::Json, Format::Cbor, Format::MessagePack];

/// What is read writes and reads alike, in each format; what is refused is refused in few words.
fn again(read: &Result<Disconnect, String>) -> Result<(), TestCaseError> {
    match read {
        Ok(end) => {
            for format in FORMATS {
                let bytes = format.write(end);
                let same = format.read(&bytes);
                prop_assert_eq!(same.as_ref(), Ok(end), "{:?}", format);
                // To the byte: what compares equal is also written alike.
                prop_assert_eq!(same.map(|same| format.write(&same)), Ok(bytes));
            }
        }
        Err(error) => prop_assert!(error.len() < 1000, "{error}"),
    }
    Ok(())
}

/// Every key of the schema, and two that lines have.
fn keys() -> Vec<String> {
    let full = serde_json::to_value(full()).expect("written");
    let keys = full.as_object().expect("a map").keys().cloned();
    keys.chain(["fields", "msg"].map(String::from)).collect()
}

/// A record as a map in which up to three values are others.
fn changed() -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec((select(keys()), any_json()), 0..4);
    (any_end(), changes).prop_map(|(end, changes)| {
        let mut line = serde_json::to_value(&end).expect("written");
        for (key, value) in changes {
            line[key] = value;
        }
        line
    })
}

#[test]
fn what_is_written_reads_back_also_under_fields_and_beside_other_keys() {
    let other = ("[x-z]{0,9}|Connect_type|fields", any_json());
    random::run(1_000, 10, &(any_end(), other), |(end, (key, value))| {
        let mut line = serde_json::to_value(&end).expect("written");
        again(&Ok(end.clone()))?;
        // The origin has no setter.
        let has_all = line.as_object().expect("a map").len() == keys().len() - 3;
        let nested = json!({"level": "INFO", "fields": line}).to_string();
        prop_assert_eq!(serde_json::from_str::<Disconnect>(&nested).expect("accepted"), end.clone());
        line[key] = value;
        prop_assert_eq!(serde_json::from_value::<Disconnect>(line).expect("accepted"), end);
        Ok(has_all)
    });
}

#[test]
fn a_changed_line_reads_alike_in_every_format_and_the_same_again_or_is_refused_by_all() {
    random::run(1_000, 10, &changed(), |line| {
        let [json, cbor, packed] = FORMATS.map(|format| format.read(&format.write(&line)));
        for other in [&cbor, &packed] {
            prop_assert_eq!(json.as_ref().ok(), other.as_ref().ok(), "{:?} {:?}", &json, other);
            again(other)?;
        }
        again(&json)?;
        Ok(json.is_ok())
    });
}

/// Bytes of a format in which some are others now, or the last are missing.
#[test]
fn damaged_bytes_are_refused_or_read_and_the_same_again() {
    let damage = (
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        prop::option::weighted(0.2, any::<prop::sample::Index>()),
    );
    let case = (changed(), select(&FORMATS[..]), damage);
    random::run(1_000, 100, &case, |(line, format, (others, cut))| {
        let mut bytes = format.write(&line);
        for (at, byte) in others {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let read = format.read(&bytes);
        again(&read)?;
        Ok(read.is_ok())
    });
}
