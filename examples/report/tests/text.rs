//! What stands in the lines of text formats, and in texts of JSON.

mod support;

use serde_json::{Value, json};

use support::{json_of_input, shows};

const HEAD: &str = "2026-05-13 17:42:21.701 [info]  closed  connect_type=agent_to_client";
const END: &str =
    r#"{"connect_type":"agent_to_client","disconnect_reason":"unknown","disconnect_detail":"x"}"#;
const LINE: &str = "x connect_type=agent_to_client disconnect_reason=unknown disconnect_detail=x";

/// The detail of the one end in a log.
#[track_caller]
fn detail(log: impl AsRef<[u8]>, detail: &str) {
    let details = json!([{"disconnect_detail": detail, "count": 1}]);
    shows(&[], log, &json!({"/ends": 1, "/unexpected_details": details}));
}

#[test]
fn values_are_read_as_go_and_rust_quote_them() {
    for (quoted, expected) in [
        ("plain", "plain"),
        ("404", "404"),
        (r#""two words""#, "two words"),
        (r#""say \"no\" \\ twice""#, r#"say "no" \ twice"#),
        (r#""tab\there\nthere\r\a\b\v\f.""#, r"tab\there\nthere\r\u{7}\u{8}\u{b}\u{c}."),
        (r#""\x41\u00fc\U0001F600""#, "Aü😀"),
        (r#""ung\xfcltig""#, "ung\u{fffd}ltig"),
        (r#""it\'s \u{e9}\0""#, r"it's é\u{0}"),
        (r#""odd \q \x4 \u{} \u12""#, r"odd \q \x4 \u{} \u12"),
        (r#""{\"a\":  1}""#, r#"{"a":  1}"#),
    ] {
        detail(
            format!("{HEAD}  disconnect_reason=unknown  disconnect_detail={quoted}  exit_code=3\n"),
            expected,
        );
    }
}

#[test]
fn odd_bytes_in_a_detail_lose_no_end() {
    for (bytes, expected) in [
        (&b"ung\xfcltig"[..], "ung\u{fffd}ltig"),
        (br"cut \ud83d here", "cut \u{fffd} here"),
        (br"\udc00 and \ud83d\ude00", "\u{fffd} and \u{1f600}"),
        (b"tab\there", "tab\\there"),
        (b"a\x1bb", "a\\u{1b}b"),
    ] {
        detail([&END.as_bytes()[..END.len() - 3], bytes, b"\"}"].concat(), expected);
    }
}

#[test]
fn a_field_is_only_what_the_logger_wrote_as_one() {
    // Two spaces, quotes and the keys themselves may stand in values.
    for between in [
        r#"note="x  disconnect_reason=graceful  y""#,
        r#"state={"a":  "disconnect_reason=graceful","b":[1,  {}]}"#,
        r#"state=["a  b", "disconnect_detail=forged"]"#,
        r#"span{note="disconnect_detail=forged" id=7}:"#,
    ] {
        detail(format!("{HEAD}  disconnect_reason=unknown  {between}  disconnect_detail=true\n"), "true");
    }
}

#[test]
fn a_block_belongs_to_its_line_whatever_is_in_it() {
    let other = "2026-05-13 17:42:21.701 [info]  x  connect_type=agent_to_client  disconnect_reason=graceful";
    detail(
        format!("{HEAD}  disconnect_reason=unknown ...\n    disconnect_detail= first\n\n          {other}\n"),
        &format!("first\\n\\n{other}"),
    );
    // The reason itself may be the value that left its line.
    let reason = "    disconnect_reason= read tcp:\n                        broken pipe\n";
    detail(format!("{HEAD} ...\n{reason}"), "read tcp:\\nbroken pipe");
}

#[test]
fn the_key_in_a_value_or_a_message_is_no_end() {
    for log in [
        r#"{"msg":"mentions disconnect_reason only"}"#,
        r#"{"fields":7,"msg":"disconnect_reason"}"#,
        r#"{"disconnect_reason_is_not_a_key":1}"#,
        r#"level=INFO msg="mentions disconnect_reason only" count=3"#,
        r#"2026-05-13 17:42:21.701 [info]  asked  query="disconnect_reason != x""#,
        "2026-05-13 17:42:21.701 [info]  x ...\n    error= no disconnect_reason=\n           here\n",
        "plain text\n\n42\n[1,2]\n",
    ] {
        let others = json!({"no_end": {"count": log.lines().count(), "first": "standard input:1"}});
        shows(&[], log, &json!({"/ends": 0, "/skipped": others}));
    }
}

#[test]
fn groups_of_go_nest_under_their_name() {
    let text = "time=2026-05-13T17:42:21.701Z level=INFO msg=closed conn.connect_type=agent_to_client \
                conn.disconnect_reason=\"read: EOF\" exit_code=7\n";
    let json = json!({"time": "2026-05-13T17:42:21.701Z", "conn": {"inner":
        {"connect_type": "agent_to_client", "disconnect_reason": "read: EOF"}}});
    for log in [text, &json.to_string()] {
        detail(log, "read: EOF");
        let expected = json!({"/first": "2026-05-13T17:42:21.701Z", "/last": "2026-05-13T17:42:21.701Z",
            "/kinds/0/disconnect_trigger": "end_of_file"});
        shows(&[], log, &expected);
    }
}

#[test]
fn what_wraps_a_line_and_is_not_known_hides_no_record() {
    for line in [END, LINE] {
        let wrapped = json!({"@timestamp": "2026-05-13T17:42:21Z", "event": {"original": line}, "n": 1});
        detail(wrapped.to_string(), "x");
        shows(&[], wrapped.to_string(), &json!({"/first": "2026-05-13T17:42:21Z"}));
        detail(format!("<13>host agent: {line}"), "x");
        // Markdown of a text that is no code.
        detail(line.replace('_', r"\_"), "x");
        // A byte order mark.
        detail(format!("\u{feff}{line}\n"), "x");
    }
}

#[test]
fn messages_drive_no_terminal() {
    let line = r#"{"msg":"\u001b[2J\u202e","connect_type":"agent_to_client","disconnect_reason":"graceful"}"#;
    shows(&["--by", "msg"], line, &json!({"/by/0/msg": r"\u{1b}[2J\u{202e}"}));
}

/// Glued lines, a word that lost its end or has something at it, quotes that do not end: no record is made up.
#[test]
fn what_is_damaged_is_unreadable_and_named_with_its_place_and_format() {
    let human = "the Go agents' human format";
    let spread = "JSON spread over lines (jq -c puts it on one)";
    let end = |rest: &str| format!("{HEAD}  disconnect_reason={rest}");
    let bad = END.replace("agent_to_client", "moon_to_mars");
    for (line, likely) in [
        (end("unknown  disconnect_detail=first  disconnect_detail=last"), human),
        (end(&format!("graceful{HEAD}  disconnect_reason=graceful")), human),
        (end(""), human),
        (end(&format!("graceful  {HEAD}  disconnect_reason=graceful")), human),
        (end("client_clos"), human),
        (end("client_c..."), human),
        (
            "INFO run{connect_type=agent_to_client disconnect_reason=graceful}: a: still here".to_owned(),
            "the text of tracing-subscriber",
        ),
        (end("unknown  disconnect_ini"), human),
        (end("unknown  disconnect_detail='read failed'"), human),
        (end("client_closed2026-05-13T17:42:20.701000000+02:00"), human),
        (end("unknown  disconnect_trigger=res"), human),
        (end("unknown  disconnect_initiator=networktime=2026"), human),
        (end("unknown  disconnect_detail=\"read fail"), human),
        ("agent-1 | 2026-05-13 17:42:21.701 [info]  x  disconnect_reason=graceful".to_owned(), human),
        (r#"{"connect_type":"agent_to_client","xdisconnect_reason":"graceful"}"#.to_owned(), "JSON"),
        (r#"{"connect_type":"agent_to_client","why":["disconnect_reason","graceful"]}"#.to_owned(), "JSON"),
        (r#"{"disconnectReason":"graceful"}"#.to_owned(), "JSON"),
        (bad.clone(), "JSON"),
        (json!({"log": format!("{bad}\n"), "stream": "stdout"}).to_string(), "JSON, in log"),
        (END[..END.len() - 5].to_owned(), "JSON that was cut"),
        (END.replace("\"x\"", r#""a\qb""#), "JSON"),
        ("level=INFO msg=x disconnect_reason=graceful".to_owned(), "the text of Go's log/slog"),
        (
            "2026-05-13T17:42:21Z  INFO a: disconnect_reason=\"a\"".to_owned(),
            "the text of tracing-subscriber",
        ),
        (format!("2026-05-13T17:42:29.7Z stdout P {LINE}"), "no format that is known here"),
        ("  \"disconnect_reason\": \"graceful\",".to_owned(), spread),
        ("disconnect_reason".to_owned(), "no format that is known here"),
    ] {
        let report = json_of_input(&[], format!("{{}}\n{{}}\n{line}\n{line}\n").as_bytes());
        let unreadable = &report["skipped"]["unreadable"];
        let expected = (&json!(0), &json!(2), &json!(likely));
        assert_eq!((&report["ends"], &unreadable["count"], &unreadable["likely"]), expected, "{line}");
        let first = unreadable["first"].as_str().expect("a text");
        assert!(first.starts_with("standard input:3: "), "{first}");
    }
    // A text of JSON that lost its JSON has no stray quotes.
    let cut =
        json!({"log": end("unknown  disconnect_detail=\"read failed\"\n"), "stream": "stdout"}).to_string();
    detail(&cut[..cut.len() - 10], "read failed");
    // Both of two records count, or one is named beside the other.
    let end = r#"{"connect_type":"agent_to_client","disconnect_reason":"unknown"}"#;
    for (line, ends, unreadable) in [
        (format!("{end}{end}"), 2, Value::Null),
        (format!("{}{end}", &end[..50]), 1, Value::Null),
        (format!("{}{end}", &end[..60]), 1, json!(1)),
        (format!("{HEAD}  disconnect_reason=graceful {end}"), 2, Value::Null),
        (format!("{end}{HEAD}  disconnect_reason=graceful"), 2, Value::Null),
    ] {
        shows(&[], line, &json!({"/ends": ends, "/skipped/unreadable/count": unreadable}));
    }
}

#[test]
fn times_are_read_as_loggers_write_them() {
    for (written, expected) in [
        (json!("2026-05-13T17:42:21.701Z"), json!("2026-05-13T17:42:21.701Z")),
        (json!("2026-05-13 17:42:21"), json!("2026-05-13T17:42:21Z")),
        (json!("2026-05-13T19:42:21.000000001+02:00"), json!("2026-05-13T17:42:21.000000001Z")),
        (json!("2026-05-13T19:42:21+0200"), json!("2026-05-13T17:42:21Z")),
        (json!("2026-02-30T00:00:00Z"), Value::Null),
        (json!("2026-05-13T24:00:01Z"), Value::Null),
        (json!("2026-05-13T17:60:00Z"), Value::Null),
        (json!("May 13 17:42:21"), Value::Null),
        (json!(1_778_694_141), json!("2026-05-13T17:42:21Z")),
        (json!(1_778_694_141.25), json!("2026-05-13T17:42:21.25Z")),
        (json!(1_778_694_141_701_i64), json!("2026-05-13T17:42:21.701Z")),
        (json!("1778694141701000"), json!("2026-05-13T17:42:21.701Z")),
        (json!(1_778_694_141_701_000_001_i64), json!("2026-05-13T17:42:21.701000001Z")),
        (json!(1e300), Value::Null),
        (json!([1]), Value::Null),
    ] {
        let line = json!({"ts": written, "connect_type": "agent_to_client", "disconnect_reason": "graceful"});
        shows(&[], line.to_string(), &json!({"/ends": 1, "/first": expected}));
    }
    // The times of what wraps a line that has none.
    let end = json!({"connect_type": "agent_to_client", "disconnect_reason": "graceful"});
    let loki = json!({"values": [["1778694149700000000", "closed", end]]}).to_string();
    shows(&["--by", "msg"], &loki, &json!({"/by/0/msg": "closed"}));
    for wrapped in [
        format!("@400000006a04b80f29b92700 {end}"),
        format!("[0] agent: [[1778694149.700000000, {{}}], {end}]"),
        loki,
        r#"2026-05-13T17:42:29.7Z {app="a", connect_type="agent_to_client", disconnect_reason="graceful"} closed"#
            .to_owned(),
    ] {
        shows(&[], wrapped, &json!({"/ends": 1, "/first": "2026-05-13T17:42:29.7Z"}));
    }
    // A label of daemontools' own `tai64n`, and two that are none.
    for (label, expected) in [
        ("@400000006b09ad820c5445dc", json!("2026-11-27T16:19:04.2068495Z")),
        ("@400000006b09ad82", Value::Null),
        ("@400000006b09ad820c5445d\u{e9}", Value::Null),
    ] {
        shows(&[], format!("{label} {end}"), &json!({"/ends": 1, "/first": expected}));
    }
    // The last before the level is the line's own, and what stands in the message is none.
    let line = "2026-05-14T00:00:00Z stdout F 2026-05-13T17:42:21Z INFO next try at 2026-05-15 00:00:00 \
                connect_type=agent_to_client disconnect_reason=graceful";
    shows(&[], line, &json!({"/first": "2026-05-13T17:42:21Z"}));
}
