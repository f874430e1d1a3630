//! One record through every adapter: the same keys, values and types, the same record read back, and one line.

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Evidence, disconnect_event};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};
use slog::{Drain, Logger, o};
use tracing::{Level, subscriber::with_default};

use crate::support::strategies::{any_end, any_text};
use crate::support::{Sink, bare, end, full, inherited, json_text, random, reported, words};

/// All that a record may have.
const KEYS: usize = 16;

/// What tracing's formatter writes: for people, compact, as flat JSON, and as nested JSON.
fn through_tracing(end: &Disconnect) -> [String; 4] {
    let sinks = [(); 4].map(|()| Sink::default());
    let log = || disconnect_event!(Level::INFO, end, peer = "ws", "closed {}", end);
    let to =
        |sink: &Sink| tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(sink.clone());
    with_default(to(&sinks[0]).finish(), log);
    with_default(to(&sinks[1]).compact().finish(), log);
    with_default(to(&sinks[2]).json().flatten_event(true).finish(), log);
    with_default(to(&sinks[3]).json().finish(), log);
    sinks.map(|sink| sink.text())
}

/// What slog-term writes.
fn through_slog_term(end: &Disconnect) -> String {
    let sink = Sink::default();
    let decorator = slog_term::PlainSyncDecorator::new(sink.clone());
    let drain = slog_term::FullFormat::new(decorator).build().fuse();
    slog::info!(Logger::root(drain, o!()), "closed {}", end; "peer" => "ws", end);
    sink.text()
}

/// The map without what loggers add, also if it is nested.
fn ours(line: &str) -> Map<String, Value> {
    let mut line: Map<_, _> = serde_json::from_str(line).expect("one JSON object");
    if let Some(Value::Object(fields)) = line.remove("fields") {
        line = fields;
    }
    let loggers_own = ["ts", "level", "msg", "message", "target", "peer"];
    line.retain(|key, _| !loggers_own.contains(&key.as_str()));
    line
}

/// Holds what each adapter writes of a record against the others, and returns how many keys that are.
fn check(end: &Disconnect) -> Result<usize, TestCaseError> {
    let json = serde_json::to_string(end).expect("written");
    let expected: Map<_, _> = serde_json::from_str(&json).expect("a map");
    let slog = json_text(|log| slog::info!(log, "closed"; "peer" => "ws", end));
    let [people, compact, flat, nested] = through_tracing(end);
    for line in [json, slog, flat, nested] {
        prop_assert_eq!(&ours(&line), &expected);
        prop_assert_eq!(&serde_json::from_str::<Disconnect>(&line).expect("accepted"), end);
    }
    // For people: a line that drives no terminal, forges no other line, and hides nothing.
    for line in [through_slog_term(end), people, compact, end.to_string() + "\n"] {
        let line = line.strip_suffix('\n').expect("ends with a line break");
        let breaks = |c: char| c.is_control() || "\u{2028}\u{202e}".contains(c);
        prop_assert!(!line.contains(breaks), "{line:?}");
        prop_assert!(line.contains(end.detail().unwrap_or_default()), "{line:?}");
    }
    prop_assert!(words(end).ends_with(end.detail().unwrap_or_default()));
    Ok(expected.len())
}

#[test]
fn any_record_with_any_text_is_the_same_through_every_adapter() {
    const FORGERY: &str =
        "x\nnow INFO all is well\r\u{1b}[1A\u{2028}\u{85}\u{202e}now INFO \"forged\" \\ Grüße 日";
    for (end, keys) in [
        (full(), KEYS),
        (bare(), 3),
        (full().with_bytes(1, u64::MAX).with_clock_jump(i64::MIN), KEYS),
        (end(DisconnectReason::ProcessExited).with_exit_code(i32::MIN), 4),
        (bare().with_detail(FORGERY), 4),
    ] {
        assert_eq!(check(&end).unwrap_or_else(|error| panic!("{error}")), keys);
    }
    let below = prop::option::of(select(ConnectType::VARIANTS));
    random::run(1_000, 40, &(any_end(), any_text(), below), |(end, text, below)| {
        let end = end.with_detail(text);
        // The origin has no setter: a guard sets it.
        let parent = reported(ConnectType::ServerToAgent);
        parent.record(Evidence::Local, end.clone());
        let end = below.map_or(end.clone(), |layer| inherited(&parent, layer, end));
        Ok(check(&end)? == KEYS)
    });
}

/// A record may be a logger's own field; it comes before those of the line, and JSON has both.
#[test]
fn the_lines_record_counts_beside_one_of_the_loggers_own() {
    let text = json_text(|log| {
        let log = log.new(o!(end(DisconnectReason::Rejected).with_exit_code(1)));
        slog::info!(log, "closed"; full());
    });
    assert_eq!(text.matches("\"connect_type\"").count(), 2, "{text}");
    assert_eq!(serde_json::from_str::<Disconnect>(&text).expect("accepted"), full());
}
