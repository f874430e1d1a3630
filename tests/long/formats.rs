//! JSON, CBOR, MessagePack: a record, and the same again.

use disconnect_attribution::Disconnect;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Serialize;
use serde_json::Value;

use crate::long;
use crate::strategies::{any_end, any_json, keys};

#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Cbor,
    MessagePack,
}

impl Format {
    fn write(self, value: &(impl Serialize + ?Sized)) -> Vec<u8> {
        match self {
            Self::Json => serde_json::to_vec(value).expect("written"),
            Self::Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(value, &mut bytes).expect("written");
                bytes
            }
            Self::MessagePack => rmp_serde::to_vec(value).expect("written"),
        }
    }

    fn read(self, bytes: &[u8]) -> Result<Disconnect, String> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Self::Cbor => ciborium::from_reader(bytes).map_err(|error| error.to_string()),
            Self::MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
        }
    }
}

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

/// A record, and up to three values that change in it.
type Changed = (Disconnect, Vec<(&'static str, Value)>);

fn changed() -> impl Strategy<Value = Changed> {
    let change = (select(keys()), any_json());
    (any_end(), prop::collection::vec(change, 0..4))
}

/// The record as it is, and then as a map with the changes.
fn line((end, changes): Changed) -> Result<Value, TestCaseError> {
    let mut line = serde_json::to_value(&end).expect("written");
    again(&Ok(end))?;
    for (key, value) in changes {
        line[key] = value;
    }
    Ok(line)
}

#[test]
#[ignore = "long"]
fn a_changed_line_reads_alike_in_every_format_and_the_same_again() {
    long::run(&changed(), |changed| {
        let line = line(changed)?;
        let [json, cbor, packed] = FORMATS.map(|format| format.read(&format.write(&line)));
        prop_assert_eq!(json.is_ok(), cbor.is_ok(), "{:?} {:?}", &json, &cbor);
        prop_assert_eq!(json.is_ok(), packed.is_ok(), "{:?} {:?}", &json, &packed);
        for read in [&json, &cbor, &packed] {
            again(read)?;
        }
        if json.is_ok() {
            prop_assert_eq!(&json, &cbor);
            prop_assert_eq!(&json, &packed);
        }
        Ok(json.is_ok())
    });
}

/// Bytes of a format in which some are others now, or the last are missing.
#[test]
#[ignore = "long"]
fn damaged_bytes_are_refused_or_read_and_the_same_again() {
    let damage = (
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        prop::option::weighted(0.2, any::<prop::sample::Index>()),
    );
    let case = (changed(), select(&FORMATS[..]), damage);
    long::run(&case, |(changed, format, (others, cut))| {
        let mut bytes = format.write(&line(changed)?);
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
