//! What people post: lines as real tools hand them on, each with what is right. Names and addresses are made up.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::{holds, json_of, shows};

fn reality(arguments: &[&str], file: &str) -> Value {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reality");
    json_of(&[arguments, &[file]].concat(), &directory, b"")
}

const RESET: &str = "agent_to_client network_error network reset";
const LEFT: &str = "agent_to_client client_closed client";
const REJECTED: &str = "server_to_agent rejected server";
const GO_RESET: &str = "agent_to_client network_error reset";
const LOST: &str = "server_to_agent network_error network reset";
const READ_FAILED: &str = "read failed: Connection reset by peer (os error 104)";
const IN_A_BLOCK: &str = r"read tcp 10.0.0.7:22->10.0.0.9:4711:\nread: connection reset by peer";
const TO_CLIENT: &str = "read tcp 10.0.0.7:22->10.0.0.9:4711: read: connection reset by peer";
const TO_SERVER: &str = "read tcp 10.0.0.7:44312->10.0.0.1:443: read: connection reset by peer";
const CLOSED: &str = "ssh session closed";

/// A file; its ends; how many records can't be read; the detail; the message; the times of the first and the last.
type Row = (&'static str, &'static [&'static str], u64, &'static str, &'static str, [&'static str; 2]);

const T20: &str = "2026-05-13T17:42:20.701Z";
const T21: &str = "2026-05-13T17:42:21.701Z";
const T22: &str = "2026-05-13T17:42:22.701Z";
const T23: &str = "2026-05-13T17:42:23.701Z";
const T24: &str = "2026-05-13T17:42:24.701Z";
const S20: &str = "2026-05-13T17:42:20Z";
const S21: &str = "2026-05-13T17:42:21Z";
const T22_015: &str = "2026-05-13T17:42:22.015Z";

const FILES: [Row; 26] = [
    ("zap.jsonl", &["agent_to_client graceful"], 0, "", CLOSED, [T21, T21]),
    ("tracing-stackdriver.jsonl", &[RESET, REJECTED, LEFT], 0, READ_FAILED, CLOSED, [T20, T22]),
    ("tracing-journald.jsonl", &[RESET, REJECTED, LEFT], 0, READ_FAILED, CLOSED, [T20, T22]),
    ("otlp-attributes.jsonl", &[RESET, REJECTED, LEFT], 0, READ_FAILED, CLOSED, [T20, T22]),
    ("elastic-search-response.json", &[RESET, REJECTED, LEFT], 0, READ_FAILED, "", [T20, T22]),
    ("cloudwatch-get-log-events.json", &[RESET, REJECTED, LEFT], 0, READ_FAILED, CLOSED, [T20, T22]),
    ("grafana-explore-download.json", &[RESET, LEFT], 0, READ_FAILED, CLOSED, [T20, T21]),
    ("two-lines-glued.log", &[], 1, "", "", ["", ""]),
    ("fluentd-out_file-human.log", &[RESET], 0, READ_FAILED, CLOSED, [T20, T20]),
    ("cloudwatch-insights-human.csv", &[RESET], 0, READ_FAILED, CLOSED, [T20, T20]),
    ("tmux-copy.log", &[], 1, "", "", ["", ""]),
    ("lens-trailing-time.log", &[], 1, "", "", ["", ""]),
    ("fluentd-stdout-docker.log", &[RESET], 0, READ_FAILED, CLOSED, [T20, T20]),
    ("logcli-default.log", &[RESET, LEFT], 0, READ_FAILED, CLOSED, [T20, T21]),
    // Its time has no year, so that it is none.
    ("slog-term-full.log", &[RESET], 0, READ_FAILED, CLOSED, ["", ""]),
    ("gelf.jsonl", &[RESET], 0, READ_FAILED, CLOSED, [T20, T20]),
    ("numbers-as-texts.jsonl", &["agent_to_client process_exited"], 0, "", "", [T20, T20]),
    ("stern-default-human.log", &[RESET, LEFT], 0, READ_FAILED, CLOSED, [T20, T21]),
    ("rfc5424-tracing.log", &[RESET, LEFT], 0, READ_FAILED, CLOSED, [T20, T21]),
    ("go-slog-default-handler.log", &[RESET, LEFT], 0, READ_FAILED, CLOSED, [S20, S21]),
    ("zap-console.log", &[RESET, LEFT], 0, READ_FAILED, CLOSED, [T20, T21]),
    ("times-under-other-keys.jsonl", &[RESET], 0, READ_FAILED, "x", [T20, "2026-05-13T17:42:26.7015Z"]),
    ("stern-block-reason.log", &[GO_RESET], 0, IN_A_BLOCK, CLOSED, [T22_015, T22_015]),
    ("az-containerapp-unescaped.jsonl", &[RESET], 0, READ_FAILED, CLOSED, [T20, T20]),
    ("go-control-plane-error.log", &[LOST], 0, TO_SERVER, "disconnected from coordination RPC", [T21, T21]),
    ("go-texts.jsonl", &[GO_RESET], 0, TO_CLIENT, CLOSED, [T23, T24]),
];

#[test]
fn what_people_post_comes_out_right() {
    for (file, kinds, unreadable, detail, message, times) in FILES {
        let report = reality(&["--by", "msg"], file);
        let found: Vec<String> = report["kinds"].as_array().expect("a list").iter().map(kind).collect();
        assert_eq!(found, kinds, "{file}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert_eq!(report["skipped"]["unreadable"]["count"].as_u64().unwrap_or(0), unreadable, "{file}");
        assert_eq!(text(&report["unexpected_details"][0]["disconnect_detail"]), detail, "{file}");
        assert_eq!(text(&report["by"][0]["msg"]), message, "{file}");
        assert_eq!([text(&report["first"]), text(&report["last"])], times, "{file}");
    }
}

fn kind(kind: &Value) -> String {
    let keys = ["connect_type", "disconnect_reason", "disconnect_initiator", "disconnect_trigger"];
    keys.iter().filter_map(|key| kind[key].as_str()).collect::<Vec<_>>().join(" ")
}

/// One end each, at the same time, whatever a collector made of its keys and values.
#[test]
fn keys_and_values_are_read_as_collectors_spell_them() {
    let plain =
        json!({"connect_type": "agent_to_client", "disconnect_reason": "process_exited", "exit_code": 7});
    let with = |key: fn(&str) -> String, value: fn(&Value) -> Value| -> Value {
        plain.as_object().expect("a map").iter().map(|(name, part)| (key(name), value(part))).collect()
    };
    let own = |key: &str| key.to_owned();
    let as_is = |value: &Value| value.clone();
    let pairs = |key: &str, name: &str| {
        let pair = |(key_of, part): (&String, &Value)| json!({key: key_of, name: {"stringValue": part}});
        plain.as_object().expect("a map").iter().map(pair).collect::<Value>()
    };
    let arrays = with(own, |value| json!([value]));
    for (shape, line) in [
        ("slog-journald", with(str::to_uppercase, |value| json!(value.to_string().trim_matches('"')))),
        ("Azure", with(|key| format!("{key}_s"), as_is)),
        ("ECS", with(|key| format!("labels.{key}"), as_is)),
        ("fractions", with(own, |value| value.as_f64().map_or(value.clone(), Value::from))),
        ("Elasticsearch's fields", json!({"_source": plain, "fields": arrays})),
        ("arrays of one", json!({"fields": arrays})),
        (
            "Elasticsearch's highlights",
            json!({"_source": plain, "highlight": {"disconnect_reason": ["<em>x</em>"]}}),
        ),
        (
            "a table",
            json!({"columns": [{"name": "connect_type"}, {"name": "disconnect_reason"}],
            "rows": [["agent_to_client", "process_exited"]]}),
        ),
        ("Loki's labels", json!({"stream": plain, "values": [["1778694140701000000", "closed"]]})),
        ("a line beside Loki's labels", json!({"stream": plain, "values": [["1", plain.to_string()]]})),
        (
            "empty texts",
            json!({"connect_type": "agent_to_client", "disconnect_reason": "process_exited", "exit_code": ""}),
        ),
        (
            "protobuf's own names",
            json!({"attributes": [
                {"key": "connect_type", "value": {"string_value": "agent_to_client"}},
                {"key": "disconnect_reason", "value": {"string_value": "process_exited"}},
            ]}),
        ),
        ("kebab case", with(|key| key.replace('_', "-"), as_is)),
        ("exponents", with(own, |value| value.as_i64().map_or(value.clone(), |_| json!("7e+00")))),
        ("a line beside its fields", json!({"message": plain.to_string(), "attributes": plain})),
        ("a note beside a line", json!({"a": "disconnect_reason=?", "log": plain.to_string()})),
        ("OTLP's attributes", json!({"attributes": pairs("key", "value")})),
        ("OTLP's body", json!({"body": {"kvlistValue": {"values": pairs("key", "value")}}})),
        ("an unknown envelope", json!({"a": [{"b": json!({"c": plain.to_string()}).to_string()}]})),
    ] {
        let line = json!({"instant": {"epochSecond": 1_778_694_140, "nanoOfSecond": 701_000_000}, "x": line});
        let expected = json!({"/ends": 1, "/kinds/0/disconnect_reason": "process_exited", "/first": T20, "/skipped": {}});
        for text in
            [line.to_string(), format!("[0] {shape}: {line}]"), line.to_string().replace("\":", "\"=>")]
        {
            shows(&[], text, &expected);
        }
    }
}

/// A record whose fields stand on lines of their own, as `journalctl -o export` and `-o verbose` have those of slog-journald
/// and tracing-journald.
#[test]
fn exported_fields_are_a_record() {
    let fields = [
        "MESSAGE=closed",
        "F_CONNECT_TYPE=agent_to_client",
        "F_DISCONNECT_REASON=process_exited",
        "F_EXIT_CODE=7",
    ];
    for indent in ["", "    "] {
        let record = fields.map(|field| format!("{indent}{field}\n")).concat();
        let log =
            format!("__CURSOR=s=1\n{indent}__REALTIME_TIMESTAMP=1778694140701000\n{record}\n").repeat(2);
        let by = json!({"msg": "closed", "count": 2, "expected": 0, "unexpected": 2, "inherited": 0});
        shows(
            &["--by", "msg"],
            log,
            &json!({"/ends": 2, "/by/0": by, "/first": T20, "/skipped/unreadable": null}),
        );
    }
}

#[test]
fn utf_16_is_named_with_its_command_as_a_file_and_at_the_end_of_one() {
    let report = reality(&[], "powershell-utf16be.log");
    let first = report["skipped"]["read_error"]["first"].as_str().expect("a text");
    assert!(first.contains("iconv -f UTF-16 -t UTF-8 FILE"), "{first}");
    let line = r#"{"connect_type":"agent_to_client","disconnect_reason":"graceful"}"#.to_owned() + "\n";
    for wide in [u16::to_le_bytes, u16::to_be_bytes] {
        let wide: Vec<u8> = line.encode_utf16().flat_map(wide).collect();
        let expected = json!({"/ends": 1, "/skipped/unreadable/count": 1});
        shows(&[], [line.as_bytes(), &wide].concat(), &expected);
    }
}

#[test]
fn a_message_that_journald_left_out_is_named() {
    let log = "{\"MESSAGE\":null,\"_PID\":\"7\"}\n{\n\t\"MESSAGE\" : null\n}\n{\n  \"MESSAGE\": null\n}\n\
        {\"MESSAGE\":null,\"F_CONNECT_TYPE\":\"agent_to_client\",\"F_DISCONNECT_REASON\":\"graceful\"}\n";
    let left_out = json!({"count": 3, "first": "standard input:1"});
    shows(&[], log, &json!({"/ends": 1, "/skipped/without_message": left_out}));
}

/// Older and newer journalctl, its pretty form and jq differ in what stands between the bytes.
#[test]
fn a_message_that_journald_writes_as_bytes_is_read_however_it_does() {
    let line = "\u{1b}[2m2026-05-13T17:42:20.701Z\u{1b}[0m x connect_type=\"agent_to_client\" disconnect_reason=\"graceful\"";
    let bytes: Vec<_> = line.bytes().map(|byte| byte.to_string()).collect();
    for between in [",", ", ", ",\n\t\t", ",\n    "] {
        let log = format!("{{\n\t\"MESSAGE\" : [\n\t\t{}\n\t]\n}}\n", bytes.join(between));
        shows(&[], log, &json!({"/ends": 1, "/first": T20}));
    }
}

/// This side's own timer is no hint at another's, a user among twenty shows, and an expiry has its hour.
#[test]
fn the_questions_of_operators_have_answers() {
    let host = json!({"host": "ws-07", "count": 91, "expected": 0, "unexpected": 91, "inherited": 0});
    let expiries = json!([{"disconnect_detail": "ConnectionExpired: Reconnect to continue", "count": 72}]);
    let month = ["--since", "2026-05-01", "--until", "2026-06-01"];
    for (arguments, file, expected) in [
        (
            &[][..],
            "own-keepalive.jsonl",
            json!({"/unexpected_silences/clusters": [], "/unexpected_silences/floor": null}),
        ),
        (&["--by", "host"], "one-user-of-twenty.jsonl", json!({"/by/0": host})),
        (
            &["--expected"],
            "hourly-expiry.jsonl",
            json!({"/expected_lifetimes/clusters/0/seconds": 3_600, "/expected_lifetimes/clusters/0/count": 72,
                "/expected_details": expiries}),
        ),
        // Seconds, milliseconds, and a time that is UTC for want of a zone.
        (&month, "times-under-other-keys.jsonl", json!({"/ends": 7, "/skipped": {}})),
        (&month, "slog-term-full.log", json!({"/ends": 0, "/skipped/without_time/count": 1})),
    ] {
        holds(&reality(arguments, file), &expected, file);
    }
}

/// Each line of a block was once a reason to look at all that follow: 78 s.
#[test]
fn a_block_under_no_header_is_read_in_one_pass() {
    let start = Instant::now();
    let report = reality(&[], "quadratic-block.log.gz");
    assert_eq!((&report["ends"], &report["skipped"]["unreadable"]["count"]), (&json!(0), &json!(14_000)));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
