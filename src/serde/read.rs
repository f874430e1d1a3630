//! One value of the vocabulary at a time.

use std::fmt;
use std::str::FromStr;

use serde::de::{
    Deserialize, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    Visitor,
};

use super::go;
use crate::escaped::Escaped;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError, Trigger,
};

/// One value of a record, read as anything and judged at the end, since only the last of two values
/// under one key counts.
pub(super) enum Slot<T> {
    Absent,
    Value(T),
    Wrong(Wrong),
}

/// Why a value can't be used. Holds no more of it than an error shows.
pub(super) enum Wrong {
    Type(Unexpected<'static>, &'static str),
    Word(ParseError),
}

impl<T> Slot<T> {
    pub(super) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(super) fn judge<E: Error>(self) -> Result<Option<T>, E> {
        match self {
            Self::Absent => Ok(None),
            Self::Value(value) => Ok(Some(value)),
            Self::Wrong(Wrong::Type(found, expected)) => Err(E::invalid_type(found, &expected)),
            Self::Wrong(Wrong::Word(error)) => Err(E::custom(error)),
        }
    }
}

/// A type of value that a record holds, from what a format may write it as.
pub(super) trait Scalar: Sized {
    const EXPECTED: &'static str;

    fn from_text(_text: &str) -> Slot<Self> {
        // The text itself may be of any length.
        Slot::Wrong(Wrong::Type(Unexpected::Other("string"), Self::EXPECTED))
    }

    fn from_integer(integer: i128) -> Slot<Self> {
        Self::where_it_fits(None, integer)
    }

    /// The value, else an error that shows the integer.
    fn where_it_fits(value: Option<Self>, integer: i128) -> Slot<Self> {
        if let Some(value) = value {
            return Slot::Value(value);
        }
        let found = match (u64::try_from(integer), i64::try_from(integer)) {
            (Ok(integer), _) => Unexpected::Unsigned(integer),
            (_, Ok(integer)) => Unexpected::Signed(integer),
            (Err(_), Err(_)) => Unexpected::Other("integer of more than 64 bits"),
        };
        Slot::Wrong(Wrong::Type(found, Self::EXPECTED))
    }
}

impl<'de, T: Scalar> Deserialize<'de> for Slot<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SlotVisitor(std::marker::PhantomData))
    }
}

struct SlotVisitor<T>(std::marker::PhantomData<T>);

impl<T: Scalar> SlotVisitor<T> {
    const fn wrong(found: Unexpected<'static>) -> Slot<T> {
        Slot::Wrong(Wrong::Type(found, T::EXPECTED))
    }

    /// A number of `serde_json` whose feature `arbitrary_precision` is on, which one crate of a program
    /// turns on for all: its digits as a text, under a key of its own.
    fn number(digits: Slot<Escaped>) -> Slot<T> {
        match digits {
            Slot::Value(digits) => match digits.as_str().parse() {
                Ok(integer) => T::from_integer(integer),
                Err(_) => Self::wrong(Unexpected::Other("number")),
            },
            Slot::Absent | Slot::Wrong(_) => Self::wrong(Unexpected::Map),
        }
    }
}

/// See [`SlotVisitor::number`].
struct NumberKey;

impl Scalar for NumberKey {
    const EXPECTED: &'static str = "a key";

    fn from_text(text: &str) -> Slot<Self> {
        if text == "$serde_json::private::Number" {
            Slot::Value(Self)
        } else {
            Slot::Absent
        }
    }
}

impl<'de, T: Scalar> Visitor<'de> for SlotVisitor<T> {
    type Value = Slot<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E: Error>(self) -> Result<Slot<T>, E> {
        Ok(Slot::Absent)
    }

    fn visit_none<E: Error>(self) -> Result<Slot<T>, E> {
        Ok(Slot::Absent)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot<T>, D::Error> {
        Slot::deserialize(deserializer)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Slot<T>, E> {
        Ok(T::from_text(text))
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Slot<T>, E> {
        Ok(T::from_integer(integer.into()))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Slot<T>, E> {
        Ok(T::from_integer(integer.into()))
    }

    fn visit_i128<E: Error>(self, integer: i128) -> Result<Slot<T>, E> {
        Ok(T::from_integer(integer))
    }

    fn visit_u128<E: Error>(self, integer: u128) -> Result<Slot<T>, E> {
        Ok(T::from_integer(integer.try_into().unwrap_or(i128::MAX)))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Slot<T>, E> {
        Ok(Self::wrong(Unexpected::Bool(value)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Slot<T>, E> {
        Ok(Self::wrong(Unexpected::Float(value)))
    }

    fn visit_bytes<E: Error>(self, _bytes: &[u8]) -> Result<Slot<T>, E> {
        Ok(Self::wrong(Unexpected::Other("byte array")))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Slot<T>, D::Error> {
        Slot::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Slot<T>, A::Error> {
        IgnoredAny.visit_seq(items)?;
        Ok(Self::wrong(Unexpected::Seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slot<T>, A::Error> {
        match map.next_key()? {
            Some(Slot::Value(NumberKey)) => return Ok(Self::number(map.next_value()?)),
            Some(Slot::Absent | Slot::Wrong(_)) => drop(map.next_value::<IgnoredAny>()?),
            None => {}
        }
        IgnoredAny.visit_map(map)?;
        Ok(Self::wrong(Unexpected::Map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Slot<T>, A::Error> {
        IgnoredAny.visit_enum(data)?;
        Ok(Self::wrong(Unexpected::Enum))
    }
}

/// A word of a vocabulary that may be larger than ours.
pub(super) enum Word<T> {
    Known(T),
    Unknown(Escaped),
}

impl<T> Word<T> {
    pub(super) fn known(self) -> Option<T> {
        match self {
            Self::Known(word) => Some(word),
            Self::Unknown(_) => None,
        }
    }

    pub(super) fn known_or_default(self) -> T
    where
        T: Default,
    {
        self.known().unwrap_or_default()
    }
}

impl<T: FromStr> Scalar for Word<T> {
    const EXPECTED: &'static str = "a text";

    fn from_text(text: &str) -> Slot<Self> {
        match T::from_str(text) {
            Ok(word) => Slot::Value(Self::Known(word)),
            Err(_) => Escaped::copy_trimmed(text)
                .map_or(Slot::Absent, |text| Slot::Value(Self::Unknown(text))),
        }
    }
}

/// A reason, or a text that stands in its place.
pub(super) struct Reason {
    pub(super) word: DisconnectReason,
    pub(super) trigger: Option<Trigger>,
    pub(super) text: Option<Escaped>,
}

impl Scalar for Reason {
    const EXPECTED: &'static str = "a text";

    fn from_text(text: &str) -> Slot<Self> {
        Slot::Value(if let Ok(word) = text.parse() {
            Self {
                word,
                trigger: None,
                text: None,
            }
        } else {
            let (word, trigger) = go::meaning(text);
            Self {
                word,
                trigger,
                text: Escaped::copy_trimmed(text),
            }
        })
    }
}

impl Scalar for ConnectType {
    const EXPECTED: &'static str = "a connect type";

    fn from_text(text: &str) -> Slot<Self> {
        match text.parse() {
            Ok(layer) => Slot::Value(layer),
            Err(error) => Slot::Wrong(Wrong::Word(error)),
        }
    }
}

impl Scalar for Escaped {
    const EXPECTED: &'static str = "a text";

    fn from_text(text: &str) -> Slot<Self> {
        Self::copy_trimmed(text).map_or(Slot::Absent, Slot::Value)
    }
}

/// 32 bits, signed or not: Go writes the statuses of Windows without a sign.
pub(super) struct ExitCode(pub(super) i32);

impl Scalar for ExitCode {
    const EXPECTED: &'static str = "an exit code of 32 bits";

    fn from_integer(code: i128) -> Slot<Self> {
        let unsigned = || Some(i32::from_ne_bytes(u32::try_from(code).ok()?.to_ne_bytes()));
        Self::where_it_fits(i32::try_from(code).ok().or_else(unsigned).map(Self), code)
    }
}

impl Scalar for u64 {
    const EXPECTED: &'static str = "a count of 64 bits";

    fn from_integer(count: i128) -> Slot<Self> {
        Self::where_it_fits(count.try_into().ok(), count)
    }
}

impl Scalar for i64 {
    const EXPECTED: &'static str = "an integer of 64 bits";

    fn from_integer(number: i128) -> Slot<Self> {
        Self::where_it_fits(number.try_into().ok(), number)
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

macro_rules! read_strictly {
    ($($name:ident, $expected:literal;)*) => {$(
        /// Strict: there is no value for a word that this crate does not know.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor($expected, str::parse))
            }
        }
    )*};
}
read_strictly!(
    CloseCode, "a close code";
    ConnectType, "a connect type";
    Trigger, "a trigger";
);

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
read_as_text_or_unknown!(ConnectionMethod Initiator);

/// Lenient: a text of a Go agent reads as the reason that it means, any other as `unknown`.
impl<'de> Deserialize<'de> for DisconnectReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor("a text", |text: &str| {
            Ok(text.parse().unwrap_or_else(|_| go::meaning(text).0))
        }))
    }
}
