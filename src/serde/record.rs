//! A whole record from a map of any size.

use std::fmt;
use std::mem;
use std::num::NonZeroI64;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};

use super::go;
use super::value::Value;
use crate::disconnect::Facts;
use crate::escaped::Escaped;
use crate::{ConnectType, Disconnect, DisconnectReason, Initiator, keys};

/// Reads a map of any size, such as a whole JSON log line, and takes what is in the [keys].
///
/// - `connect_type` and `disconnect_reason` must be there; every other field may be missing, `null`
///   or, where it is a text, `""`. Other keys are ignored.
/// - The record may also stand under `fields`, where tracing's JSON formatter and the Go agents' JSON
///   sink put it. A whole record at the top wins; the two are never mixed.
/// - A reason that this crate does not know reads as `unknown`, the free texts of Go agents as the
///   reason that they mean; either way the text becomes the detail unless there is one. An initiator or
///   a connection method that it does not know reads as `unknown`; a trigger is left out.
/// - A close code of a protocol that this crate does not know becomes the detail unless there is one.
/// - `disconnect_expected` is ignored: it follows from the reason.
/// - A key that occurs twice (slog writes a logger's own fields beside the line's) counts with its
///   last value, as it does for other readers of JSON.
/// - An exit code above `i32::MAX` is read as the same 32 bits: that is how Go writes Windows' statuses.
/// - Numbers are read with the feature `arbitrary_precision` of `serde_json` too, which one crate of a
///   program turns on for all.
///
/// # Errors
///
/// A missing or unknown connect type, a missing reason, a value of the wrong type.
impl<'de> Deserialize<'de> for Disconnect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Map(values) => values.record_or_nested(),
            other => Err(other.wrong("a map with the fields of a disconnect")),
        }
    }
}

/// The values under our keys, before they are judged.
#[derive(Default)]
pub(super) struct Values([Value; Key::COUNT]);

impl Values {
    /// Reads a map, and what stands for a number where `serde_json`'s feature `arbitrary_precision` is on: one
    /// crate of a program turns it on for all.
    pub(super) fn read<'de, A: MapAccess<'de>>(mut map: A) -> Result<Value, A::Error> {
        let mut values = Box::<Self>::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
                Key::ArbitraryNumber => {
                    return Ok(match map.next_value()? {
                        Value::Text(digits) => digits.parse().map_or_else(
                            |_| Value::Other(Unexpected::Other("number")),
                            Value::Integer,
                        ),
                        _ => Value::Other(Unexpected::Map),
                    });
                }
                key => values.0[key as usize] = map.next_value()?,
            }
        }
        Ok(Value::Map(values))
    }

    fn take(&mut self, key: Key) -> Value {
        mem::take(&mut self.0[key as usize])
    }

    fn has(&self, key: Key) -> bool {
        !matches!(self.0[key as usize], Value::Absent)
    }

    fn record_or_nested<E: Error>(mut self) -> Result<Disconnect, E> {
        let Value::Map(nested) = self.take(Key::Fields) else {
            return self.record();
        };
        let has_both = self.has(Key::ConnectType) && self.has(Key::Reason);
        if !has_both && (nested.has(Key::ConnectType) || nested.has(Key::Reason)) {
            return nested.record();
        }
        self.record()
            .or_else(|error| nested.record::<E>().map_err(|_| error))
    }

    fn record<E: Error>(mut self) -> Result<Disconnect, E> {
        let missing = E::missing_field;
        let connect_type = self.take(Key::ConnectType).text("a connect type")?;
        let connect_type = connect_type.ok_or_else(|| missing(ConnectType::KEY))?;
        let connect_type = connect_type.parse().map_err(E::custom)?;
        let text = self.take(Key::Reason).text("a text")?;
        let text = text.ok_or_else(|| missing(DisconnectReason::KEY))?;
        // A reason, or a text that stands in its place.
        let (reason, go_trigger, reason_text) = match text.parse() {
            Ok(reason) => (reason, None, None),
            Err(_) => {
                let (reason, trigger) = go::meaning(&text);
                (reason, trigger, Escaped::new(text.into()))
            }
        };
        let code = self.take(Key::Code).text("a text")?;
        let (code, code_text) = match code.as_deref().map(str::parse) {
            Some(Ok(code)) => (Some(code), None),
            Some(Err(_)) | None => (None, code.and_then(|text| Escaped::new(text.into()))),
        };
        let detail = self.take(Key::Detail).text("a text")?;
        let detail = detail.and_then(|text| Escaped::new(text.into()));
        Ok(Disconnect {
            connect_type,
            reason,
            initiator: self.word(Key::Initiator)?.map(Option::unwrap_or_default),
            trigger: self.word(Key::Trigger)?.flatten().or(go_trigger),
            peer: self
                .word(Key::Peer)?
                .flatten()
                .filter(|peer: &Initiator| peer.is_side()),
            origin: self.word(Key::Origin)?.flatten(),
            detail: detail.or(reason_text).or(code_text),
            code,
            facts: Facts {
                exit_code: self.exit_code()?,
                connection_method: self
                    .word(Key::ConnectionMethod)?
                    .map(Option::unwrap_or_default),
                connection_duration_ms: self.count(Key::ConnectionDurationMs)?,
                peer_silence_ms: self.count(Key::PeerSilenceMs)?,
                bytes_received: self.count(Key::BytesReceived)?,
                bytes_sent: self.count(Key::BytesSent)?,
                clock_jump_ms: self
                    .take(Key::ClockJumpMs)
                    .integer("an integer of 64 bits")?
                    .and_then(NonZeroI64::new),
            },
        })
    }

    /// A word of a vocabulary that may be larger than ours: `Some(None)` is one that we do not know.
    fn word<T: FromStr, E: Error>(&mut self, key: Key) -> Result<Option<Option<T>>, E> {
        let text = self.take(key).text("a text")?;
        let text = text.filter(|text| !text.trim().is_empty());
        Ok(text.map(|text| text.parse().ok()))
    }

    fn count<E: Error>(&mut self, key: Key) -> Result<Option<u64>, E> {
        self.take(key).integer("a count of 64 bits")
    }

    /// 32 bits, signed or not: Go writes the statuses of Windows without a sign.
    fn exit_code<E: Error>(&mut self) -> Result<Option<i32>, E> {
        let value = self.take(Key::ExitCode);
        let unsigned = match value {
            Value::Integer(code) => u32::try_from(code).ok(),
            _ => None,
        };
        match unsigned {
            Some(code) => Ok(Some(i32::from_ne_bytes(code.to_ne_bytes()))),
            None => value.integer("an exit code of 32 bits"),
        }
    }
}

#[derive(Clone, Copy)]
enum Key {
    ConnectType,
    Reason,
    Initiator,
    Trigger,
    Peer,
    Code,
    Detail,
    Origin,
    ExitCode,
    ConnectionMethod,
    ConnectionDurationMs,
    PeerSilenceMs,
    BytesReceived,
    BytesSent,
    ClockJumpMs,
    /// Where tracing and Go's slogjson put the record.
    Fields,
    ArbitraryNumber,
    Other,
}

impl Key {
    const COUNT: usize = Self::Fields as usize + 1;
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    keys::CONNECT_TYPE => Key::ConnectType,
                    keys::DISCONNECT_REASON => Key::Reason,
                    keys::DISCONNECT_INITIATOR => Key::Initiator,
                    keys::DISCONNECT_TRIGGER => Key::Trigger,
                    keys::DISCONNECT_PEER => Key::Peer,
                    keys::DISCONNECT_CODE => Key::Code,
                    keys::DISCONNECT_DETAIL => Key::Detail,
                    keys::DISCONNECT_ORIGIN => Key::Origin,
                    keys::EXIT_CODE => Key::ExitCode,
                    keys::CONNECTION_METHOD => Key::ConnectionMethod,
                    keys::CONNECTION_DURATION_MS => Key::ConnectionDurationMs,
                    keys::PEER_SILENCE_MS => Key::PeerSilenceMs,
                    keys::BYTES_RECEIVED => Key::BytesReceived,
                    keys::BYTES_SENT => Key::BytesSent,
                    keys::CLOCK_JUMP_MS => Key::ClockJumpMs,
                    "fields" => Key::Fields,
                    "$serde_json::private::Number" => Key::ArbitraryNumber,
                    _ => Key::Other,
                })
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}
