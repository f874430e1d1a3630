//! Every format in every wrapper and shape: the same story, and so the same report.
//!
//! The files of the Rust loggers are what those loggers write; with `UPDATE_GOLDEN` in the environment they are
//! written again, and so is the report of the walk. Those of the Go loggers follow their sources.

#[path = "support/shapes.rs"]
mod shapes;
mod support;

use std::path::Path;

use serde_json::{Value, json};

use shapes::{SHAPES, WRAPPERS, formats, rust_formats, wrap};
use support::{golden, holds, json_of_input, report, shows, text};

/// What the report finds in the story; Go's loggers write an error beside its first end, which is the end's detail.
fn expected(format: &str, has_blocks: bool) -> Value {
    let kind = |connect_type: &str, reason: &str, expected: bool, initiator: Value, trigger: Value| {
        json!({"connect_type": connect_type, "disconnect_reason": reason, "disconnect_expected": expected,
            "disconnect_initiator": initiator, "disconnect_trigger": trigger, "disconnect_peer": null,
            "count": 1, "inherited": 0})
    };
    let by = |message: &str, expected: u64| json!({"msg": message, "count": 1, "expected": expected, "unexpected": 1 - expected, "inherited": 0});
    let block = r"read tcp 10.0.0.7:44312->10.0.0.1:443:\nconnection reset by peer";
    let error = match format {
        "go-sloghuman.log" => has_blocks.then_some((block, "reset")),
        format => format.starts_with("go-").then_some(("read: EOF", "end_of_file")),
    };
    let details = ["process exited with error status: 1"].into_iter().chain(error.map(|(detail, _)| detail));
    let trigger = error.map_or(Value::Null, |(_, trigger)| json!(trigger));
    json!({
        "/ends": 3,
        "/expected": 1,
        "/unexpected": 2,
        "/first": "2026-05-13T17:42:21.701Z",
        "/last": "2026-05-13T17:42:23.1Z",
        "/kinds": [
            kind("agent_to_client", "process_exited", false, Value::Null, Value::Null),
            kind("server_to_agent", "network_error", false, json!("network"), trigger),
            kind("agent_to_client", "graceful", true, Value::Null, Value::Null),
        ],
        "/unexpected_details":
            details.map(|detail| json!({"disconnect_detail": detail, "count": 1})).collect::<Value>(),
        "/without_time": {"count": 0},
        "/by": [
            by("disconnected from derp map RPC", 0),
            by("reconnecting pty closed", 1),
            by("ssh session closed", 0),
        ],
        "/skipped/unreadable": null,
    })
}

/// Whether all of the story is found.
#[track_caller]
fn finds(log: &str, expected: &Value, about: &str) {
    holds(&json_of_input(&["--by", "msg"], log.as_bytes()), expected, about);
}

#[track_caller]
fn is_golden(name: &str, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden(name), text).expect("written");
    }
    assert_eq!(std::fs::read_to_string(golden(name)).expect(name), text, "{name}");
}

#[test]
fn golden_files_are_what_the_loggers_write() {
    for (name, log) in rust_formats() {
        is_golden(name, &log);
    }
}

/// What the example agent writes on a walk through all ends, which its own tests hold against it.
#[test]
fn the_walk_of_the_example_agent_has_its_golden_report() {
    let log = include_bytes!("../../agent/tests/golden/walk.jsonl");
    is_golden("walk.txt", &text(&report(&["--by", "msg"], Path::new("."), log)));
}

#[test]
fn every_format_is_read_in_every_wrapper() {
    for (name, log) in formats() {
        let expected = expected(name, true);
        for (wrapper, with) in WRAPPERS {
            finds(&wrap(&log, with), &expected, &format!("{name} in {wrapper}"));
        }
        finds(&json!({"log": log}).to_string(), &expected, &format!("{name} in one text"));
        let windows = format!("\u{feff}{}", log.replace('\n', "\r\n"));
        finds(&windows, &expected, &format!("{name} with a mark and Windows' line ends"));
        let colours = log.replace("[info]", "\u{1b}[34m[info]\u{1b}[0m");
        let colours = colours.replace("  disconnect_reason", "  \u{1b}[36mdisconnect_reason\u{1b}[0m");
        finds(&colours, &expected, &format!("{name} with more colours"));
    }
}

#[test]
fn every_format_is_read_in_every_shape() {
    for (name, log) in formats() {
        // Here a line is no more than itself.
        let expected = expected(name, false);
        let lines: Vec<_> = log.lines().collect();
        for (shape, gather) in SHAPES {
            finds(&gather(&lines), &expected, &format!("{name} in {shape}"));
        }
    }
}

/// Go agents write an empty line of a value as an empty line.
#[test]
fn an_empty_line_of_a_block_belongs_to_it_in_every_wrapper() {
    let block = "2026-05-13 17:42:21.701 [debu]  x  connect_type=agent_to_client ...\n    disconnect_reason= one\n\n      disconnect_reason=two\n";
    let details = json!([{"disconnect_detail": "one\\n\\ndisconnect_reason=two", "count": 1}]);
    for (_, with) in WRAPPERS {
        let expected = json!({"/ends": 1, "/skipped": {}, "/unexpected_details": details});
        shows(&[], wrap(block, with), &expected);
    }
}

#[test]
fn all_formats_in_one_log_add_up() {
    let logs: String = formats().into_iter().map(|(_, log)| wrap(&log, str::to_owned)).collect();
    let formats = formats().len();
    let expected = json!({"/ends": 3 * formats, "/unexpected": 2 * formats, "/by/2/count": formats});
    finds(&logs, &expected, "all formats");
}
