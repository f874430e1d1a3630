//! One record through slog-json, tracing's JSON and serde: the same keys, values and types, and the same record
//! read back from each line as it is.
#![cfg(all(feature = "slog", feature = "serde", feature = "tracing"))]

mod support;
#[path = "support/worlds.rs"]
mod worlds;

use disconnect_attribution::{Disconnect, DisconnectReason};
use support::{bare, end, full, json_text};
use worlds::{KEYS, ours, through_slog, through_tracing};

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
