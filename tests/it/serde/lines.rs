//! A whole line: where the record stands in it, values that occur twice, lines of any size.

use disconnect_attribution::Disconnect;
use serde_json::{Value, json};

use super::{FULL, read, refused};
use crate::support::full;

/// A record that is whole at the top and another one under `fields`.
fn beside(flat: &str, fields: &str) -> String {
    let flat = flat.strip_suffix('}').expect("a map");
    let comma = if flat.len() > 1 { "," } else { "" };
    format!("{flat}{comma}\"fields\":{fields}}}")
}

const OTHER: &str = r#"{"connect_type":"client_to_server","disconnect_reason":"rejected","exit_code":1}"#;

/// Without what a record must have.
const HALVES: [&str; 3] = [
    r#"{"connect_type":"client_to_server","exit_code":1}"#,
    r#"{"disconnect_reason":"rejected","exit_code":1}"#,
    r#"{"exit_code":1,"msg":"closed"}"#,
];

/// With a value that is none.
const BROKEN: [&str; 4] = [
    r#"{"connect_type":"?","disconnect_reason":"rejected"}"#,
    r#"{"connect_type":"client_to_server","disconnect_reason":7}"#,
    r#"{"connect_type":"client_to_server","disconnect_reason":"rejected","exit_code":"7"}"#,
    r#"{"connect_type":"client_to_server","disconnect_reason":"rejected","bytes_sent":-1}"#,
];

#[test]
fn a_record_under_fields_is_found_and_a_whole_one_at_the_top_wins() {
    // Before the other keys as well as after them.
    let first = format!(r#"{{"fields":{FULL},"level":"INFO","exit_code":1}}"#);
    for line in [first, beside("{}", FULL), beside(r#"{"level":"INFO","msg":"closed"}"#, FULL)] {
        assert_eq!(read(&line), full());
    }
    let anything = ["{}", "[]", "[1,{\"a\":2}]", "7", "-7", "1.5", "\"text\"", "true", "null", OTHER];
    for fields in anything.into_iter().chain(HALVES).chain(BROKEN) {
        assert_eq!(read(&beside(FULL, fields)), full(), "{fields}");
    }
}

#[test]
fn a_part_of_a_record_at_the_top_is_never_mixed_with_one_under_fields() {
    for half in HALVES {
        assert_eq!(read(&beside(half, FULL)), full(), "{half}");
    }
    // One at the top that is whole but broken gives way to none.
    for broken in BROKEN {
        assert!(serde_json::from_str::<Disconnect>(&beside(broken, FULL)).is_err(), "{broken}");
    }
    assert_eq!(refused(&beside(HALVES[0], HALVES[1])), "missing field `connect_type`",);
    assert_eq!(refused(&beside(HALVES[1], HALVES[0])), "missing field `disconnect_reason`",);
    // With nothing of a record under `fields`, the error is about the half at the top.
    assert_eq!(refused(&beside(HALVES[0], "{}")), "missing field `disconnect_reason`",);
}

#[test]
fn a_broken_record_under_fields_alone_is_an_error() {
    let rows = [
        (
            BROKEN[0],
            "invalid connect_type \"?\": expected one of server_to_agent, agent_to_client, client_to_server",
        ),
        (BROKEN[1], "invalid type: integer `7`, expected a text"),
        (BROKEN[2], "invalid type: string, expected an exit code of 32 bits"),
        (BROKEN[3], "invalid type: integer `-1`, expected a count of 64 bits"),
        (HALVES[0], "missing field `disconnect_reason`"),
        (HALVES[1], "missing field `connect_type`"),
        (HALVES[2], "missing field `connect_type`"),
        ("{}", "missing field `connect_type`"),
        ("null", "missing field `connect_type`"),
        ("[7]", "missing field `connect_type`"),
    ];
    for (fields, error) in rows {
        assert_eq!(refused(&beside("{}", fields)), error, "{fields}");
    }
    // Only one level deep.
    assert_eq!(refused(&beside("{}", &beside("{}", FULL))), "missing field `connect_type`");
    // The error is about the record that is there.
    assert_eq!(refused(&beside(BROKEN[1], BROKEN[2])), "invalid type: integer `7`, expected a text");
}

/// A key, two values that a record may hold, and one that it may not (or one that changes nothing).
pub(super) fn values() -> [(&'static str, Value, Value, Value); 16] {
    [
        ("connect_type", json!("agent_to_client"), json!("client_to_server"), json!("?")),
        ("disconnect_reason", json!("rejected"), json!("graceful"), json!(7)),
        ("disconnect_expected", json!(true), json!(false), json!("?")),
        ("disconnect_initiator", json!("client"), json!("agent"), json!(7)),
        ("disconnect_trigger", json!("reset"), json!("panic"), json!(7)),
        ("disconnect_peer", json!("client"), json!("agent"), json!(7)),
        ("disconnect_code", json!("ssh:11"), json!("tls:40"), json!(7)),
        ("disconnect_detail", json!("one"), json!("two"), json!([])),
        ("disconnect_origin", json!("server_to_agent"), json!("agent_to_client"), json!({})),
        ("exit_code", json!(1), json!(2), json!("?")),
        ("connection_method", json!("direct"), json!("derp"), json!(true)),
        ("connection_duration_ms", json!(1), json!(2), json!(-1)),
        ("peer_silence_ms", json!(1), json!(2), json!(1.5)),
        ("bytes_received", json!(1), json!(2), json!("?")),
        ("bytes_sent", json!(1), json!(2), json!([1])),
        ("clock_jump_ms", json!(1), json!(2), json!(u64::MAX)),
    ]
}

#[test]
fn of_two_values_or_records_under_one_key_the_last_counts_whatever_the_first_was() {
    // A line in which the key occurs as often as there are values.
    let line = |key: &str, values: &[&Value]| {
        let (layer, unknown) = (json!("server_to_agent"), json!("unknown"));
        let required = [("connect_type", &layer), ("disconnect_reason", &unknown)];
        let rest = required.into_iter().filter(|(other, _)| *other != key);
        let entries = rest.chain(values.iter().map(|value| (key, *value)));
        let entries: Vec<_> = entries.map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let line = format!("{{{}}}", entries.join(","));
        serde_json::from_str::<Disconnect>(&line).map_err(|_| refused(&line))
    };
    let mut bad_lines = 0;
    for (key, first, second, bad) in values() {
        let (one, two) = (line(key, &[&first]), line(key, &[&second]));
        assert!(one.is_ok() && two.is_ok(), "{key}");
        assert!(key == "disconnect_expected" || one != two, "{key}");
        assert_eq!(line(key, &[&first, &second]), two, "{key}");
        assert_eq!(line(key, &[&second, &first]), one, "{key}");
        assert_eq!(line(key, &[&bad, &second]), two, "{key}: a bad one first");
        assert_eq!(line(key, &[&first, &bad]), line(key, &[&bad]), "{key}: a bad one last");
        assert_eq!(line(key, &[&first, &Value::Null]), line(key, &[]), "{key}: none last");
        bad_lines += usize::from(line(key, &[&bad]).is_err());
    }
    assert_eq!(bad_lines, 15, "all but the flag, which is ignored");
    let fields = |first: &str, second: &str| format!(r#"{{"fields":{first},"fields":{second}}}"#);
    assert_eq!(read(&fields(OTHER, FULL)), full());
    assert_eq!(read(&fields(BROKEN[0], FULL)), full());
    assert_eq!(refused(&fields(FULL, "7")), "missing field `connect_type`");
}

#[test]
fn what_is_read_and_what_is_refused_is_bounded_whatever_was_in_the_line() {
    const LONG: usize = 1 << 20;
    let text = "x".repeat(LONG);
    let digits = "7".repeat(LONG / 16);
    let mut lines =
        vec![format!("\"{text}\""), format!("{{\"{text}\":1}}"), format!("{{\"fields\":\"{text}\"}}")];
    for (key, ..) in values() {
        for value in [format!("\"{text}\""), format!("[\"{}\"]", &text[..LONG / 16]), digits.clone()] {
            let rest = r#""connect_type":"server_to_agent","disconnect_reason":"graceful""#;
            let rest = rest.replace(&format!("\"{key}\""), "\"other\"");
            lines.push(format!("{{{rest},\"{key}\":{value}}}"));
        }
    }
    let mut refusals = 0;
    for line in &lines {
        match serde_json::from_str::<Disconnect>(line) {
            Ok(end) => assert!(end.to_string().len() < 400, "{end}"),
            Err(error) => {
                refusals += 1;
                let error = error.to_string();
                assert!(error.len() < 400, "{} bytes: {}", error.len(), &error[..400]);
            }
        }
    }
    assert!((20..lines.len() - 4).contains(&refusals), "{refusals} of {}", lines.len());
}
