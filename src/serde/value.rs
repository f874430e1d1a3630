//! One value at a time: what stands under a key, and each word of the vocabulary.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    Unexpected, Visitor,
};

use super::go;
use super::record::Values;
use crate::{CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError, Trigger};

/// What stands under a key, read as anything and judged at the end, since only the last of two values
/// under one key counts.
#[derive(Default)]
pub(super) enum Value<'de> {
    #[default]
    Absent,
    Text(Cow<'de, str>),
    Integer(i128),
    Map(Box<Values<'de>>),
    /// What no field holds. An error shows its type, and no more of it.
    Other(Unexpected<'static>),
}

impl<'de> Value<'de> {
    pub(super) fn text<E: Error>(self, expected: &str) -> Result<Option<Cow<'de, str>>, E> {
        match self {
            Self::Absent => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            other => Err(other.wrong(expected)),
        }
    }

    pub(super) fn integer<T, E: Error>(
        self,
        expected: &str,
        convert: impl FnOnce(i128) -> Option<T>,
    ) -> Result<Option<T>, E> {
        match self {
            Self::Absent => Ok(None),
            Self::Integer(integer) => convert(integer).map(Some).ok_or_else(|| self.wrong(expected)),
            other => Err(other.wrong(expected)),
        }
    }

    /// A number that was written as its digits.
    pub(super) fn digits(self) -> Self {
        match self {
            Self::Text(digits) => {
                digits.parse().map_or(Self::Other(Unexpected::Other("number")), Self::Integer)
            }
            _ => Self::Other(Unexpected::Map),
        }
    }

    pub(super) fn wrong<E: Error>(&self, expected: &str) -> E {
        let found = match *self {
            Self::Absent => Unexpected::Unit,
            Self::Text(_) => Unexpected::Other("string"),
            Self::Map(_) => Unexpected::Map,
            Self::Other(found) => found,
            Self::Integer(integer) => match (u64::try_from(integer), i64::try_from(integer)) {
                (Ok(integer), _) => Unexpected::Unsigned(integer),
                (_, Ok(integer)) => Unexpected::Signed(integer),
                (Err(_), Err(_)) => Unexpected::Other("integer of more than 64 bits"),
            },
        };
        E::invalid_type(found, &expected)
    }
}

/// Reads a value that stands in so many maps.
pub(super) struct ValueVisitor {
    pub(super) depth: usize,
}

impl<'de> DeserializeSeed<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What is read as a value at once.
macro_rules! values {
    ($($visit:ident($($name:ident: $type:ty)?) $value:expr;)*) => {$(
        fn $visit<E: Error>(self $(, $name: $type)?) -> Result<Value<'de>, E> {
            Ok($value)
        }
    )*};
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    values! {
        visit_unit() Value::Absent;
        visit_none() Value::Absent;
        visit_borrowed_str(text: &'de str) Value::Text(text.into());
        visit_str(text: &str) Value::Text(text.to_owned().into());
        visit_i64(integer: i64) Value::Integer(integer.into());
        visit_u64(integer: u64) Value::Integer(integer.into());
        visit_i128(integer: i128) Value::Integer(integer);
        visit_u128(integer: u128) Value::Integer(integer.try_into().unwrap_or(i128::MAX));
        visit_bool(value: bool) Value::Other(Unexpected::Bool(value));
        visit_f64(value: f64) Value::Other(Unexpected::Float(value));
        visit_bytes(_bytes: &[u8]) Value::Other(Unexpected::Other("byte array"));
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value<'de>, D::Error> {
        self.deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Value<'de>, A::Error> {
        IgnoredAny.visit_seq(items)?;
        Ok(Value::Other(Unexpected::Seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value<'de>, A::Error> {
        // A number in a record in `fields` may be a map; what is deeper, `fields` in `fields`, must not fill the
        // stack.
        if self.depth > 2 {
            IgnoredAny.visit_map(map)?;
            return Ok(Value::Other(Unexpected::Map));
        }
        Values::read(map, self.depth + 1)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value<'de>, A::Error> {
        IgnoredAny.visit_enum(data)?;
        Ok(Value::Other(Unexpected::Enum))
    }
}

/// Reads a text without owning it first.
pub(super) struct TextVisitor<F>(pub(super) &'static str, pub(super) F);

impl<T, F: FnOnce(&str) -> Result<T, ParseError>> Visitor<'_> for TextVisitor<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(E::custom)
    }
}

macro_rules! read_as_text {
    ($($(#[$attribute:meta])* $name:ident, $expected:literal, $read:expr;)*) => {$(
        $(#[$attribute])*
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read: fn(&str) -> Result<Self, ParseError> = $read;
                deserializer.deserialize_str(TextVisitor($expected, read))
            }
        }
    )*};
}
read_as_text! {
    /// Strict: there is no value for a word that this crate does not know.
    CloseCode, "a close code", str::parse;
    /// Strict: there is no value for a word that this crate does not know.
    ConnectType, "a connect type", str::parse;
    /// Strict: there is no value for a word that this crate does not know.
    Trigger, "a trigger", str::parse;
    /// Lenient: a word that this crate does not know reads as `unknown`.
    ConnectionMethod, "a text", |text| Ok(text.parse().unwrap_or_default());
    /// Lenient: a word that this crate does not know reads as `unknown`.
    Initiator, "a text", |text| Ok(text.parse().unwrap_or_default());
    /// Lenient: a text of a Go agent reads as the reason that it means, any other as `unknown`.
    DisconnectReason, "a text", |text| Ok(text.parse().unwrap_or_else(|_| go::meaning(text).0));
}
