//! The records in a value, wherever they stand in it, and the lines in its texts.

use std::collections::HashSet;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger, keys};
use jiff::Timestamp;
use memchr::memchr2;
use serde::de::value::{Error, MapDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::json;

use super::keys::{ALL, exactly, group, has_layer, integer, is_number};
use super::value::Value;
use super::{End, Reader, Record, has_end, time, unreadable};

/// No map holds more records than this.
const MOST_RECORDS: usize = 64;

/// A value, and what stands around it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    value: &'a Value<'a>,
    outer: Option<&'a Around<'a>>,
    /// How many values and texts are around it, and under which key it stands.
    pub(super) depth: u8,
    pub(super) member: &'a str,
}

impl<'a> Around<'a> {
    pub(super) fn new(value: &'a Value<'a>, outer: Option<&'a Around<'a>>) -> Self {
        let (depth, member) = outer.map_or((0, ""), |outer| (outer.depth.saturating_add(1), outer.member));
        Self { value, outer, depth, member }
    }

    /// The innermost counts.
    fn find<T>(&self, look: &dyn Fn(&Value<'_>) -> Option<T>) -> Option<T> {
        look(self.value).or_else(|| self.outer?.find(look))
    }

    fn time(&self) -> Option<Timestamp> {
        self.find(&time::within)
    }

    fn field(&self, key: &str) -> Option<String> {
        match key {
            "msg" => self.find(&|value| value.message()),
            key => self.find(&|value| value.find(key)),
        }
    }
}

impl Reader {
    /// Reads each record that is in a value.
    pub(super) fn walk(&self, value: &Value<'_>, outer: Option<&Around<'_>>, out: &mut Vec<Record>) {
        match value {
            Value::Map(_) => self.map(&Around::new(value, outer), out),
            Value::Text(text) => {
                if self.finder.is_in(text) && is_line(text, outer.map_or("", |outer| outer.member)) {
                    self.text(text, None, outer, out);
                }
            }
            Value::List(items) => {
                if let Some(map) = value.pairs() {
                    self.walk(&map, outer, out);
                } else if let Some(text) = value.text_or_bytes() {
                    self.walk(&Value::Text(text), outer, out);
                } else {
                    let around = Around::new(value, outer);
                    for item in items {
                        self.walk(item, Some(&around), out);
                    }
                }
            }
            Value::Nothing
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Fraction(_)
            | Value::Time(_)
            | Value::Word(_)
            | Value::Damaged => {}
        }
    }

    fn map(&self, around: &Around<'_>, out: &mut Vec<Record>) {
        if self.records(around, None, out) {
            return;
        }
        // Elasticsearch repeats under `fields` and `highlight` what stands beside it, Loki under `stream`, and others a
        // record's line beside the record.
        let turn = |key: &str, value: &Value<'_>| match value {
            Value::Text(_) => 2,
            _ => u8::from(matches!(key, "fields" | "highlight" | "stream")),
        };
        if let Some(rows) = around.value.rows() {
            return self.walk(&rows, Some(around), out);
        }
        let start = out.len();
        let entries =
            || around.value.as_map().into_iter().flatten().map(|(key, value)| (key, value.peeled()));
        for now in 0..=2 {
            for (key, value) in entries().filter(|(key, value)| turn(key, value) == now) {
                let before = out.len();
                self.walk(value, Some(&Around { member: key, ..*around }), out);
                if now == 2 && has_end(&out[before..]) {
                    out.drain(start..before);
                    return;
                }
            }
            if out.len() > start {
                out.truncate(if now == 2 { start + 1 } else { out.len() });
                return;
            }
        }
    }

    /// Reads the records whose keys stand in a map of JSON, or in a text that seems to be of a format, and returns
    /// whether there are any.
    pub(super) fn records(&self, around: &Around<'_>, text: Option<&str>, out: &mut Vec<Record>) -> bool {
        let map = around.value.as_map().map_or(&[][..], Vec::as_slice);
        let groups_of = |name| map.iter().filter_map(move |(key, _)| group(key, name));
        let mut groups: Vec<_> = groups_of(keys::DISCONNECT_REASON).take(MOST_RECORDS).collect();
        let is_full = groups.len() == MOST_RECORDS;
        if groups.len() > 1 {
            groups.sort_unstable();
            groups.dedup();
            // A record has a layer, unless none has.
            let first = groups[0];
            groups.retain(|of| groups_of(keys::CONNECT_TYPE).any(|group| group == *of));
            groups.extend(groups.is_empty().then_some(first));
        }
        if is_full {
            out.push(unreadable(text, "more records than one line has", Some(around)));
        }
        out.extend(groups.iter().map(|of| match self.end(around, of, text.is_some()) {
            Ok(end) => Record::End(end),
            Err(error) => unreadable(text, &error.to_string(), Some(around)),
        }));
        !groups.is_empty()
    }

    /// The record whose keys begin with `of`. In a text no key stands twice.
    fn end(&self, around: &Around<'_>, of: &str, is_text: bool) -> Result<End, Error> {
        let map = around.value.as_map().map_or(&[][..], Vec::as_slice);
        let mut fields = Vec::with_capacity(ALL.len());
        let read = |name: Option<&'static str>, value| Some((name?, Field(name?, value)));
        fields.extend(
            map.iter().filter_map(|(key, value)| read(exactly(key.strip_prefix(of)?), value.peeled())),
        );
        let has = |name| fields.iter().any(|(known, _)| *known == name);
        // A collector spells all keys in its way, or none.
        if !(has(keys::CONNECT_TYPE) && has(keys::DISCONNECT_REASON)) {
            let name_of = |key: &str| ALL.into_iter().find(|name| group(key, name) == Some(of));
            fields = map.iter().filter_map(|(key, value)| read(name_of(key), value.peeled())).collect();
        }
        if is_text {
            let mut names = HashSet::new();
            if let Some((name, _)) = fields.iter().find(|(name, _)| !names.insert(*name)) {
                return Err(Error::custom(format_args!("{name} stands twice in the line")));
            }
        }
        let disconnect = Disconnect::deserialize(MapDeserializer::new(fields.into_iter()))?;
        Ok(End {
            disconnect: with_error(disconnect, around.value),
            time: around.time(),
            by: self.by.as_deref().and_then(|key| around.field(key)),
        })
    }
}

/// Whether a text that holds the key is a line, and not a message about it: a collector puts lines there, the key
/// has a value, or others stand beside it.
fn is_line(text: &str, member: &str) -> bool {
    let has_value = |rest: &str| rest.starts_with(['=', ':', '"', '\\', '\u{1b}']);
    matches!(member, "log" | "line" | "MESSAGE" | "textPayload")
        || text.split(keys::DISCONNECT_REASON).skip(1).any(has_value)
        || text.matches("disconnect_").count() > 1
        || has_layer(text)
}

/// Go's control plane writes an error beside a record that has no detail, and the error is its detail.
fn with_error(end: Disconnect, map: &Value<'_>) -> Disconnect {
    if end.detail().is_some() || end.expected() {
        return end;
    }
    let error = ["error", "err"].iter().find_map(|key| error(map.get(key)?));
    let Some(error) = error.filter(|error| !error.is_empty()) else {
        return end;
    };
    // What the text of an error means is the library's to know.
    let line = json!({keys::CONNECT_TYPE: ConnectType::ServerToAgent, keys::DISCONNECT_REASON: error});
    let meant = Disconnect::deserialize(line).ok().and_then(|meant| meant.trigger());
    match meant.filter(|_| end.trigger().is_none() && end.reason() == DisconnectReason::NetworkError) {
        Some(trigger) => end.with_trigger(trigger).with_detail(error),
        None => end.with_detail(error),
    }
}

/// An error as a text, or as slogjson's list of what failed, its cause at the end.
fn error(value: &Value<'_>) -> Option<String> {
    let Value::List(items) = value else {
        return value.as_str().map(str::to_owned);
    };
    let texts = items.iter().filter_map(|item| item.get("msg").unwrap_or(item).as_str());
    Some(texts.collect::<Vec<_>>().join(": "))
}

/// What a key of a record has as its value.
struct Field<'a>(&'static str, &'a Value<'a>);

impl<'de> IntoDeserializer<'de> for Field<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Field<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self(name, value) = self;
        let number = match value {
            // Collectors write it as a text or a fraction, and one that is missing as an empty text.
            Value::Text(text) if is_number(name) && text.is_empty() => return visitor.visit_unit(),
            Value::Text(_) | Value::Word(_) if is_number(name) => value.as_str().and_then(integer),
            Value::Fraction(number) => integer(&number.to_string()),
            _ => None,
        };
        if let Some(number) = number {
            return visitor.visit_i64(number);
        }
        match value {
            Value::Nothing => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Fraction(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Word(word) if !is_damaged(name, word) => visitor.visit_borrowed_str(word),
            Value::Word(_) | Value::Damaged => {
                Err(Error::custom(format_args!("the value of {name} is damaged")))
            }
            Value::Time(_) | Value::List(_) | Value::Map(_) => {
                Err(Error::custom(format_args!("{name} is a list or a map")))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any option
    }
}

/// Whether a word has a quote that no logger leaves bare, or is one of the vocabulary that lost its end, or has
/// something behind it that no logger wrote there.
fn is_damaged(name: &str, word: &str) -> bool {
    fn is_torn<T: Copy>(known: &[T], text: fn(T) -> &'static str, word: &str) -> bool {
        let is_glued = |rest: &str| {
            rest.starts_with(|c: char| c != '_' && !c.is_ascii_lowercase()) || rest.contains('=')
        };
        let word = word.trim_end_matches(['.', '\u{2026}']);
        let mut known = known.iter().map(|known| text(*known));
        !known.clone().any(|known| known == word)
            && known.any(|known| known.starts_with(word) || word.strip_prefix(known).is_some_and(is_glued))
    }
    memchr2(b'"', b'\\', word.as_bytes()).is_some()
        || (!word.is_empty() || name == keys::DISCONNECT_REASON)
            && match name {
                keys::DISCONNECT_REASON => {
                    is_torn(DisconnectReason::VARIANTS, DisconnectReason::as_str, word)
                }
                keys::DISCONNECT_INITIATOR | keys::DISCONNECT_PEER => {
                    is_torn(Initiator::VARIANTS, Initiator::as_str, word)
                }
                keys::DISCONNECT_TRIGGER => is_torn(Trigger::VARIANTS, Trigger::as_str, word),
                keys::CONNECT_TYPE => is_torn(ConnectType::VARIANTS, ConnectType::as_str, word),
                _ => false,
            }
}
