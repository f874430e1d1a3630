//! Every format in every wrapper and shape: the same story, and so the same report.
//!
//! The files of the Rust loggers are what those loggers write; with `UPDATE_GOLDEN` in the environment they are
//! written again. Those of the Go loggers follow their sources.

#[path = "support/shapes.rs"]
mod shapes;
mod support;

use serde_json::{Value, json};

use shapes::{SHAPES, WRAPPERS, Wrap, fluent_bit, formats, rust_formats, wrap};
use support::{golden, json_of_input};

/// What the report finds in the story; Go's loggers write an error beside its first end, which is the end's detail.
fn expected(error: Option<(&str, &str)>) -> Value {
    let kind = |connect_type: &str, reason: &str, expected: bool, initiator: Value| {
        json!({"connect_type": connect_type, "disconnect_reason": reason, "disconnect_expected": expected,
            "disconnect_initiator": initiator, "disconnect_trigger": null, "disconnect_peer": null,
            "count": 1, "inherited": 0})
    };
    let mut expected = json!({
        "ends": 3,
        "expected": 1,
        "unexpected": 2,
        "first": "2026-05-13T17:42:21.701Z",
        "last": "2026-05-13T17:42:23.1Z",
        "kinds": [
            kind("agent_to_client", "process_exited", false, Value::Null),
            kind("server_to_agent", "network_error", false, json!("network")),
            kind("agent_to_client", "graceful", true, Value::Null),
        ],
        "unexpected_details": [{"disconnect_detail": "process exited with error status: 1", "count": 1}],
        "without_time": {"count": 0},
        "by": [
            {"msg": "disconnected from derp map RPC", "count": 1, "expected": 0, "unexpected": 1, "inherited": 0},
            {"msg": "reconnecting pty closed", "count": 1, "expected": 1, "unexpected": 0, "inherited": 0},
            {"msg": "ssh session closed", "count": 1, "expected": 0, "unexpected": 1, "inherited": 0},
        ],
    });
    if let Some((detail, trigger)) = error {
        expected["kinds"][1]["disconnect_trigger"] = json!(trigger);
        let details = expected["unexpected_details"].as_array_mut().expect("a list");
        details.push(json!({"disconnect_detail": detail, "count": 1}));
    }
    expected
}

fn expected_of(format: &str) -> Value {
    expected(match format {
        "go-sloghuman.log" => {
            Some((r"read tcp 10.0.0.7:44312->10.0.0.1:443:\nconnection reset by peer", "reset"))
        }
        format if format.starts_with("go-") => Some(("read: EOF", "end_of_file")),
        _ => None,
    })
}

/// A report without what the number of lines decides, or how many records of three can't be read.
fn found(log: &str, expected: &Value) -> Result<Value, u64> {
    let report = json_of_input(&["--by", "msg"], log.as_bytes());
    let unreadable = report["skipped"]["unreadable"]["count"].as_u64().unwrap_or(0);
    assert_eq!(report["ends"].as_u64().expect("a count") + unreadable, 3, "{report}\n{log}");
    if unreadable > 0 {
        return Err(unreadable);
    }
    let keys = expected.as_object().expect("an object").keys();
    Ok(keys.map(|key| (key.clone(), report[key].clone())).collect())
}

#[test]
fn golden_files_are_what_the_loggers_write() {
    for (name, log) in rust_formats() {
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(golden(name), &log).expect("written");
        }
        assert_eq!(std::fs::read_to_string(golden(name)).expect(name), log, "{name}");
    }
}

#[test]
fn every_format_is_read_in_every_wrapper() {
    for (name, log) in formats() {
        let expected = expected_of(name);
        for (wrapper, with) in WRAPPERS {
            assert_eq!(found(&wrap(&log, with), &expected), Ok(expected.clone()), "{name} in {wrapper}");
        }
        let windows = format!("\u{feff}{}", log.replace('\n', "\r\n"));
        assert_eq!(found(&windows, &expected), Ok(expected), "{name} with a mark and Windows' line ends");
    }
}

#[test]
fn every_format_is_read_in_every_shape() {
    for (name, log) in formats() {
        // Here a line is no more than itself.
        let expected = expected_of(if name == "go-sloghuman.log" { "" } else { name });
        let lines: Vec<_> = log.lines().collect();
        for (shape, gather) in SHAPES {
            assert_eq!(found(&gather(&lines), &expected), Ok(expected.clone()), "{name} in {shape}");
        }
        // A last word without quotes has the map's end at it.
        let found = found(&wrap(&log, fluent_bit), &expected);
        let is_named = found.is_err() && name.starts_with("go-sloghuman");
        assert!(is_named || found == Ok(expected), "{name} in Fluent Bit's output: {found:?}");
    }
}

#[test]
fn colours_of_the_human_format_change_nothing() {
    let human = std::fs::read_to_string(golden("go-sloghuman.log")).expect("read");
    let coloured = human
        .replace("[info]", "\u{1b}[34m[info]\u{1b}[0m")
        .replace("disconnect_reason", "\u{1b}[36mdisconnect_reason\u{1b}[0m");
    let expected = expected_of("go-sloghuman.log");
    assert_eq!(found(&coloured, &expected), Ok(expected));
}

/// Go agents write an empty line of a value as an empty line.
#[test]
fn an_empty_line_of_a_block_belongs_to_it_in_every_wrapper() {
    let block = "2026-05-13 17:42:21.701 [debu]  x  connect_type=agent_to_client ...\n    disconnect_reason= one\n\n      disconnect_reason=two\n";
    for (wrapper, with) in WRAPPERS {
        let report = json_of_input(&[], wrap(block, with).as_bytes());
        assert_eq!((&report["ends"], &report["skipped"]), (&json!(1), &json!({})), "{wrapper}: {report}");
        let detail = &report["unexpected_details"][0]["disconnect_detail"];
        assert_eq!(detail, "one\\n\\ndisconnect_reason=two", "{wrapper}");
    }
}

#[test]
fn all_formats_in_one_log_add_up() {
    let as_is: Wrap = str::to_owned;
    let logs: String = formats().into_iter().map(|(_, log)| wrap(&log, as_is)).collect();
    let report = json_of_input(&["--by", "msg"], logs.as_bytes());
    let formats = formats().len();
    assert_eq!((&report["ends"], &report["unexpected"]), (&json!(3 * formats), &json!(2 * formats)));
    assert_eq!(report["by"][2]["count"], formats);
}
