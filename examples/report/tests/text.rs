//! What stands in the lines of text formats, and in texts of JSON.

mod support;

use serde_json::{Value, json};

use support::json_of_input;

const HEAD: &str = "2026-05-13 17:42:21.701 [info]  closed  connect_type=agent_to_client";

/// The detail of the one end in a log.
#[track_caller]
fn detail(log: &str) -> Value {
    let report = json_of_input(&[], log.as_bytes());
    assert_eq!(report["ends"], 1, "{report}");
    report["unexpected_details"][0]["disconnect_detail"].clone()
}

#[track_caller]
fn no_end(log: &str) {
    let report = json_of_input(&[], log.as_bytes());
    let other = log.lines().count();
    assert_eq!((&report["ends"], &report["skipped"]["no_end"]["count"]), (&json!(0), &json!(other)), "{log}");
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
        let log = format!("{HEAD}  disconnect_reason=unknown  disconnect_detail={quoted}  exit_code=3\n");
        assert_eq!(detail(&log), expected, "{quoted}");
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
        let log = format!("{HEAD}  disconnect_reason=unknown  {between}  disconnect_detail=true\n");
        assert_eq!(detail(&log), "true", "{between}");
    }
}

#[test]
fn a_block_belongs_to_its_line_whatever_is_in_it() {
    let log = format!(
        "{HEAD}  disconnect_reason=unknown ...\n    disconnect_detail= first\n\n          \
         2026-05-13 17:42:21.701 [info]  x  connect_type=agent_to_client  disconnect_reason=graceful\n"
    );
    assert_eq!(
        detail(&log),
        "first\\n\\n2026-05-13 17:42:21.701 [info]  x  connect_type=agent_to_client  disconnect_reason=graceful"
    );
    // The reason itself may be the value that left its line.
    let log = format!("{HEAD} ...\n    disconnect_reason= read tcp:\n                        broken pipe\n");
    assert_eq!(detail(&log), "read tcp:\\nbroken pipe");
    no_end("2026-05-13 17:42:21.701 [info]  x ...\n    error= no disconnect_reason=\n           here\n");
}

#[test]
fn the_key_in_a_value_or_a_message_is_no_end() {
    no_end(r#"{"msg":"mentions disconnect_reason only"}"#);
    no_end(r#"level=INFO msg="mentions disconnect_reason only" count=3"#);
    no_end(r#"2026-05-13 17:42:21.701 [info]  asked  query="disconnect_reason != x""#);
}

#[test]
fn groups_of_go_nest_under_their_name() {
    let text = "time=2026-05-13T17:42:21.701Z level=INFO msg=closed conn.connect_type=agent_to_client \
                conn.disconnect_reason=\"read: EOF\" exit_code=7\n";
    assert_eq!(detail(text), "read: EOF");
    let json = json!({"time": "2026-05-13T17:42:21.701Z", "conn": {"inner":
        {"connect_type": "agent_to_client", "disconnect_reason": "read: EOF"}}});
    assert_eq!(detail(&json.to_string()), "read: EOF");
    assert_eq!(json_of_input(&[], json.to_string().as_bytes())["first"], "2026-05-13T17:42:21.701Z");
    let report = json_of_input(&[], format!("{text}{json}\n").as_bytes());
    assert_eq!(
        (&report["first"], &report["last"]),
        (&json!("2026-05-13T17:42:21.701Z"), &json!("2026-05-13T17:42:21.701Z"))
    );
    assert_eq!(report["kinds"][0]["disconnect_trigger"], "end_of_file");
}

#[test]
fn a_collector_that_is_not_known_hides_no_record() {
    let end = r#"{"connect_type":"agent_to_client","disconnect_reason":"unknown","disconnect_detail":"x"}"#;
    for line in [end, "x connect_type=agent_to_client disconnect_reason=unknown disconnect_detail=x"] {
        let wrapped = json!({"@timestamp": "2026-05-13T17:42:21Z", "event": {"original": line}, "n": 1});
        assert_eq!(detail(&wrapped.to_string()), "x");
        assert_eq!(json_of_input(&[], wrapped.to_string().as_bytes())["first"], "2026-05-13T17:42:21Z");
        assert_eq!(detail(&format!("<13>host agent: {line}")), "x");
    }
}

#[test]
fn messages_drive_no_terminal() {
    let line = r#"{"msg":"\u001b[2J\u202e","connect_type":"agent_to_client","disconnect_reason":"graceful"}"#;
    let report = json_of_input(&["--by", "msg"], line.as_bytes());
    assert_eq!(report["by"][0]["msg"], r"\u{1b}[2J\u{202e}");
}

#[test]
fn a_byte_order_mark_hides_no_first_line() {
    let end = r#"{"connect_type":"agent_to_client","disconnect_reason":"unknown","disconnect_detail":"x"}"#;
    assert_eq!(detail(&format!("\u{feff}{end}\n")), "x");
    assert_eq!(detail(&format!("\u{feff}{HEAD}  disconnect_reason=unknown  disconnect_detail=x\n")), "x");
}

/// Glued lines, a word that lost its end or has something at it, quotes that do not end: no record is made up.
#[test]
fn what_is_damaged_is_unreadable() {
    for line in [
        format!("{HEAD}  disconnect_reason=unknown  disconnect_detail=first  disconnect_detail=last"),
        format!("{HEAD}  disconnect_reason=graceful{HEAD}  disconnect_reason=graceful"),
        format!("{HEAD}  disconnect_reason=client_clos"),
        format!("{HEAD}  disconnect_reason=client_closed2026-05-13T17:42:20.701000000+02:00"),
        format!("{HEAD}  disconnect_reason=unknown  disconnect_trigger=res"),
        format!("{HEAD}  disconnect_reason=unknown  disconnect_initiator=networktime=2026"),
        format!("{HEAD}  disconnect_reason=unknown  disconnect_detail=\"read fail"),
        r#"{"connect_type":"agent_to_client","xdisconnect_reason":"graceful"}"#.to_owned(),
        r#"{"connect_type":"agent_to_client","why":["disconnect_reason","graceful"]}"#.to_owned(),
        r#"{"disconnectReason":"graceful"}"#.to_owned(),
    ] {
        let report = json_of_input(&[], line.as_bytes());
        assert_eq!(
            (&report["ends"], &report["skipped"]["unreadable"]["count"]),
            (&json!(0), &json!(1)),
            "{line}"
        );
    }
    // A text of JSON that lost its JSON has no stray quotes.
    let cut = r#"{"log":"2026-05-13 17:42:20.701 [info]  x  connect_type=agent_to_client  disconnect_reason=unknown  disconnect_detail=\"read failed\"\n","stre"#;
    assert_eq!(detail(cut), "read failed");
    // Both of two records count, or one is named beside the other.
    let end = r#"{"connect_type":"agent_to_client","disconnect_reason":"unknown"}"#;
    for (line, ends, unreadable) in [
        (format!("{end}{end}"), 2, Value::Null),
        (format!("{}{end}", &end[..50]), 1, Value::Null),
        (format!("{}{end}", &end[..60]), 1, json!(1)),
        (format!("{HEAD}  disconnect_reason=graceful {end}"), 2, Value::Null),
        (format!("{end}{HEAD}  disconnect_reason=graceful"), 2, Value::Null),
    ] {
        let report = json_of_input(&[], line.as_bytes());
        let found = (&report["ends"], &report["skipped"]["unreadable"]["count"]);
        assert_eq!(found, (&json!(ends), &unreadable), "{line}");
    }
}

#[test]
fn times_are_read_as_loggers_write_them() {
    let end = |time: Value| {
        let line = json!({"ts": time, "connect_type": "agent_to_client", "disconnect_reason": "graceful"});
        json_of_input(&[], line.to_string().as_bytes())["first"].clone()
    };
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
        assert_eq!(end(written.clone()), expected, "{written}");
    }
}
