//! The record in JSON that is not as most lines are: in a group, in an envelope, or damaged.

use std::borrow::Cow;

use disconnect_attribution::{Disconnect, keys};
use jiff::Timestamp;
use serde::de::Deserialize;
use serde_json::Value;

use super::End;
use super::json::{Envelope, Json};
use super::time::Time;

/// The message where tracing's JSON puts it, beside the record.
pub(super) fn nested_message(text: &str) -> Option<String> {
    let line: Value = serde_json::from_str(text).ok()?;
    message_in(line.get("fields")?).map(str::to_owned)
}

/// The record anywhere in a line: under `fields`, or in a group of Go's log/slog.
pub(super) fn search(value: &Value, by_message: bool, why: String) -> Json<'static> {
    let mut holders = Vec::new();
    find_holders(value, Around::default(), &mut holders);
    if holders.is_empty() {
        return match unknown_envelope(value) {
            Some(envelope) => Json::Wrapped(envelope),
            // A layer without a reason, and the key somewhere: damaged.
            None if has_layer(value) => Json::Unreadable(why),
            None => Json::NoEnd,
        };
    }
    for (holder, around) in holders {
        if let Ok(disconnect) = Disconnect::deserialize(holder) {
            let message = around.message.filter(|_| by_message);
            return Json::End(End {
                disconnect,
                time: around.time,
                message: message.map(str::to_owned),
            });
        }
    }
    Json::Unreadable(why)
}

fn has_layer(value: &Value) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| key.contains(keys::CONNECT_TYPE) || has_layer(value)),
        Value::Array(values) => values.iter().any(has_layer),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A whole line in a text of a collector that nothing here knows: the key has a value, or others
/// stand beside it.
fn unknown_envelope(value: &Value) -> Option<Envelope<'static>> {
    match value {
        Value::String(text) => {
            let others = [keys::CONNECT_TYPE, keys::DISCONNECT_EXPECTED];
            let mut after = text.split(keys::DISCONNECT_REASON).skip(1).peekable();
            let is_line = after.peek().is_some()
                && (others.iter().any(|key| text.contains(key))
                    || after.any(|rest| rest.starts_with(['=', '"', '\\'])));
            is_line.then(|| Envelope {
                inner: Cow::Owned(text.clone()),
                time: None,
                wrapper: "an unknown envelope",
            })
        }
        Value::Object(map) => {
            let envelope = map.values().find_map(unknown_envelope)?;
            Some(Envelope {
                time: envelope.time.or_else(|| time_in(value)),
                ..envelope
            })
        }
        Value::Array(values) => values.iter().find_map(unknown_envelope),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// What stands in a map or around it; the innermost counts.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    time: Option<Timestamp>,
    message: Option<&'a str>,
}

fn find_holders<'a>(
    value: &'a Value,
    around: Around<'a>,
    holders: &mut Vec<(&'a Value, Around<'a>)>,
) {
    match value {
        Value::Object(map) => {
            let around = Around {
                time: time_in(value).or(around.time),
                message: message_in(value).or(around.message),
            };
            if map.contains_key(keys::DISCONNECT_REASON) {
                holders.push((value, around));
            }
            for value in map.values() {
                find_holders(value, around, holders);
            }
        }
        Value::Array(values) => {
            for value in values {
                find_holders(value, around, holders);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn time_in(value: &Value) -> Option<Timestamp> {
    TIMES
        .iter()
        .find_map(|key| Time::deserialize(value.get(key)?).ok()?.0)
}

fn message_in(value: &Value) -> Option<&str> {
    MESSAGES.iter().find_map(|key| value.get(key)?.as_str())
}

const TIMES: [&str; 5] = [
    "ts",
    "time",
    "timestamp",
    "@timestamp",
    "__REALTIME_TIMESTAMP",
];
const MESSAGES: [&str; 2] = ["msg", "message"];
