//! A line that is JSON: a record at its top, in a collector's envelope, or deeper inside.

use std::borrow::Cow;
use std::fmt;

use disconnect_attribution::Disconnect;
use jiff::Timestamp;
use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use super::End;
use super::quick::Quick;
use super::search::{nested_message, search};
use super::time::Time;
use super::wrap::Wrapper;

pub(crate) enum Json<'a> {
    End(End),
    /// A line in a collector's envelope.
    Wrapped(Envelope<'a>),
    /// Fields of a disconnect that make no sense, and why.
    Unreadable(String),
    /// About something else.
    NoEnd,
    /// No JSON, and why.
    Broken(String),
}

pub(crate) struct Envelope<'a> {
    pub(crate) inner: Cow<'a, str>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) wrapper: Wrapper,
}

/// Reads a text that starts as an object.
pub(crate) fn read(text: &str, by_message: bool) -> Json<'_> {
    match quickly(text, by_message) {
        Some(json) => json,
        None => thoroughly(text, by_message),
    }
}

/// A line as nearly all are: plain JSON with a whole record, or in an envelope.
fn quickly(text: &str, by_message: bool) -> Option<Json<'_>> {
    let mut json = Quick::new(text);
    let entry = EntrySeed { by_message }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    entry.json(text).ok()
}

fn thoroughly(text: &str, by_message: bool) -> Json<'_> {
    let error = match parse(text, by_message).map(|entry| entry.json(text)) {
        Ok(Ok(json)) => return json,
        Ok(Err(why)) => why,
        Err(error) => error.to_string(),
    };
    // Rare, so it may take its time.
    match serde_json::from_str::<Value>(text) {
        Ok(value) => search(&value, by_message, error),
        Err(error) => Json::Broken(error.to_string()),
    }
}

fn parse(text: &str, by_message: bool) -> serde_json::Result<Entry<'_>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let entry = EntrySeed { by_message }.deserialize(&mut json)?;
    json.end()?;
    Ok(entry)
}

/// A line, as far as it matters here.
struct Entry<'a> {
    end: Result<End, String>,
    envelope: Option<Envelope<'a>>,
    by_message: bool,
}

impl<'a> Entry<'a> {
    /// What was found, or why there is nothing.
    fn json(self, text: &str) -> Result<Json<'a>, String> {
        match (self.end, self.envelope) {
            (Ok(mut end), _) => {
                if self.by_message && end.message.is_none() {
                    end.message = nested_message(text);
                }
                Ok(Json::End(end))
            }
            (Err(_), Some(envelope)) => Ok(Json::Wrapped(envelope)),
            (Err(why), None) => Err(why),
        }
    }

    fn nothing() -> Self {
        Self {
            end: Err("no object".to_owned()),
            envelope: None,
            by_message: false,
        }
    }
}

#[derive(Clone, Copy)]
struct EntrySeed {
    by_message: bool,
}

impl<'de> DeserializeSeed<'de> for EntrySeed {
    type Value = Entry<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entry<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Visitor methods for values that carry nothing here.
macro_rules! nothing {
    ($nothing:expr => $value:ty: $($method:ident($($type:ty)?))*) => {$(
        fn $method<E: Error>(self $(, _: $type)?) -> Result<$value, E> {
            Ok($nothing)
        }
    )*};
}

impl<'de> Visitor<'de> for EntrySeed {
    type Value = Entry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a log line")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry<'de>, A::Error> {
        let mut fields = Fields::new(map, self.by_message);
        let flat = Disconnect::deserialize(MapAccessDeserializer::new(&mut fields));
        if flat.is_err() {
            // The library may have stopped early; what is left may hold the time or another line.
            let mut rest = &mut fields;
            while rest.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        }
        Ok(fields.entry(flat.map_err(|error| error.to_string())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::nothing())
    }

    nothing! { Entry::nothing() => Entry<'de>:
        visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_unit()
    }
}

/// A map without its time, its message and what it wraps, which are kept aside.
struct Fields<'de, A> {
    map: A,
    by_message: bool,
    time: Option<Timestamp>,
    seconds: Option<i64>,
    nanoseconds: Option<i32>,
    message: Option<Cow<'de, str>>,
    wrapped: Option<(Cow<'de, str>, Wrapper)>,
    /// Rare, and large.
    payload: Option<Box<Entry<'de>>>,
}

impl<'de, A: MapAccess<'de>> Fields<'de, A> {
    fn new(map: A, by_message: bool) -> Self {
        Self {
            map,
            by_message,
            time: None,
            seconds: None,
            nanoseconds: None,
            message: None,
            wrapped: None,
            payload: None,
        }
    }

    /// Takes the value of a key of the envelope's, and whether it was one.
    fn take(&mut self, key: &str) -> Result<bool, A::Error> {
        // The record's own keys are none of these, and most.
        if !matches!(
            key.as_bytes(),
            [b'@' | b'M' | b'_' | b'j' | b'l' | b'm' | b't', ..]
        ) {
            return Ok(false);
        }
        match key {
            "ts" | "time" | "timestamp" | "@timestamp" | "__REALTIME_TIMESTAMP" => {
                let Time(time) = self.map.next_value()?;
                self.time = time.or(self.time);
            }
            "timestampSeconds" => self.seconds = self.map.next_value::<Number>()?.0,
            "timestampNanos" => {
                let Number(nanoseconds) = self.map.next_value()?;
                self.nanoseconds = nanoseconds.and_then(|number| i32::try_from(number).ok());
            }
            "log" => self.wrap("Docker")?,
            "MESSAGE" => self.wrap("journald")?,
            "line" => self.wrap("Loki")?,
            "textPayload" => self.wrap("Google Cloud")?,
            "jsonPayload" => {
                let seed = EntrySeed {
                    by_message: self.by_message,
                };
                self.payload = Some(Box::new(self.map.next_value_seed(seed)?));
            }
            "msg" | "message" if self.by_message => {
                self.message = self.map.next_value::<Text>()?.0;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn wrap(&mut self, wrapper: Wrapper) -> Result<(), A::Error> {
        let Text(text) = self.map.next_value()?;
        self.wrapped = text.map(|text| (text, wrapper));
        Ok(())
    }

    fn entry(self, flat: Result<Disconnect, String>) -> Entry<'de> {
        let stackdriver = || Timestamp::new(self.seconds?, self.nanoseconds.unwrap_or(0)).ok();
        let time = self.time.or_else(stackdriver);
        let end = flat.map(|disconnect| End {
            disconnect,
            time,
            message: self.message.map(Cow::into_owned),
        });
        let mut entry = Entry {
            end,
            by_message: self.by_message,
            envelope: self.wrapped.map(|(inner, wrapper)| Envelope {
                inner,
                time,
                wrapper,
            }),
        };
        if entry.end.is_err()
            && let Some(payload) = self.payload
            && let Ok(end) = payload.end
        {
            entry.end = Ok(End {
                time: end.time.or(time),
                ..end
            });
        }
        entry
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for &mut Fields<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Key(key)) = self.map.next_key()? {
            if !self.take(&key)? {
                return seed.deserialize(CowStrDeserializer::new(key)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A key that stays borrowed where it can.
#[derive(serde_derive::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value that should be a text, or the bytes of one as journald writes them.
#[derive(Default)]
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(Number(number)) = seq.next_element()? {
            bytes.extend(number.and_then(|number| u8::try_from(number).ok()));
        }
        Ok(Text(Some(Cow::Owned(
            String::from_utf8_lossy(&bytes).into_owned(),
        ))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    nothing! { Text(None) => Text<'de>:
        visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_unit()
    }
}

/// A value that should be a whole number.
struct Number(Option<i64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINES: [&str; 6] = [
        r#"{"ts":"2026-01-02T03:04:05.6Z","msg":"a \"b\" \\ \u00e9","n":-1.5e3,"t":true,"connect_type":"agent_to_client","disconnect_reason":"graceful","exit_code":-1}"#,
        r#"{"timestamp":1767323400.25,"fields":{"connect_type":"server_to_agent","disconnect_reason":"network_error","bytes_received":18446744073709551615},"spans":[{"a":[1,{}]},null]}"#,
        r#"{"log":"{\"disconnect_reason\":\"graceful\"}\n","time":"2026-01-02T03:04:05Z"}"#,
        r#"{"jsonPayload":{"timestampSeconds":1767323400,"timestampNanos":5,"connect_type":"agent_to_client","disconnect_reason":"x","disconnect_code":"ssh:11"}}"#,
        r#"{"MESSAGE":[100,105],"__REALTIME_TIMESTAMP":"1778694141701000"}"#,
        r#" { "connect_type" : "client_to_server" , "disconnect_reason":"rejected" , "time": null } "#,
    ];

    fn shown(json: &Json<'_>) -> String {
        match json {
            Json::End(end) => format!("{:?} {:?}", end.disconnect, end.time),
            Json::Wrapped(Envelope {
                inner,
                time,
                wrapper,
            }) => format!("{inner:?} {time:?} {wrapper}"),
            Json::Unreadable(why) | Json::Broken(why) => why.clone(),
            Json::NoEnd => "no end".to_owned(),
        }
    }

    #[test]
    fn what_is_plain_is_read_quickly() {
        for line in LINES {
            assert!(quickly(line, false).is_some(), "{line}");
        }
    }

    proptest! {
        /// Where the quick way finds something, the thorough one finds the same, or refuses a number or an
        /// escape that is none.
        #[test]
        fn both_ways_agree(
            line in prop::sample::select(&LINES[..]),
            at in any::<prop::sample::Index>(),
            byte in prop::sample::select(&b"\"\\,:{}[]0-1 ax"[..]),
        ) {
            let mut bytes = line.as_bytes().to_vec();
            let length = bytes.len();
            bytes[at.index(length)] = byte;
            let line = String::from_utf8(bytes).expect("ASCII");
            if let Some(quick) = quickly(&line, false) {
                let thorough = thoroughly(&line, false);
                if !matches!(thorough, Json::Broken(_)) {
                    prop_assert_eq!(shown(&quick), shown(&thorough), "{}", line);
                }
            }
        }
    }
}
