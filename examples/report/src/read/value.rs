//! The records in a JSON value, wherever they stand in it, and the lines in its texts.

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, keys};
use jiff::Timestamp;
use serde::de::Deserialize;
use serde::de::value::MapDeserializer;
use serde_json::{Map, Value, json};

use super::keys::{ALL, group, integer, is_number, squashed};
use super::line::has_layer;
use super::{End, Reader, Record, Unreadable, has_end, time};
use crate::clean::clean;

/// A value, and what stands around it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) value: &'a Value,
    pub(super) outer: Option<&'a Around<'a>>,
    /// How many values and texts are around it, and under which key it stands.
    pub(super) depth: u8,
    pub(super) member: &'a str,
}

impl<'a> Around<'a> {
    pub(super) fn new(value: &'a Value, outer: Option<&'a Around<'a>>) -> Self {
        Self {
            value,
            outer,
            depth: outer.map_or(0, |outer| outer.depth.saturating_add(1)),
            member: outer.map_or("", |outer| outer.member),
        }
    }

    /// The innermost counts.
    pub(super) fn find<T>(&self, look: &dyn Fn(&Value) -> Option<T>) -> Option<T> {
        look(self.value).or_else(|| self.outer?.find(look))
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        self.find(&time::within)
    }

    pub(super) fn field(&self, key: &str) -> Option<String> {
        if key == "msg" {
            return self.find(&message);
        }
        self.find(&|value| member(value, key))
    }
}

impl Reader {
    /// Reads each record that is in a value.
    pub(super) fn walk(&self, value: &Value, outer: Option<&Around<'_>>, out: &mut Vec<Record>) {
        let around = Around::new(value, outer);
        match value {
            Value::Array(items) => {
                if let Some(map) = pairs(items) {
                    self.walk(&Value::Object(map), outer, out);
                } else if let Some(text) = bytes(items) {
                    self.walk(&Value::String(text), outer, out);
                } else {
                    for item in items {
                        self.walk(item, Some(&around), out);
                    }
                }
            }
            Value::Object(map) => self.map(map, &around, out),
            Value::String(text) if self.finder.is_in(text) && is_line(text, around.member) => {
                self.text(text, None, outer, out);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn map(&self, map: &Map<String, Value>, around: &Around<'_>, out: &mut Vec<Record>) {
        let reasons = map.keys().filter_map(|key| group(key, keys::DISCONNECT_REASON));
        let groups: Vec<_> = reasons.collect();
        if let [first, ..] = groups[..] {
            let has_layer = |of: &&str| {
                let is_layer = |key: &String| group(key, keys::CONNECT_TYPE) == Some(*of);
                map.keys().any(is_layer)
            };
            let start = out.len();
            let whole = groups.iter().copied().filter(has_layer);
            out.extend(whole.map(|of| record(map, of, around, self.by())));
            if out.len() == start {
                out.push(record(map, first, around, self.by()));
            }
            return;
        }
        let start = out.len();
        // Elasticsearch repeats under `fields` what stands beside it, and others a record's line beside the record.
        let turn = |key: &str, value: &Value| match peeled(value) {
            Value::String(_) => 2,
            _ => u8::from(key == "fields"),
        };
        for now in 0..=2 {
            for (key, value) in map.iter().filter(|(key, value)| turn(key, value) == now) {
                let before = out.len();
                let around = Around { member: key, ..*around };
                self.walk(peeled(value), Some(&around), out);
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
}

/// Whether a text that holds the key is a line, and not a message about it: a collector puts lines there, the key
/// has a value, or others stand beside it.
fn is_line(text: &str, member: &str) -> bool {
    let has_value = |rest: &str| rest.starts_with(['=', ':', '"', '\\', '\u{1b}']);
    matches!(member, "log" | "line" | "MESSAGE" | "textPayload")
        || has_layer(text)
        || text.matches("disconnect_").count() > 1
        || text.split(keys::DISCONNECT_REASON).skip(1).any(has_value)
}

/// The record whose keys begin with `of`.
fn record(map: &Map<String, Value>, of: &str, around: &Around<'_>, by: Option<&str>) -> Record {
    // A collector spells all keys in its way, or none.
    let is_exact = of.is_empty()
        && [keys::CONNECT_TYPE, keys::DISCONNECT_REASON].iter().all(|key| map.contains_key(*key));
    let fields = ALL.iter().filter_map(|name| {
        let exact = map.get(*name).filter(|_| of.is_empty());
        let spelled = || map.iter().find(|(key, _)| group(key, name) == Some(of));
        let value = exact.or_else(|| Some(spelled().filter(|_| !is_exact)?.1))?;
        Some((*name, coerced(name, peeled(value))))
    });
    match Disconnect::deserialize(MapDeserializer::new(fields)) {
        Ok(disconnect) => Record::End(End {
            disconnect: with_error(disconnect, || error(map.get("error").or(map.get("err"))?)),
            time: around.time(),
            by: by.and_then(|key| around.field(key)),
        }),
        Err(error) => {
            let error: serde_json::Error = error;
            let wrapper = match around.member {
                "" => String::new(),
                member => format!(", in {}", clean(member)),
            };
            Record::Unreadable(Unreadable {
                why: clean(&error.to_string()),
                likely: format!("JSON{wrapper}"),
            })
        }
    }
}

/// Go's control plane writes an error beside a record that has no detail, and the error is its detail.
pub(super) fn with_error(end: Disconnect, error: impl FnOnce() -> Option<String>) -> Disconnect {
    if end.detail().is_some() || end.expected() {
        return end;
    }
    let Some(error) = error().filter(|error| !error.is_empty()) else {
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
fn error(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let text = |item: &'_ Value| Some(item.get("msg").unwrap_or(item).as_str()?.to_owned());
            let texts = items.iter().filter_map(text);
            Some(texts.collect::<Vec<_>>().join(": "))
        }
        _ => None,
    }
}

/// What a value is under the lists of one and the types that collectors put around it.
pub(super) fn peeled(value: &Value) -> &Value {
    match value {
        Value::Array(items) if items.len() == 1 => peeled(&items[0]),
        Value::Object(map) if map.len() == 1 => match map.iter().next() {
            Some((key, value)) if key.ends_with("Value") => peeled(value),
            _ => value,
        },
        _ => value,
    }
}

/// A value as the library wants it.
fn coerced(key: &str, value: &Value) -> Value {
    let number = match value {
        Value::String(text) if is_number(key) => integer(text),
        Value::Number(number) if number.is_f64() => integer(&number.to_string()),
        _ => None,
    };
    number.map_or_else(|| value.clone(), Value::from)
}

/// A list of names and values, as OTLP and CloudWatch Insights write a map.
fn pairs(items: &[Value]) -> Option<Map<String, Value>> {
    let pair = |item: &Value| {
        let map = item.as_object()?;
        let name = ["key", "field", "name"].iter().find_map(|name| map.get(*name)?.as_str())?;
        Some((name.to_owned(), map.get("value")?.clone()))
    };
    items.first()?;
    items.iter().map(pair).collect()
}

/// A text as the list of its bytes, as journald writes one that a terminal would act on.
fn bytes(items: &[Value]) -> Option<String> {
    // What is no byte was one before something damaged it.
    let byte =
        |item: &Value| Some(item.as_number()?.as_u64().and_then(|byte| byte.try_into().ok()).unwrap_or(b'?'));
    let bytes: Vec<u8> = items.iter().map(byte).collect::<Option<_>>()?;
    let is_text = bytes.len() > keys::DISCONNECT_REASON.len();
    is_text.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// The message of a line, if it is no line itself.
fn message(value: &Value) -> Option<String> {
    let map = value.as_object()?;
    let rank = |key: &str| {
        let key = squashed(key);
        ["msg", "message", "shortmessage", "body", "mt", "m"].iter().position(|known| *known == key)
    };
    let messages = map.iter().filter_map(|(key, value)| {
        let text = peeled(value).as_str()?;
        Some((rank(key)?, text))
    });
    let (_, text) = messages.min_by_key(|(rank, _)| *rank)?;
    let is_line = text.starts_with('{') || text.contains(keys::CONNECT_TYPE);
    (!is_line).then(|| text.to_owned())
}

/// The value of a key in a map or a map in it; `kubernetes.pod` may be a key or a path.
fn member(value: &Value, key: &str) -> Option<String> {
    let inside = |value: &Value| match value {
        Value::Object(_) => member(value, key),
        Value::Array(items) => member(&Value::Object(pairs(items)?), key),
        _ => None,
    };
    let map = value.as_object()?;
    let own = map.get(key).and_then(|value| text(peeled(value)));
    if own.is_some() {
        return own;
    }
    let path = key.split_once('.').and_then(|(first, rest)| member(map.get(first)?, rest));
    let spans = || map.get("spans")?.as_array()?.iter().rev().find_map(inside);
    path.or_else(|| map.values().find_map(inside)).or_else(spans)
}

/// A text, number or bool as a text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
