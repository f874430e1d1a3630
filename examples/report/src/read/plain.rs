//! Lines as nearly all are: plain JSON with a whole record at the top or under `fields`, and its time at the top.
//!
//! Whatever else a line is, or is to be asked for, `value.rs` reads, which takes longer and refuses less.

use std::borrow::Cow;
use std::fmt;

use disconnect_attribution::Disconnect;
use jiff::Timestamp;
use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::End;
use super::time;
use super::value::text;

/// The end in a line, if the line is plain and its own time, and what ends are counted by, stand at its top.
pub(super) fn read(line: &str, by: Option<&str>) -> Option<End> {
    let mut json = serde_json::Deserializer::from_str(line);
    let end = (&mut json).deserialize_map(EndVisitor { by }).ok()?;
    json.end().ok()?;
    let is_whole = end.time.is_some() && (by.is_none() || end.by.is_some());
    // The error beside a record is its detail if it has none.
    let may_lack_detail = end.disconnect.detail().is_none() && !end.disconnect.expected();
    (is_whole && !(may_lack_detail && line.contains("\"err"))).then_some(end)
}

struct EndVisitor<'a> {
    by: Option<&'a str>,
}

impl<'de> Visitor<'de> for EndVisitor<'_> {
    type Value = End;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a log line")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<End, A::Error> {
        let mut fields = Fields { map, wanted: self.by, time: None, by: None };
        let disconnect = Disconnect::deserialize(MapAccessDeserializer::new(&mut fields))?;
        Ok(End { disconnect, time: fields.time, by: fields.by })
    }
}

/// A map without its time and what ends are counted by, which are kept aside.
struct Fields<'a, A> {
    map: A,
    wanted: Option<&'a str>,
    time: Option<Timestamp>,
    by: Option<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for &mut Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(Key(key)) = self.map.next_key()? {
            if matches!(&*key, "ts" | "time" | "timestamp" | "@timestamp") {
                self.time = time::of(&self.map.next_value::<Value>()?).or(self.time);
            } else if self.wanted == Some(&key) && !key.starts_with("disconnect_") {
                self.by = text(&self.map.next_value::<Value>()?);
            } else {
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
