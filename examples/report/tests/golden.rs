//! Every format and every wrapper, with the same story and so with the same report.
//!
//! The files of the Rust loggers are what those loggers write, and so are the wrapped ones; with `UPDATE_GOLDEN`
//! in the environment they are written again. Those of the Go loggers follow their sources.

mod support;

use serde_json::{Value, json};

use support::{Tracing, golden, json_of_input, slog_json, story, tracing_lines};

/// What the Rust loggers write.
fn rust_formats() -> Vec<(&'static str, String)> {
    let story = story();
    let lines = |format, colours| tracing_lines(&story, format, colours);
    vec![
        ("slog-json.log", slog_json(&story)),
        ("tracing-json.log", lines(Tracing::Json, false)),
        ("tracing-json-flat.log", lines(Tracing::FlatJson, false)),
        ("tracing-full.log", lines(Tracing::Full, false)),
        ("tracing-full-colours.log", lines(Tracing::Full, true)),
        ("tracing-compact.log", lines(Tracing::Compact, false)),
        ("tracing-compact-colours.log", lines(Tracing::Compact, true)),
    ]
}

const GO_FORMATS: [&str; 5] = [
    "go-sloghuman.log",
    "go-slogjson.log",
    "go-slogstackdriver.log",
    "go-log-slog-json.log",
    "go-log-slog-text.log",
];

/// All formats, by the names of their golden files.
fn formats() -> Vec<(String, String)> {
    let rust = rust_formats()
        .into_iter()
        .map(|(name, log)| (name.to_owned(), log));
    let go = GO_FORMATS.into_iter().map(|name| {
        let log = std::fs::read_to_string(golden(name));
        (name.to_owned(), log.expect("read"))
    });
    rust.chain(go).collect()
}

type Wrap = fn(&str) -> String;

const WRAPPERS: [(&str, Wrap); 9] = [
    ("cri", |line| {
        format!("2026-05-13T17:42:29.7Z stdout F {line}")
    }),
    ("kubectl", |line| format!("[pod/agent-0/agent] {line}")),
    ("compose", |line| format!("agent-1  | {line}")),
    ("docker", |line| {
        json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2026-05-13T17:42:29.7Z"})
            .to_string()
    }),
    ("journald", |line| {
        // journald writes a text that a terminal would act on as its bytes.
        let message = if line.contains('\u{1b}') {
            json!(line.as_bytes())
        } else {
            json!(line)
        };
        json!({"MESSAGE": message, "__REALTIME_TIMESTAMP": "1778694149700000", "_PID": "7"})
            .to_string()
    }),
    ("journald-short", |line| {
        format!("May 13 17:42:29 host agent[7]: {line}")
    }),
    ("journald-iso", |line| {
        format!("2026-05-13T17:42:29+0000 host agent[7]: {line}")
    }),
    ("loki", |line| {
        json!({"labels": {"app": "agent"}, "line": line, "timestamp": "2026-05-13T17:42:29.7Z"})
            .to_string()
    }),
    ("google-cloud", |line| {
        match serde_json::from_str::<Value>(line) {
            Ok(payload) => {
                json!({"jsonPayload": payload, "timestamp": "2026-05-13T17:42:29.7Z"}).to_string()
            }
            Err(_) => {
                json!({"textPayload": line, "timestamp": "2026-05-13T17:42:29.7Z"}).to_string()
            }
        }
    }),
];

fn wrap(log: &str, wrap: Wrap) -> String {
    log.lines().map(|line| wrap(line) + "\n").collect()
}

/// What the report finds in the story, whatever wrote it.
fn expected() -> Value {
    let kind = |connect_type: &str, reason: &str, expected: bool, initiator: Value| {
        json!({"connect_type": connect_type, "disconnect_reason": reason, "disconnect_expected": expected,
            "disconnect_initiator": initiator, "disconnect_trigger": null, "count": 1, "inherited": 0})
    };
    json!({
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
    })
}

/// A report without what the number of lines decides.
#[track_caller]
fn found(log: &[u8]) -> Value {
    let report = json_of_input(&[], log);
    assert_eq!(report["skipped"]["unreadable"], Value::Null, "{report}");
    assert_eq!(report["skipped"]["no_end"]["count"], 2, "{report}");
    let mut found = json!({});
    for key in [
        "ends",
        "expected",
        "unexpected",
        "first",
        "last",
        "kinds",
        "unexpected_details",
        "without_time",
    ] {
        found[key] = report[key].clone();
    }
    found
}

#[test]
fn golden_files_are_what_the_loggers_write() {
    let wrapped = |(name, log): (String, String)| {
        let logs =
            WRAPPERS.map(|(wrapper, with)| (format!("{wrapper}-of-{name}"), wrap(&log, with)));
        logs.into_iter()
    };
    let bases = ["slog-json.log", "tracing-full.log", "go-sloghuman.log"];
    let rust = rust_formats()
        .into_iter()
        .map(|(name, log)| (name.to_owned(), log));
    let written = rust.chain(
        formats()
            .into_iter()
            .filter(|(name, _)| bases.contains(&name.as_str()))
            .flat_map(wrapped),
    );
    for (name, log) in written {
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(golden(&name), &log).expect("written");
        }
        let file = std::fs::read_to_string(golden(&name));
        assert_eq!(file.expect(&name), log, "{name}");
    }
}

#[test]
fn every_golden_file_gives_the_same_report() {
    let directory = std::fs::read_dir(golden("")).expect("listed");
    let mut files = 0;
    for entry in directory {
        let path = entry.expect("listed").path();
        let log = std::fs::read(&path).expect("read");
        assert_eq!(found(&log), expected(), "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 12 + 3 * WRAPPERS.len());
}

#[test]
fn every_format_is_read_in_every_wrapper_and_two_wrappers_deep() {
    for (name, log) in formats() {
        for (outer, with) in WRAPPERS {
            let wrapped = wrap(&log, with);
            assert_eq!(found(wrapped.as_bytes()), expected(), "{name} in {outer}");
        }
        // A collector reads what a container runtime wrote.
        let [cri, .., loki, _] = WRAPPERS;
        let twice = wrap(&wrap(&log, cri.1), loki.1);
        assert_eq!(found(twice.as_bytes()), expected(), "{name} in cri in loki");
    }
}

#[test]
fn colours_byte_order_marks_and_windows_line_ends_change_nothing() {
    let human = std::fs::read_to_string(golden("go-sloghuman.log")).expect("read");
    let coloured: String = human
        .lines()
        .map(|line| {
            let line = line.replace("[info]", "\u{1b}[34m[info]\u{1b}[0m");
            line.replace("disconnect_reason", "\u{1b}[36mdisconnect_reason\u{1b}[0m") + "\n"
        })
        .collect();
    assert_eq!(found(coloured.as_bytes()), expected());
    for (name, log) in formats() {
        let log = format!("\u{feff}{}", log.replace('\n', "\r\n"));
        assert_eq!(found(log.as_bytes()), expected(), "{name}");
    }
}

/// Go agents write an empty line of a value as an empty line.
#[test]
fn an_empty_line_of_a_block_belongs_to_it_in_every_wrapper() {
    let block = "2026-05-13 17:42:21.701 [debu]  x  connect_type=agent_to_client ...\n    disconnect_reason= one\n\n      disconnect_reason=two\n";
    for (wrapper, with) in [("nothing", str::to_owned as Wrap)]
        .into_iter()
        .chain(WRAPPERS)
    {
        let report = json_of_input(&[], wrap(block, with).as_bytes());
        assert_eq!(report["ends"], 1, "{wrapper}: {report}");
        assert_eq!(report["skipped"], json!({}), "{wrapper}");
        assert_eq!(
            report["unexpected_details"][0]["disconnect_detail"], "one\\n\\ndisconnect_reason=two",
            "{wrapper}"
        );
    }
}

#[test]
fn all_formats_in_one_log_add_up() {
    let logs: String = formats().into_iter().map(|(_, log)| log).collect();
    let report = json_of_input(&["--by", "msg"], logs.as_bytes());
    assert_eq!(
        (&report["ends"], &report["unexpected"]),
        (&json!(36), &json!(24))
    );
    assert_eq!(
        report["messages"],
        json!([
            {"msg": "disconnected from derp map RPC", "count": 12, "expected": 0, "unexpected": 12, "inherited": 0},
            {"msg": "reconnecting pty closed", "count": 12, "expected": 12, "unexpected": 0, "inherited": 0},
            {"msg": "ssh session closed", "count": 12, "expected": 0, "unexpected": 12, "inherited": 0},
        ])
    );
}
