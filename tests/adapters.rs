//! One record through slog-json, tracing's JSON and serde: the same keys, values and types, and the same record
//! read back from each line as it is.
#![cfg(all(feature = "slog", feature = "serde", feature = "tracing"))]

mod support;

use disconnect_attribution::{Disconnect, DisconnectReason, disconnect_event, keys};
use serde_json::{Map, Value};
use support::{Sink, bare, end, full, json_text};
use tracing::{Level, subscriber::with_default};

const KEYS: [&str; 15] = [
    keys::CONNECT_TYPE,
    keys::DISCONNECT_REASON,
    keys::DISCONNECT_EXPECTED,
    keys::DISCONNECT_INITIATOR,
    keys::DISCONNECT_TRIGGER,
    keys::DISCONNECT_CODE,
    keys::DISCONNECT_DETAIL,
    keys::DISCONNECT_ORIGIN,
    keys::EXIT_CODE,
    keys::CONNECTION_METHOD,
    keys::CONNECTION_DURATION_MS,
    keys::PEER_SILENCE_MS,
    keys::BYTES_RECEIVED,
    keys::BYTES_SENT,
    keys::CLOCK_JUMP_MS,
];

fn through_slog(end: &Disconnect) -> String {
    json_text(|log| slog::info!(log, "closed"; "peer" => "ws", end))
}

fn through_tracing(end: &Disconnect, flat: bool) -> String {
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
fn ours(line: &str, nested: bool) -> Map<String, Value> {
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

fn records() -> [Disconnect; 5] {
    [
        full(),
        bare(),
        full()
            .with_reason(DisconnectReason::Graceful)
            .with_bytes(1, u64::MAX)
            .with_clock_jump(i64::MIN),
        end(DisconnectReason::ProcessExited).with_exit_code(i32::MIN),
        bare().with_detail("x\n\u{1b}[31m\"quoted\"\u{202e} \\ Grüße 日"),
    ]
}

#[test]
fn each_world_writes_the_same_keys_values_and_types() {
    for end in records() {
        let serde = serde_json::to_string(&end).expect("written");
        let expected = ours(&serde, false);
        assert_eq!(ours(&through_slog(&end), false), expected);
        assert_eq!(ours(&through_tracing(&end, true), false), expected);
        assert_eq!(ours(&through_tracing(&end, false), true), expected);
    }
    let full = serde_json::to_string(&full()).expect("written");
    assert_eq!(
        ours(&full, false).len(),
        KEYS.len(),
        "every key is compared"
    );
}

#[test]
fn the_record_reads_back_from_each_line_as_it_is() {
    for end in records() {
        for line in [
            serde_json::to_string(&end).expect("written"),
            through_slog(&end),
            through_tracing(&end, true),
            through_tracing(&end, false),
        ] {
            assert_eq!(
                serde_json::from_str::<Disconnect>(&line).expect("accepted"),
                end,
                "{line}"
            );
        }
    }
}

/// A logger's own fields come before those of the line, and JSON has both.
#[test]
fn the_lines_record_counts_beside_one_of_the_loggers_own() {
    let text = json_text(|log| {
        let log = log.new(slog::o!(end(DisconnectReason::Rejected).with_exit_code(1)));
        slog::info!(log, "closed"; full());
    });
    assert_eq!(text.matches("\"connect_type\"").count(), 2, "{text}");
    assert_eq!(
        serde_json::from_str::<Disconnect>(&text).expect("accepted"),
        full()
    );
}
