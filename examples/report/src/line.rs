//! One line of a log, in one pass: the end that it tells of, and when.

use std::borrow::Cow;
use std::fmt;

use disconnect_attribution::{Disconnect, keys};
use jiff::{SignedDuration, Timestamp};
use memchr::memmem;
use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// Visitor methods for values that say nothing here.
macro_rules! nothing {
    ($value:ident: $($method:ident($($type:ty)?))*) => {$(
        fn $method<E: Error>(self $(, _: $type)?) -> Result<$value, E> {
            Ok($value::default())
        }
    )*};
}

pub(crate) enum Line {
    End(Disconnect, Option<Timestamp>),
    /// JSON with disconnect fields that make no sense, and why.
    Unreadable(String),
    /// JSON about something else.
    NoEnd,
    NotJson,
    Blank,
}

pub(crate) fn read(bytes: &[u8]) -> Line {
    if bytes.trim_ascii().is_empty() {
        return Line::Blank;
    }
    if memmem::find(bytes, keys::DISCONNECT_REASON.as_bytes()).is_none() {
        return match serde_json::from_slice::<IgnoredAny>(bytes) {
            Ok(_) => Line::NoEnd,
            Err(_) => Line::NotJson,
        };
    }
    match serde_json::from_slice::<Entry>(bytes) {
        Ok(Entry {
            end: Some(end),
            time,
        }) => Line::End(end, time),
        Ok(Entry { end: None, .. }) => Line::NoEnd,
        // An error may quote a whole line.
        Err(error) if error.is_data() => {
            Line::Unreadable(error.to_string().chars().take(300).collect())
        }
        Err(_) => Line::NotJson,
    }
}

/// A line with its fields at the top (slog-json, Go agents) or under `fields` (tracing).
#[derive(Default)]
struct Entry {
    time: Option<Timestamp>,
    end: Option<Disconnect>,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a log line")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        let mut fields = Fields {
            map,
            time: None,
            nested: None,
            has_reason: false,
        };
        let flat = Disconnect::deserialize(MapAccessDeserializer::new(&mut fields));
        if flat.is_err() {
            // It may have stopped early; the rest says whether this line is about an end at all.
            let mut rest = &mut fields;
            while let Ok(Some(_)) = rest.next_entry::<IgnoredAny, IgnoredAny>() {}
        }
        let Fields {
            time,
            nested,
            has_reason,
            ..
        } = fields;
        let end = match (nested, flat) {
            (Some(nested), _) => Some(nested),
            (None, Ok(flat)) => Some(flat),
            // The key only stood in the text of a line about something else.
            (None, Err(_)) if !has_reason => None,
            (None, Err(error)) => return Err(error),
        };
        Ok(Entry { time, end })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::default())
    }

    // Any other value is JSON about something else.
    nothing! { Entry: visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_unit() }
}

/// A map without its time and its nested fields, which are kept aside.
struct Fields<A> {
    map: A,
    time: Option<Timestamp>,
    nested: Option<Disconnect>,
    has_reason: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for &mut Fields<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Text(key)) = self.map.next_key()? {
            match &*key {
                "ts" | "timestamp" | "time" => {
                    let Time(time) = self.map.next_value()?;
                    self.time = time.or(self.time);
                }
                "fields" => self.nested = self.map.next_value::<Entry>()?.end,
                other => {
                    self.has_reason |= other == keys::DISCONNECT_REASON;
                    return seed.deserialize(CowStrDeserializer::new(key)).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A text that stays borrowed where it can.
#[derive(serde_derive::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// RFC 3339, or seconds since 1970 as some Go loggers write them. Anything else is no time.
#[derive(Default)]
struct Time(Option<Timestamp>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl<'de> Visitor<'de> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        Ok(Time(text.parse().ok()))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Time, E> {
        let since_1970 = SignedDuration::try_from_secs_f64(seconds).ok();
        Ok(Time(
            since_1970.and_then(|time| Timestamp::from_duration(time).ok()),
        ))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Time, E> {
        Ok(Time(Timestamp::from_second(seconds).ok()))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Time, E> {
        Ok(Time(
            i64::try_from(seconds)
                .ok()
                .and_then(|time| Timestamp::from_second(time).ok()),
        ))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Time, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Time(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Time, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Time(None))
    }

    nothing! { Time: visit_bool(bool) visit_unit() }
}
