//! A whole record from a map of any size.

use std::borrow::Cow;
use std::mem;
use std::str::FromStr;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess};

use super::go;
use super::value::{TextVisitor, Value, ValueVisitor};
use crate::disconnect::Facts;
use crate::escaped::Escaped;
use crate::{Disconnect, DisconnectReason, Initiator, keys};

/// Reads a map of any size, such as a whole JSON log line, and takes what is in the [keys].
///
/// - `connect_type` and `disconnect_reason` must be there; every other field may be missing, `null`
///   or, if it is a text, `""`. Other keys are ignored.
/// - The record may also stand under `fields`, in which tracing's JSON formatter and the Go agents' JSON
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
        match (ValueVisitor { depth: 0 }).deserialize(deserializer)? {
            Value::Map(values) => values.record_or_nested(),
            other => Err(other.wrong("a map with the fields of a disconnect")),
        }
    }
}

/// The values under our keys, before they are judged.
#[derive(Default)]
pub(super) struct Values<'de>([Value<'de>; <Key as strum::EnumCount>::COUNT]);

impl<'de> Values<'de> {
    /// Reads a map, and what stands for a number if `serde_json`'s feature `arbitrary_precision` is on: one
    /// crate of a program turns it on for all.
    pub(super) fn read<A: MapAccess<'de>>(mut map: A, depth: usize) -> Result<Value<'de>, A::Error> {
        let next = |map: &mut A| map.next_value_seed(ValueVisitor { depth });
        let mut values = Box::<Self>::default();
        while let Some(AnyKey(key)) = map.next_key()? {
            match key {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(Key::ArbitraryNumber) => return Ok(next(&mut map)?.digits()),
                Some(key) => values.0[key as usize] = next(&mut map)?,
            }
        }
        Ok(Value::Map(values))
    }

    fn take(&mut self, key: Key) -> Value<'de> {
        mem::take(&mut self.0[key as usize])
    }

    fn has(&self, key: Key) -> bool {
        !matches!(self.0[key as usize], Value::Absent)
    }

    fn record_or_nested<E: Error>(mut self) -> Result<Disconnect, E> {
        let is_whole = self.has(Key::ConnectType) && self.has(Key::DisconnectReason);
        match self.take(Key::Fields) {
            Value::Map(nested)
                if !is_whole && (nested.has(Key::ConnectType) || nested.has(Key::DisconnectReason)) =>
            {
                nested.record()
            }
            _ => self.record(),
        }
    }

    fn record<E: Error>(mut self) -> Result<Disconnect, E> {
        let connect_type = self.take(Key::ConnectType).text("a connect type")?;
        let connect_type = connect_type.ok_or_else(|| E::missing_field(keys::CONNECT_TYPE))?;
        let reason = self.take(Key::DisconnectReason).text("a text")?;
        let reason = reason.ok_or_else(|| E::missing_field(keys::DISCONNECT_REASON))?;
        let code = self.take(Key::DisconnectCode).text("a text")?;
        let detail = self.take(Key::DisconnectDetail).text("a text")?;
        let facts = Facts {
            exit_code: self.exit_code()?,
            connection_method: self.word_or_default(Key::ConnectionMethod)?,
            connection_duration_ms: self.count(Key::ConnectionDurationMs)?,
            peer_silence_ms: self.count(Key::PeerSilenceMs)?,
            bytes_received: self.count(Key::BytesReceived)?,
            bytes_sent: self.count(Key::BytesSent)?,
            clock_jump_ms: self
                .take(Key::ClockJumpMs)
                .integer("an integer of 64 bits", |jump| jump.try_into().ok())?,
        };
        let word = reason.parse::<DisconnectReason>();
        let (meaning, go_trigger) = word.clone().map_or_else(|_| go::meaning(&reason), |word| (word, None));
        let known_code = code.as_deref().and_then(|code| code.parse().ok());
        // What stands in the place of a word that is not known becomes the detail.
        let reason_text = word.is_err().then_some(reason);
        let code_text = code.filter(|_| known_code.is_none());
        let detail = [detail, reason_text, code_text].into_iter().flatten();
        Ok(Disconnect {
            connect_type: connect_type.parse().map_err(E::custom)?,
            reason: meaning,
            initiator: self.word_or_default(Key::DisconnectInitiator)?,
            trigger: self.word(Key::DisconnectTrigger)?.or(go_trigger),
            peer: self.word(Key::DisconnectPeer)?.filter(|peer: &Initiator| peer.is_side()),
            code: known_code,
            origin: self.word(Key::DisconnectOrigin)?,
            detail: detail.map(Cow::into_owned).map(Cow::Owned).find_map(Escaped::new),
            facts: Facts { clock_jump_ms: facts.clock_jump_ms.filter(|jump| *jump != 0), ..facts },
        })
    }

    /// A word of a vocabulary; one that is not known is left out.
    fn word<T: FromStr, E: Error>(&mut self, key: Key) -> Result<Option<T>, E> {
        let text = self.take(key).text("a text")?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// The same, but one that is not known reads as the default.
    fn word_or_default<T: FromStr + Default, E: Error>(&mut self, key: Key) -> Result<Option<T>, E> {
        let text = self.take(key).text("a text")?;
        let text = text.filter(|text| !text.trim().is_empty());
        Ok(text.map(|text| text.parse().unwrap_or_default()))
    }

    fn count<E: Error>(&mut self, key: Key) -> Result<Option<u64>, E> {
        self.take(key).integer("a count of 64 bits", |count| count.try_into().ok())
    }

    /// 32 bits, signed or not: Go writes the statuses of Windows without a sign.
    fn exit_code<E: Error>(&mut self) -> Result<Option<i32>, E> {
        let unsigned = |code| Some(i32::from_ne_bytes(u32::try_from(code).ok()?.to_ne_bytes()));
        let signed = |code: i128| code.try_into().ok().or_else(|| unsigned(code));
        self.take(Key::ExitCode).integer("an exit code of 32 bits", signed)
    }
}

/// Each as its name in [`keys`](crate::keys).
#[derive(Clone, Copy, strum::EnumCount, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
enum Key {
    ConnectType,
    DisconnectReason,
    DisconnectInitiator,
    DisconnectTrigger,
    DisconnectPeer,
    DisconnectCode,
    DisconnectDetail,
    DisconnectOrigin,
    ExitCode,
    ConnectionMethod,
    ConnectionDurationMs,
    PeerSilenceMs,
    BytesReceived,
    BytesSent,
    ClockJumpMs,
    /// In which tracing and Go's slogjson put the record.
    Fields,
    #[strum(serialize = "$serde_json::private::Number")]
    ArbitraryNumber,
}

/// A key of ours, or any other.
struct AnyKey(Option<Key>);

impl<'de> Deserialize<'de> for AnyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| Ok(Self(text.parse().ok()));
        deserializer.deserialize_identifier(TextVisitor("a key", read))
    }
}
