//! The report: which ends it leaves out, what people see, what can't work.

mod support;

use std::path::Path;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};
use serde_json::json;

use support::{holds, json_of_input, report, shows, text};

const LOG: &str = concat!(
    r#"{"ts":"2026-01-02T03:00:00Z","msg":"ssh session closed","connect_type":"agent_to_client","disconnect_reason":"process exited with error status: 1","disconnect_expected":false,"disconnect_initiator":"","exit_code":1}"#,
    "\n",
    r#"{"ts":1767323400.25,"msg":"closed","connect_type":"agent_to_client","disconnect_reason":"graceful","disconnect_expected":true}"#,
    "\n",
    r#"{"timestamp":"2026-01-02T03:10:00.5Z","level":"WARN","fields":{"message":"closed","connect_type":"server_to_agent","disconnect_reason":"network_error","disconnect_expected":false,"disconnect_initiator":"network","disconnect_code":"websocket:1006"},"target":"agent"}"#,
    "\n",
    r#"{"ts":"2026-01-02T03:20:00Z","msg":"tick"}"#,
    "\n",
);

#[test]
fn since_until_and_only_unexpected_leave_ends_out() {
    for (arguments, ends) in [
        (&[][..], 3),
        (&["--since", "2026-01-02T03:05:00Z"], 2),
        (&["--since", "2026-01-02T03:10:00.5Z"], 1),
        (&["--until", "2026-01-02T03:10:00.5Z"], 2),
        (&["--since", "2026-01-02"], 3),
        (&["--until", "2026-01-02"], 0),
        (&["--until", "2h"], 3),
        (&["--only-unexpected"], 2),
    ] {
        shows(arguments, LOG, &json!({"/ends": ends, "/left_out": 3 - ends}));
    }
    // Whichever sign a span has, it is in the past.
    let now = support::json_text(|log| slog::info!(log, "now"));
    let now: serde_json::Value = serde_json::from_str(&now).expect("JSON");
    let just_now = LOG.replace("2026-01-02T03:00:00Z", now["ts"].as_str().expect("a time"));
    for span in ["2h", "-2h", "2h ago", "2 hours ago", "-1d"] {
        shows(&["--since", span], &just_now, &json!({"/ends": 1, "/left_out": 2}));
    }
    // A time without a year is none, and so is one under a key that is not known.
    for line in [
        "May 13 17:42:20.701 INFO closed, connect_type: agent_to_client, disconnect_reason: graceful",
        "<30>May 13 17:42:20 host agent[7]: connect_type=agent_to_client disconnect_reason=graceful",
        r#"{"when":"2026-01-02","connect_type":"agent_to_client","disconnect_reason":"graceful"}"#,
    ] {
        let first = json!({"count": 1, "first": "standard input:1"});
        shows(&["--since", "2h"], line, &json!({"/ends": 0, "/skipped/without_time": first}));
        shows(&[], line, &json!({"/ends": 1, "/first": null, "/without_time": first}));
    }
}

#[test]
fn bad_arguments_are_clear_errors() {
    for (arguments, expected) in [
        (&[file!(), "missing.log"][..], "can't read missing.log: No such file or directory (os error 2)\n"),
        (&["."], "can't read .: it is a directory; name the logs in it\n"),
        (&["--since", "noon", "-"], "expected a time"),
        (&["--away", "-"], "--by <KEY>"),
        (&["--threads", "0", "-"], "--threads"),
        (
            &["--since", "2026-01-03", "--until", "2026-01-02", "-"],
            "--since 2026-01-03T00:00:00Z is not before --until 2026-01-02T00:00:00Z: no end could count\n",
        ),
    ] {
        // Paths are those of the workspace.
        let output = report(arguments, Path::new("../.."), b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_empty_log_has_a_report() {
    let nothing = "0 ends in 0 lines\n\n  0 expected           0.0 %\n  0 to investigate     0.0 %\n";
    assert_eq!(text(&report(&["-"], Path::new("."), b"")), nothing);
}

/// Every reason and initiator survives the way through the log.
#[test]
fn every_word_comes_back() {
    let mut log = String::new();
    for reason in DisconnectReason::VARIANTS {
        for initiator in Initiator::VARIANTS {
            let end = Disconnect::new(ConnectType::ServerToAgent, *reason).with_initiator(*initiator);
            log += &(serde_json::to_string(&end).expect("written") + "\n");
        }
    }
    let report = json_of_input(&[], log.as_bytes());
    assert_eq!(report["kinds"].as_array().map(Vec::len), Some(50));
    holds(&report, &json!({"/expected": 20}), "all words");
}
