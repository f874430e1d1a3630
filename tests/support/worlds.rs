//! One record through each logger's JSON.

use disconnect_attribution::{Disconnect, disconnect_event};
use serde_json::{Map, Value};
use tracing::{Level, subscriber::with_default};

use crate::support::strategies::KEYS;
use crate::support::{Sink, json_text};

pub(crate) fn through_slog(end: &Disconnect) -> String {
    json_text(|log| slog::info!(log, "closed"; "peer" => "ws", end))
}

pub(crate) fn through_tracing(end: &Disconnect, flat: bool) -> String {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(flat)
        .without_time()
        .with_writer(sink.clone())
        .finish();
    with_default(subscriber, || {
        disconnect_event!(Level::INFO, end, peer = "ws", "closed");
    });
    sink.text()
}

/// What is under our keys, and under no others but those that each logger adds.
pub(crate) fn ours(line: &str, nested: bool) -> Map<String, Value> {
    let mut line: Map<_, _> = serde_json::from_str(line).expect("one JSON object");
    if nested {
        line = line["fields"].as_object().expect("a map").clone();
    }
    let loggers_own = ["ts", "level", "msg", "message", "target", "peer"];
    line.retain(|key, _| !loggers_own.contains(&key.as_str()));
    for key in line.keys() {
        assert!(KEYS.contains(&key.as_str()), "{key}");
    }
    line
}
