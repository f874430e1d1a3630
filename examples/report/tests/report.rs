//! The report: every kind of log that fleets write, in every shape that it arrives in.
mod support;

use std::io::Write;

use disconnect_attribution::{
    CloseCode, ConnectType, Disconnect, DisconnectReason, Initiator, classify_channel_close,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use support::{json_of, report, text};

const GO_LINE: &str = r#"{"ts":"2026-01-02T03:00:00Z","level":"INFO","msg":"ssh session closed","connect_type":"agent_to_client","disconnect_reason":"process exited with error status: 1","disconnect_expected":false,"disconnect_initiator":"","exit_code":1}"#;
const TRACING_LINE: &str = r#"{"timestamp":"2026-01-02T03:10:00.5Z","level":"WARN","fields":{"message":"closed","connect_type":"server_to_agent","disconnect_reason":"network_error","disconnect_expected":false,"disconnect_initiator":"network","disconnect_code":"websocket:1006"},"target":"agent"}"#;
const ZAP_LINE: &str = r#"{"ts":1767323400.25,"msg":"closed","connect_type":"agent_to_client","disconnect_reason":"graceful","disconnect_expected":true}"#;

/// What slog-json writes today.
fn slog_lines() -> String {
    support::json_text(|log| {
        let end =
            Disconnect::from_close_code(ConnectType::AgentToClient, CloseCode::Ssh(11), Initiator::Client);
        slog::info!(log, "ssh session closed"; end);
        let reset: Result<(), _> = Err("Connection reset by peer");
        slog::debug!(log, "JetBrains channel closed"; classify_channel_close(&reset));
        slog::info!(log, "tick"; "disconnect_reason_is_not_a_key" => 1);
    })
}

/// A log of each kind, plain and gzip.
fn logs() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("slog.log"), slog_lines()).expect("written");
    std::fs::write(path("go.log"), format!("{GO_LINE}\n{ZAP_LINE}\n")).expect("written");
    let file = std::fs::File::create(path("tracing.log.gz")).expect("created");
    let mut gzip = GzEncoder::new(file, Compression::fast());
    writeln!(gzip, "{TRACING_LINE}").expect("written");
    gzip.finish().expect("written");
    directory
}

#[test]
fn all_kinds_of_logs_are_counted_together() {
    let logs = logs();
    let report = json_of(&["slog.log", "go.log", "tracing.log.gz"], logs.path(), b"");
    assert_eq!(report["lines"], 6);
    assert_eq!(report["ends"], 5);
    assert_eq!(report["expected"], 2);
    assert_eq!(report["unexpected"], 3);
    let kind = |connect_type: &str, reason: &str, expected: bool, initiator: Value| {
        json!({"connect_type": connect_type, "disconnect_reason": reason,
            "disconnect_expected": expected, "disconnect_initiator": initiator,
            "disconnect_trigger": null, "disconnect_peer": null, "count": 1, "inherited": 0})
    };
    assert_eq!(
        report["kinds"],
        json!([
            kind("agent_to_client", "network_error", false, Value::Null),
            kind("agent_to_client", "process_exited", false, Value::Null),
            kind("server_to_agent", "network_error", false, json!("network")),
            kind("agent_to_client", "client_closed", true, json!("client")),
            kind("agent_to_client", "graceful", true, Value::Null),
        ]),
    );
    assert_eq!(
        report["unexpected_details"],
        json!([
            {"disconnect_detail": "Connection reset by peer", "count": 1},
            {"disconnect_detail": "process exited with error status: 1", "count": 1},
        ]),
    );
    assert_eq!(report["unexpected_codes"], json!([{"disconnect_code": "websocket:1006", "count": 1}]),);
    assert_eq!(report["skipped"], json!({"no_end": {"count": 1, "first": "slog.log:3"}}));
}

#[test]
fn standard_input_is_a_file_too_plain_or_gzip() {
    let logs = logs();
    let gzip = std::fs::read(logs.path().join("tracing.log.gz")).expect("read");
    for input in [TRACING_LINE.as_bytes(), &gzip] {
        let report = json_of(&["-"], logs.path(), input);
        assert_eq!((&report["lines"], &report["ends"]), (&json!(1), &json!(1)));
    }
}

#[test]
fn nothing_is_lost_silently() {
    let logs = logs();
    let reason = "\"disconnect_reason\"";
    let input = [
        "plain text",
        "",
        &GO_LINE[..60],
        "{\"disconnect_reason\":\"cut",
        "42",
        "[1,2]",
        r#"{"msg":"mentions disconnect_reason only"}"#,
        r#"{"fields":7,"msg":"disconnect_reason"}"#,
        &format!(r#"{{"connect_type":"moon_to_mars",{reason}:"graceful"}}"#),
        &format!(r#"{{{reason}:"graceful"}}"#),
        &format!("{{\"msg\":\"{}\"}}", "x".repeat(3 << 20)),
        GO_LINE, // without a line break
    ]
    .join("\n");
    let report = json_of(&["-"], logs.path(), input.as_bytes());
    assert_eq!(report["lines"], 12);
    assert_eq!(report["ends"], 1);
    let skipped = &report["skipped"];
    assert_eq!(skipped["no_end"], json!({"count": 7, "first": "standard input:1"}));
    assert_eq!(skipped["too_long"], json!({"count": 1, "first": "standard input:11"}));
    assert_eq!(skipped["unreadable"]["count"], 3);
    let first = skipped["unreadable"]["first"].as_str().expect("a text");
    let why = "standard input:4: EOF while parsing a string at line 1 column 25";
    assert!(first.starts_with(why), "{first}");
}

#[test]
fn a_damaged_gzip_counts_up_to_the_damage() {
    let logs = logs();
    let path = logs.path().join("tracing.log.gz");
    let mut bytes = std::fs::read(&path).expect("read");
    bytes.truncate(bytes.len() - 4);
    std::fs::write(&path, bytes).expect("written");
    let report = json_of(&["tracing.log.gz", "go.log"], logs.path(), b"");
    assert_eq!(report["skipped"]["read_error"]["count"], 1);
    assert_eq!(report["ends"], 3);
}

fn now() -> String {
    let line = support::json_text(|log| slog::info!(log, "now"));
    let line: Value = serde_json::from_str(&line).expect("JSON");
    line["ts"].as_str().expect("a time").to_owned()
}

#[test]
fn since_until_and_only_unexpected_leave_ends_out() {
    let logs = logs();
    let ends = |arguments: &[&str]| {
        let arguments = [&["go.log", "tracing.log.gz"], arguments].concat();
        let report = json_of(&arguments, logs.path(), b"");
        (report["ends"].as_u64(), report["left_out"].as_u64())
    };
    assert_eq!(ends(&[]), (Some(3), Some(0)));
    assert_eq!(ends(&["--since", "2026-01-02T03:05:00Z"]), (Some(2), Some(1)));
    assert_eq!(ends(&["--since", "2026-01-02T03:10:00.5Z"]), (Some(1), Some(2)));
    assert_eq!(ends(&["--until", "2026-01-02T03:10:00.5Z"]), (Some(2), Some(1)));
    assert_eq!(ends(&["--since", "2026-01-02"]), (Some(3), Some(0)));
    assert_eq!(ends(&["--until", "2026-01-02"]), (Some(0), Some(3)));
    assert_eq!(ends(&["--until", "2h"]), (Some(3), Some(0)));
    assert_eq!(ends(&["--only-unexpected"]), (Some(2), Some(1)));

    // Whichever sign a span has, it is in the past.
    let just_now = format!("{}\n", GO_LINE.replace("2026-01-02T03:00:00Z", &now()));
    for span in ["2h", "-2h", "2h ago", "2 hours ago", "-1d"] {
        let report = json_of(&["--since", span, "-"], logs.path(), just_now.as_bytes());
        assert_eq!((&report["ends"], &report["left_out"]), (&json!(1), &json!(0)), "{span}");
    }

    let no_time = GO_LINE.replace("\"ts\"", "\"when\"");
    let report = json_of(&["--since", "2h", "-"], logs.path(), no_time.as_bytes());
    assert_eq!(report["skipped"]["without_time"]["count"], 1);
}

#[test]
fn bad_arguments_are_clear_errors() {
    let logs = logs();
    let error = |arguments: &[&str]| {
        let output = report(arguments, logs.path(), b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert_eq!(
        error(&["go.log", "missing.log"]),
        "disconnect-report: can't read missing.log: No such file or directory (os error 2)\n",
    );
    assert_eq!(error(&["."]), "disconnect-report: can't read .: it is a directory; name the logs in it\n");
    assert!(error(&["--since", "noon", "go.log"]).contains("expected a time"));
    assert!(error(&["--away", "go.log"]).contains("--by <KEY>"));
    assert!(error(&["--threads", "0", "go.log"]).contains("--threads"));
    assert_eq!(
        error(&["--since", "2026-01-03", "--until", "2026-01-02", "go.log"]),
        "disconnect-report: --since 2026-01-03T00:00:00Z is not before --until 2026-01-02T00:00:00Z: no end could count\n",
    );
}

#[test]
fn people_see_what_to_investigate_first() {
    let logs = logs();
    let text = text(&report(&["slog.log", "go.log", "tracing.log.gz"], logs.path(), b""));
    for part in [
        "5 ends in 6 lines, 2026-01-02T03:00:00Z to ",
        "  2 expected          40.0 %\n  3 to investigate    60.0 %\n",
        "  agent_to_client  network_error                 1  ██████████",
        "Ends to investigate over time, ",
        "Details of the ends to investigate\n\n  1  Connection reset by peer\n",
        "Close codes of the ends to investigate\n\n  1  websocket:1006\n",
        "1 line about something else, first slog.log:3\n",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn an_empty_log_is_no_error() {
    let logs = logs();
    assert_eq!(
        text(&report(&["-"], logs.path(), b"")),
        "0 ends in 0 lines\n\n  0 expected           0.0 %\n  0 to investigate     0.0 %\n"
    );
}

/// Every reason and initiator survives the way through the log.
#[test]
fn every_word_comes_back() {
    let logs = logs();
    let mut lines = Vec::new();
    for reason in DisconnectReason::VARIANTS {
        for initiator in Initiator::VARIANTS {
            let end = Disconnect::new(ConnectType::ServerToAgent, *reason).with_initiator(*initiator);
            lines.push(serde_json::to_string(&end).expect("written"));
        }
    }
    let report = json_of(&["-"], logs.path(), lines.join("\n").as_bytes());
    assert_eq!(report["kinds"].as_array().map(Vec::len), Some(50));
    assert_eq!(report["expected"], 20);
}
