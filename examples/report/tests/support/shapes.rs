//! Every format of a line, and every shape in which collectors and tools hand lines on.
#![allow(dead_code)] // each test binary uses its own part

use serde_json::{Value, json};

use crate::support::{Tracing, golden, slog_json, slog_term, story, tracing_lines};

/// What the Rust loggers write.
pub(crate) fn rust_formats() -> Vec<(&'static str, String)> {
    let story = story();
    let lines = |format, colours| tracing_lines(&story, format, colours);
    vec![
        ("slog-json.log", slog_json(&story)),
        ("slog-term-full.log", slog_term(&story, false)),
        ("slog-term-compact.log", slog_term(&story, true)),
        ("tracing-json.log", lines(Tracing::Json, false)),
        ("tracing-json-flat.log", lines(Tracing::FlatJson, false)),
        ("tracing-full.log", lines(Tracing::Full, false)),
        ("tracing-full-colours.log", lines(Tracing::Full, true)),
        ("tracing-compact.log", lines(Tracing::Compact, false)),
        ("tracing-compact-colours.log", lines(Tracing::Compact, true)),
        ("tracing-pretty.log", lines(Tracing::Pretty, false)),
    ]
}

/// What the Go loggers write, by their sources.
const GO_FORMATS: [&str; 5] = [
    "go-sloghuman.log",
    "go-slogjson.log",
    "go-slogstackdriver.log",
    "go-log-slog-json.log",
    "go-log-slog-text.log",
];

/// All formats, by the names of their golden files.
pub(crate) fn formats() -> Vec<(&'static str, String)> {
    let go = GO_FORMATS.map(|name| (name, std::fs::read_to_string(golden(name)).expect("read")));
    rust_formats().into_iter().chain(go).collect()
}

/// A line in a wrapper.
pub(crate) type Wrap = fn(&str) -> String;

const AT: &str = "2026-05-13T17:42:29.7Z";

/// What writes one line for each. Lines under a line stay there.
pub(crate) const WRAPPERS: [(&str, Wrap); 36] = [
    ("nothing", str::to_owned),
    ("CRI", |line| format!("{AT} stdout F {line}")),
    ("kubectl --prefix", |line| format!("[pod/agent-0/agent] {line}")),
    ("kubectl --timestamps", |line| format!("{AT} {line}")),
    ("compose", |line| format!("agent-1  | {line}")),
    ("docker service", |line| format!("agent.1.k3v9x2@node-1    | {line}")),
    ("stern", |line| format!("agent-7d agent {line}")),
    ("podman", |line| format!("2026-05-13T19:42:29.700000000+02:00 stdout F {line}")),
    ("s6", |line| format!("2026-05-13 17:42:29.700000000  {line}")),
    ("multilog", |line| format!("@400000006a04b80f29b92700 {line}")),
    ("RFC 3164", |line| format!("<30>May 13 17:42:29 host agent[7]: {line}")),
    ("RFC 5424", |line| format!("<30>1 {AT} host agent 7 - - {line}")),
    ("RFC 5424 with data", |line| format!("<30>1 {AT} host agent 7 - [meta n=\"1\" note=\"a b\"] {line}")),
    ("docker logs --details", |line| format!("app=agent,env=test {line}")),
    // What wraps the line has a level, too.
    ("flyctl logs", |line| format!("{AT} app[0e286] ams [info] {line}")),
    ("env_logger", |line| format!("[{AT} INFO  wrapper] {line}")),
    ("journalctl", |line| format!("May 13 17:42:29 host agent[7]: {line}")),
    ("journalctl -o short-iso", |line| format!("2026-05-13T17:42:29+0000 host agent[7]: {line}")),
    ("journalctl -o short-full", |line| format!("Wed 2026-05-13 17:42:29 UTC host agent[7]: {line}")),
    ("journalctl -o with-unit", |line| format!("Wed 2026-05-13 17:42:29 UTC host agent.service[7]: {line}")),
    ("journalctl -o short-unix", |line| format!("1778694149.700000 host agent[7]: {line}")),
    ("Docker", |line| json!({"log": format!("{line}\n"), "stream": "stdout", "time": AT}).to_string()),
    ("journalctl -o json", |line| {
        // journald writes a text that a terminal would act on as its bytes.
        let message = if line.contains('\u{1b}') { json!(line.as_bytes()) } else { json!(line) };
        json!({"MESSAGE": message, "__REALTIME_TIMESTAMP": "1778694149700000", "_PID": "7"}).to_string()
    }),
    ("Loki", |line| json!({"labels": {"app": "agent"}, "line": line, "timestamp": AT}).to_string()),
    ("textPayload", |line| json!({"textPayload": line, "timestamp": AT}).to_string()),
    ("Splunk", |line| json!({"result": {"_time": AT, "host": "h", "_raw": line}}).to_string()),
    ("fluentd file", |line| format!("{AT}\tkube.agent\t{}", json!({"log": line, "stream": "stdout"}))),
    ("fluentd stdout", |line| {
        format!("2026-05-13 17:42:29.700000000 +0000 kube.agent: {}", json!({"log": line}))
    }),
    ("Fluent Bit file", |line| format!("agent: [1778694149.700000, {}]", json!({"log": line}))),
    ("GELF", |line| {
        json!({"version": "1.1", "short_message": line, "timestamp": 1_778_694_149.7}).to_string()
    }),
    ("rsyslog", |line| format!("May 13 17:42:29 host agent[7]: {}", line.replace('\u{1b}', "#033"))),
    ("a browser without colours", |line| line.replace('\u{1b}', "")),
    ("HTML", |line| line.replace('"', "&quot;")),
    ("logcli", |line| format!("{AT} {{app=\"agent\", pod=\"agent-7d\"}} {line}")),
    ("json-seq", |line| format!("\u{1e}{}", json!({"MESSAGE": line}))),
    ("CRI in Loki", |line| json!({"line": format!("{AT} stdout F {line}"), "timestamp": AT}).to_string()),
];

pub(crate) fn wrap(log: &str, wrap: Wrap) -> String {
    log.lines().map(|line| wrap(line) + "\n").collect()
}

/// All lines of a log in one answer or file.
type Gather = fn(&[&str]) -> String;

fn each(lines: &[&str], value: fn(&str) -> Value) -> Value {
    lines.iter().map(|line| value(line)).collect()
}

fn all(lines: &[&str], text: fn(&str) -> String) -> String {
    lines.iter().map(|line| text(line)).collect()
}

/// What hands on many lines at once, each for itself.
pub(crate) const SHAPES: [(&str, Gather); 23] = [
    ("an array", |lines| json!(lines).to_string()),
    ("a text of JSON a line", |lines| all(lines, |line| json!(line).to_string() + "\n")),
    ("json-pretty", |lines| all(lines, |line| format!("{:#}\n", json!({"MESSAGE": line, "_PID": "7"})))),
    ("a pretty array", |lines| {
        format!("{:#}", each(lines, |line| json!({"textPayload": line, "labels": [1]})))
    }),
    ("journalctl -o export", |lines| {
        all(lines, |line| format!("__REALTIME_TIMESTAMP=1778694149700000\nMESSAGE={line}\n\n"))
    }),
    ("Elasticsearch", |lines| {
        let hits = each(lines, |line| json!({"_id": "1", "_source": {"@timestamp": AT, "message": line}}));
        json!({"took": 3, "hits": {"total": 5, "hits": hits}}).to_string()
    }),
    ("Loki's API", |lines| {
        let values = each(lines, |line| json!(["1778694149700000000", line]));
        json!({"status": "success", "data": {"result": [{"stream": {"app": "agent"}, "values": values}]}})
            .to_string()
    }),
    ("CloudWatch", |lines| {
        json!({"events": each(lines, |line| json!({"timestamp": 1_778_694_149_700_i64, "message": line}))})
            .to_string()
    }),
    ("Datadog", |lines| {
        let data = |line: &str| json!({"id": "a", "attributes": {"timestamp": AT, "message": line}});
        json!({"data": each(lines, data)}).to_string()
    }),
    ("CloudWatch Insights", |lines| {
        let fields =
            |line: &str| json!([{"field": "@timestamp", "value": AT}, {"field": "@message", "value": line}]);
        json!({"results": each(lines, fields)}).to_string()
    }),
    ("OTLP", |lines| {
        let records =
            each(lines, |line| json!({"timeUnixNano": "1778694149700000000", "body": {"stringValue": line}}));
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string()
    }),
    ("CSV", |lines| {
        let row = |line: &str| format!("{AT},\"{}\"\n", line.replace('"', "\"\""));
        "@timestamp,@message\n".to_owned() + &all(lines, row)
    }),
    ("CSV, all in quotes", |lines| {
        all(lines, |line| format!("\"7\",\"{AT}\",\"{}\"\n", line.replace('"', "\"\"")))
    }),
    ("CSV with semicolons", |lines| all(lines, |line| format!("7;{AT};\"{}\"\n", line.replace('"', "\"\"")))),
    ("CSV of one column", |lines| all(lines, |line| format!("\"{}\"\n", line.replace('"', "\"\"")))),
    ("Azure's tables", |lines| {
        let columns =
            json!([{"name": "TimeGenerated", "type": "datetime"}, {"name": "Log", "type": "string"}]);
        json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": each(lines, |line| json!([AT, line]))}]})
            .to_string()
    }),
    ("Fluent Bit's output", |lines| {
        // msgpack-c prints a text without escapes.
        all(lines, |line| {
            format!(
                "[0] agent: [[1778694149.700000000, {{}}], {{\"stream\"=>\"stdout\", \"log\"=>\"{line}\", \"n\"=>7}}]\n"
            )
        })
    }),
    ("Ruby", |lines| all(lines, |line| format!("{{\"log\"=>{}, \"n\"=>7}}\n", json!(line)))),
    ("Ruby 3.4", |lines| all(lines, |line| format!("{{\"log\" => {}, \"n\" => 7}}\n", json!(line)))),
    ("logfmt", |lines| {
        all(lines, |line| format!("ts={AT} level=info msg={} container=agent\n", json!(line)))
    }),
    ("Markdown", |lines| all(lines, |line| format!("`{line}`\n"))),
    ("a word processor", |lines| {
        all(lines, |line| line.replace('"', "\u{201d}").replace("  ", "\u{a0} ") + "\n")
    }),
    ("TSV", |lines| all(lines, |line| format!("42\t{AT}\t{AT}\t7\thost\tagent\t{line}\n"))),
];
