//! One record through every adapter: the same keys, values and types, the same record read back, and one line.

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Evidence, disconnect_event};
use proptest::prelude::*;
use proptest::sample::select;
use tracing::{Level, subscriber::with_default};

use crate::support::strategies::{KEYS, any_end, any_text};
use crate::support::worlds::{ours, through_slog, through_tracing};
use crate::support::{Sink, bare, end, full, inherited, json_text, random, reported, term_text, words};

fn tracing_text(end: &Disconnect, is_compact: bool) -> String {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(sink.clone());
    let log = || disconnect_event!(Level::INFO, end, peer = "ws", "closed {}", end);
    if is_compact {
        with_default(subscriber.compact().finish(), log);
    } else {
        with_default(subscriber.finish(), log);
    }
    sink.text()
}

/// Holds what each adapter writes of a record against the others, and returns how many keys that are.
fn check(end: &Disconnect) -> Result<usize, TestCaseError> {
    let json = serde_json::to_string(end).expect("written");
    let expected = ours(&json, false);
    let lines = [
        (json, false),
        (through_slog(end), false),
        (through_tracing(end, true), false),
        (through_tracing(end, false), true),
    ];
    for (line, is_nested) in &lines {
        prop_assert_eq!(&ours(line, *is_nested), &expected);
        prop_assert_eq!(&serde_json::from_str::<Disconnect>(line).expect("accepted"), end);
    }
    // For people: a line that drives no terminal, forges no other line, and hides nothing.
    let term = term_text(|log| slog::info!(log, "closed {}", end; "peer" => "ws", end));
    for line in [term, tracing_text(end, false), tracing_text(end, true), end.to_string() + "\n"] {
        let line = line.strip_suffix('\n').expect("ends with a line break");
        let breaks = |c: char| c.is_control() || "\u{2028}\u{202e}".contains(c);
        prop_assert!(!line.contains(breaks), "{line:?}");
        prop_assert!(line.contains(end.detail().unwrap_or_default()), "{line:?}");
    }
    prop_assert!(words(end).ends_with(end.detail().unwrap_or_default()));
    Ok(expected.len())
}

#[test]
fn a_record_is_the_same_through_every_adapter() {
    const FORGERY: &str = "x\nnow INFO all is well\r\u{1b}[1A\u{2028}\u{85}\u{202e}now INFO forged";
    for end in [
        full(),
        bare(),
        full().with_reason(DisconnectReason::Graceful).with_bytes(1, u64::MAX).with_clock_jump(i64::MIN),
        end(DisconnectReason::ProcessExited).with_exit_code(i32::MIN),
        bare().with_detail("x\n\u{1b}[31m\"quoted\"\u{202e} \\ Grüße 日"),
        bare().with_detail(FORGERY),
    ] {
        check(&end).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(check(&full()).ok(), Some(KEYS.len()), "every key is compared");
}

#[test]
fn any_record_with_any_text_is_the_same_through_every_adapter() {
    let below = prop::option::of(select(ConnectType::VARIANTS));
    random::run(1_000, 40, &(any_end(), any_text(), below), |(end, text, below)| {
        let end = end.with_detail(text);
        // The origin has no setter: a guard sets it.
        let parent = reported(ConnectType::ServerToAgent);
        parent.record(Evidence::Local, end.clone());
        let end = below.map_or(end.clone(), |layer| inherited(&parent, layer, end));
        Ok(check(&end)? == KEYS.len())
    });
}

/// A logger's own fields come before those of the line, and JSON has both.
#[test]
fn the_lines_record_counts_beside_one_of_the_loggers_own() {
    let text = json_text(|log| {
        let log = log.new(slog::o!(end(DisconnectReason::Rejected).with_exit_code(1)));
        slog::info!(log, "closed"; full());
    });
    assert_eq!(text.matches("\"connect_type\"").count(), 2, "{text}");
    assert_eq!(serde_json::from_str::<Disconnect>(&text).expect("accepted"), full());
}
