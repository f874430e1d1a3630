//! serde: the record as a flat map, each enum as its text.
//!
//! Reading is lenient where a newer writer may know more than this crate, and strict where a value
//! makes no sense at all.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::detail::Detail;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, ParseError,
    keys,
};

/// Writes the fields that are there, under their [keys], from the layer to the detail.
impl Serialize for Disconnect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let optional = [
            self.initiator().is_some(),
            self.detail().is_some(),
            self.code().is_some(),
            self.exit_code().is_some(),
            self.connection_method().is_some(),
        ];
        let present = optional.into_iter().filter(|present| *present).count();
        let mut map = serializer.serialize_map(Some(3 + present))?;
        map.serialize_entry(ConnectType::KEY, &self.connect_type())?;
        map.serialize_entry(DisconnectReason::KEY, &self.reason())?;
        map.serialize_entry(keys::DISCONNECT_EXPECTED, &self.expected())?;
        if let Some(initiator) = self.initiator() {
            map.serialize_entry(Initiator::KEY, &initiator)?;
        }
        if let Some(detail) = self.detail() {
            map.serialize_entry(keys::DISCONNECT_DETAIL, detail)?;
        }
        if let Some(code) = self.code() {
            map.serialize_entry(CloseCode::KEY, &code)?;
        }
        if let Some(exit_code) = self.exit_code() {
            map.serialize_entry(keys::EXIT_CODE, &exit_code)?;
        }
        if let Some(method) = self.connection_method() {
            map.serialize_entry(ConnectionMethod::KEY, &method)?;
        }
        map.end()
    }
}

/// Reads a map of any size, such as a whole JSON log line, and takes what is in the [keys].
///
/// - `connect_type` and `disconnect_reason` must be there; every other field may be missing, `null`
///   or, where it is a text, `""`. Other keys are ignored.
/// - A reason that this crate does not know reads as `unknown`, and its text becomes the detail
///   unless there is one; a connection method or an initiator that it does not know reads as `unknown`.
/// - A close code of a protocol that this crate does not know becomes the detail unless there is one.
/// - `disconnect_expected` is ignored: it follows from the reason.
/// - A key that occurs twice (slog writes a logger's own fields beside the line's) counts with its
///   last value, as it does for other readers of JSON.
/// - An exit code above `i32::MAX` is read as the same 32 bits: Go writes Windows' statuses so.
///
/// # Errors
///
/// A missing or unknown connect type, a value of the wrong type.
impl<'de> Deserialize<'de> for Disconnect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Disconnect;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with the fields of a disconnect")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Disconnect, A::Error> {
        let mut connect_type = None;
        let mut reason: Option<Word<DisconnectReason>> = None;
        let mut initiator: Option<Word<Initiator>> = None;
        let mut method: Option<Word<ConnectionMethod>> = None;
        let mut detail: Option<Detail> = None;
        let mut code: Option<Word<CloseCode>> = None;
        let mut exit_code: Option<ExitCode> = None;

        while let Some(key) = map.next_key()? {
            match key {
                Field::ConnectType => connect_type = Some(map.next_value()?),
                Field::Reason => reason = Some(map.next_value()?),
                Field::Initiator => initiator = map.next_value()?,
                Field::Method => method = map.next_value()?,
                Field::Detail => detail = map.next_value()?,
                Field::Code => code = map.next_value()?,
                Field::ExitCode => exit_code = map.next_value()?,
                Field::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }

        let connect_type = connect_type.ok_or_else(|| A::Error::missing_field(ConnectType::KEY))?;
        let (reason, reason_text) =
            match reason.ok_or_else(|| A::Error::missing_field(DisconnectReason::KEY))? {
                Word::Known(reason) => (reason, None),
                Word::Unknown(text) => (DisconnectReason::Unknown, Some(text)),
            };
        let mut end = Disconnect::new(connect_type, reason);
        if let Some(initiator) = initiator.and_then(Word::or_unknown) {
            end = end.with_initiator(initiator);
        }
        if let Some(method) = method.and_then(Word::or_unknown) {
            end = end.with_connection_method(method);
        }
        if let Some(ExitCode(exit_code)) = exit_code {
            end = end.with_exit_code(exit_code);
        }
        let code_text = match code {
            Some(Word::Known(code)) => {
                end = end.with_code(code);
                None
            }
            Some(Word::Unknown(text)) => Some(text),
            None => None,
        };
        Ok(end.with_first_detail([detail, reason_text, code_text]))
    }
}

enum Field {
    ConnectType,
    Reason,
    Initiator,
    Method,
    Detail,
    Code,
    ExitCode,
    Other,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;

        impl Visitor<'_> for FieldVisitor {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Field, E> {
                Ok(match key {
                    keys::CONNECT_TYPE => Field::ConnectType,
                    keys::DISCONNECT_REASON => Field::Reason,
                    keys::DISCONNECT_INITIATOR => Field::Initiator,
                    keys::CONNECTION_METHOD => Field::Method,
                    keys::DISCONNECT_DETAIL => Field::Detail,
                    keys::DISCONNECT_CODE => Field::Code,
                    keys::EXIT_CODE => Field::ExitCode,
                    _ => Field::Other,
                })
            }
        }

        deserializer.deserialize_identifier(FieldVisitor)
    }
}

/// A word of a vocabulary that may be larger than ours.
enum Word<T> {
    Known(T),
    Unknown(Detail),
}

impl<T: Default> Word<T> {
    /// The word, the default (`unknown`) for one that nobody here knows, nothing for a blank one.
    fn or_unknown(self) -> Option<T> {
        match self {
            Self::Known(word) => Some(word),
            Self::Unknown(text) => text.unless_blank().map(|_| T::default()),
        }
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor("a text", |text: &str| {
            Ok(T::from_str(text).map_or_else(|_| Self::Unknown(Detail::copy(text)), Self::Known))
        }))
    }
}

impl<'de> Deserialize<'de> for Detail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor("a text", |text: &str| Ok(Detail::copy(text))))
    }
}

/// Reads a text without owning it first.
struct TextVisitor<F>(&'static str, F);

impl<T, F: FnOnce(&str) -> Result<T, ParseError>> Visitor<'_> for TextVisitor<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(E::custom)
    }
}

struct ExitCode(i32);

impl<'de> Deserialize<'de> for ExitCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ExitCodeVisitor;

        impl Visitor<'_> for ExitCodeVisitor {
            type Value = ExitCode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an exit code of 32 bits")
            }

            fn visit_i64<E: Error>(self, code: i64) -> Result<ExitCode, E> {
                i32::try_from(code)
                    .map(ExitCode)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(code), &self))
            }

            fn visit_u64<E: Error>(self, code: u64) -> Result<ExitCode, E> {
                u32::try_from(code)
                    .map(|bits| ExitCode(i32::from_ne_bytes(bits.to_ne_bytes())))
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(code), &self))
            }
        }

        deserializer.deserialize_i64(ExitCodeVisitor)
    }
}

macro_rules! written_as_text {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )*};
}
written_as_text!(ConnectType ConnectionMethod DisconnectReason Initiator);

impl Serialize for CloseCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Strict: there is no value for a protocol that this crate does not know.
impl<'de> Deserialize<'de> for CloseCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor("a close code", str::parse))
    }
}

/// Strict: there is no value for a layer that this crate does not know.
impl<'de> Deserialize<'de> for ConnectType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor("a connect type", str::parse))
    }
}

macro_rules! read_as_text_or_unknown {
    ($($name:ident)*) => {$(
        /// Lenient: a word that this crate does not know reads as `unknown`.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor("a text", |text: &str| {
                    Ok(text.parse().unwrap_or_default())
                }))
            }
        }
    )*};
}
read_as_text_or_unknown!(ConnectionMethod DisconnectReason Initiator);
