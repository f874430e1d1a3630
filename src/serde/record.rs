//! A whole record from a map of any size.

use std::fmt;

use serde::de::{
    Deserialize, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    Visitor,
};

use super::read::{ExitCode, Reason, Slot, Word};
use crate::disconnect::{Facts, More, Number};
use crate::escaped::Escaped;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
    keys,
};

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
        // As anything: some formats show a text of any length where they expect a map.
        deserializer.deserialize_any(RecordVisitor)
    }
}

/// The values of a record, before they are judged.
struct Slots {
    connect_type: Slot<ConnectType>,
    reason: Slot<Reason>,
    initiator: Slot<Word<Initiator>>,
    trigger: Slot<Word<Trigger>>,
    code: Slot<Word<CloseCode>>,
    detail: Slot<Escaped>,
    origin: Slot<Word<ConnectType>>,
    exit_code: Slot<ExitCode>,
    connection_method: Slot<Word<ConnectionMethod>>,
    numbers: [(Number, Slot<u64>); 4],
    clock_jump_ms: Slot<i64>,
}

impl Slots {
    const EMPTY: Self = Self {
        connect_type: Slot::Absent,
        reason: Slot::Absent,
        initiator: Slot::Absent,
        trigger: Slot::Absent,
        code: Slot::Absent,
        detail: Slot::Absent,
        origin: Slot::Absent,
        exit_code: Slot::Absent,
        connection_method: Slot::Absent,
        numbers: [
            (Number::ConnectionDurationMs, Slot::Absent),
            (Number::PeerSilenceMs, Slot::Absent),
            (Number::BytesReceived, Slot::Absent),
            (Number::BytesSent, Slot::Absent),
        ],
        clock_jump_ms: Slot::Absent,
    };

    /// Reads one value where its key is one of ours.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: Key, map: &mut A) -> Result<(), A::Error> {
        match key {
            Key::ConnectType => self.connect_type = map.next_value()?,
            Key::Reason => self.reason = map.next_value()?,
            Key::Initiator => self.initiator = map.next_value()?,
            Key::Trigger => self.trigger = map.next_value()?,
            Key::Code => self.code = map.next_value()?,
            Key::Detail => self.detail = map.next_value()?,
            Key::Origin => self.origin = map.next_value()?,
            Key::ExitCode => self.exit_code = map.next_value()?,
            Key::ConnectionMethod => self.connection_method = map.next_value()?,
            Key::Number(number) => self.numbers[number as usize].1 = map.next_value()?,
            Key::ClockJumpMs => self.clock_jump_ms = map.next_value()?,
            Key::Fields | Key::Other => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn has_both(&self) -> bool {
        !self.connect_type.is_absent() && !self.reason.is_absent()
    }

    fn has_any(&self) -> bool {
        !self.connect_type.is_absent() || !self.reason.is_absent()
    }

    fn judge<E: Error>(self) -> Result<Disconnect, E> {
        let missing = E::missing_field;
        let connect_type = self.connect_type.judge()?;
        let connect_type = connect_type.ok_or_else(|| missing(ConnectType::KEY))?;
        let reason = self.reason.judge()?;
        let reason = reason.ok_or_else(|| missing(DisconnectReason::KEY))?;
        let (code, code_text) = match self.code.judge()? {
            Some(Word::Known(code)) => (Some(code), None),
            Some(Word::Unknown(text)) => (None, Some(text)),
            None => (None, None),
        };
        let method = self.connection_method.judge()?;

        let mut facts = Facts::NONE;
        facts.exit_code = self.exit_code.judge()?.map(|ExitCode(code)| code);
        facts.connection_method = method.map(Word::known_or_default);
        facts.clock_jump_ms = self.clock_jump_ms.judge()?.unwrap_or_default();
        for (number, value) in self.numbers {
            if let Some(value) = value.judge()? {
                facts.set(number, value);
            }
        }
        Ok(Disconnect {
            connect_type,
            reason: reason.word,
            initiator: self.initiator.judge()?.map(Word::known_or_default),
            trigger: self
                .trigger
                .judge()?
                .and_then(Word::known)
                .or(reason.trigger),
            origin: self.origin.judge()?.and_then(Word::known),
            detail: self.detail.judge()?.or(reason.text).or(code_text),
            more: More::new(code, facts),
        })
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Disconnect;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with the fields of a disconnect")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Disconnect, A::Error> {
        let mut flat = Slots::EMPTY;
        let mut nested = None;
        while let Some(key) = map.next_key()? {
            match key {
                Key::Fields => Nested(nested) = map.next_value()?,
                key => flat.read(key, &mut map)?,
            }
        }
        match nested {
            Some(nested) if !flat.has_both() && nested.has_any() => nested.judge(),
            Some(nested) => flat
                .judge()
                .or_else(|error| nested.judge::<A::Error>().map_err(|_| error)),
            None => flat.judge(),
        }
    }

    /// A text may be of any length, and an error is not.
    fn visit_str<E: Error>(self, _text: &str) -> Result<Disconnect, E> {
        Err(E::invalid_type(Unexpected::Other("string"), &self))
    }
}

/// What stands under `fields`: a record, or anything.
struct Nested(Option<Box<Slots>>);

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NestedVisitor)
    }
}

struct NestedVisitor;

/// Reads anything but a map as absent.
macro_rules! nothing {
    ($($visit:ident($($type:ty)?))*) => {$(
        fn $visit<E: Error>(self $(, _: $type)?) -> Result<Nested, E> {
            Ok(Nested(None))
        }
    )*};
}

impl<'de> Visitor<'de> for NestedVisitor {
    type Value = Nested;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    nothing!(visit_unit() visit_none() visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_i128(i128)
        visit_u128(u128) visit_f64(f64) visit_str(&str) visit_bytes(&[u8]));

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Nested, D::Error> {
        Nested::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Nested, D::Error> {
        Nested::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Nested, A::Error> {
        IgnoredAny.visit_seq(items)?;
        Ok(Nested(None))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Nested, A::Error> {
        IgnoredAny.visit_enum(data)?;
        Ok(Nested(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nested, A::Error> {
        let mut slots = Box::new(Slots::EMPTY);
        while let Some(key) = map.next_key()? {
            slots.read(key, &mut map)?;
        }
        Ok(Nested(Some(slots)))
    }
}

#[derive(Clone, Copy)]
enum Key {
    ConnectType,
    Reason,
    Initiator,
    Trigger,
    Code,
    Detail,
    Origin,
    ExitCode,
    ConnectionMethod,
    Number(Number),
    ClockJumpMs,
    Fields,
    Other,
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
                    keys::DISCONNECT_CODE => Key::Code,
                    keys::DISCONNECT_DETAIL => Key::Detail,
                    keys::DISCONNECT_ORIGIN => Key::Origin,
                    keys::EXIT_CODE => Key::ExitCode,
                    keys::CONNECTION_METHOD => Key::ConnectionMethod,
                    keys::CONNECTION_DURATION_MS => Key::Number(Number::ConnectionDurationMs),
                    keys::PEER_SILENCE_MS => Key::Number(Number::PeerSilenceMs),
                    keys::BYTES_RECEIVED => Key::Number(Number::BytesReceived),
                    keys::BYTES_SENT => Key::Number(Number::BytesSent),
                    keys::CLOCK_JUMP_MS => Key::ClockJumpMs,
                    "fields" => Key::Fields,
                    _ => Key::Other,
                })
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}
