//! One value of a record: what is read, and what it reads as.

use disconnect_attribution::{
    CloseCode, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
};
use serde_json::{Value, json};

use super::support::end;
use super::{line_with, read, refused, rejected};

#[test]
fn a_word_from_a_newer_writer_reads_as_unknown_or_not_at_all() {
    let rows = [
        (
            "disconnect_initiator",
            "relay",
            rejected().with_initiator(Initiator::Unknown),
        ),
        (
            "disconnect_initiator",
            "Client",
            rejected().with_initiator(Initiator::Unknown),
        ),
        (
            "connection_method",
            "quic",
            rejected().with_connection_method(ConnectionMethod::Unknown),
        ),
        ("disconnect_trigger", "solar_flare", rejected()),
        (
            "disconnect_trigger",
            "max_age",
            rejected().with_trigger(Trigger::MaxAge),
        ),
        ("disconnect_origin", "client_to_client", rejected()),
        (
            "disconnect_code",
            "smtp:421",
            rejected().with_detail("smtp:421"),
        ),
        (
            "disconnect_code",
            "ssh:12",
            rejected().with_code(CloseCode::Ssh(12)),
        ),
        (
            "disconnect_reason",
            "eaten",
            end(DisconnectReason::Unknown).with_detail("eaten"),
        ),
        (
            "disconnect_reason",
            "two\nlines\n",
            end(DisconnectReason::Unknown).with_detail(r"two\nlines"),
        ),
    ];
    for (key, word, expected) in rows {
        assert_eq!(
            read(&line_with(key, &json!(word))),
            expected,
            "{key}: {word}"
        );
    }
}

#[test]
fn the_first_unknown_text_becomes_the_detail_unless_there_is_one() {
    let rows = [
        ("eaten", "smtp:421", json!("kept"), "kept"),
        ("eaten", "ssh:11", json!("kept"), "kept"),
        ("rejected", "smtp:421", json!("kept"), "kept"),
        ("eaten", "smtp:421", json!(""), "eaten"),
        ("eaten", "smtp:421", json!(" \n"), "eaten"),
        ("eaten", "smtp:421", Value::Null, "eaten"),
        ("eaten", "ssh:11", Value::Null, "eaten"),
        ("", "smtp:421", Value::Null, "smtp:421"),
        ("rejected", "smtp:421", Value::Null, "smtp:421"),
    ];
    for (reason, code, detail, kept) in rows {
        let line = json!({"connect_type": "agent_to_client", "disconnect_code": code,
            "disconnect_detail": detail, "disconnect_reason": reason});
        assert_eq!(read(&line.to_string()).detail(), Some(kept), "{line}");
    }
    assert_eq!(
        read(&line_with("disconnect_reason", &json!(""))),
        end(DisconnectReason::Unknown)
    );
}

#[test]
fn blank_and_null_values_are_absent() {
    let texts = [
        "disconnect_initiator",
        "disconnect_trigger",
        "disconnect_code",
        "disconnect_detail",
        "disconnect_origin",
        "connection_method",
    ];
    let numbers = [
        "exit_code",
        "connection_duration_ms",
        "peer_silence_ms",
        "bytes_received",
        "bytes_sent",
        "clock_jump_ms",
    ];
    for key in texts {
        for nothing in [json!(""), json!(" "), Value::Null] {
            assert_eq!(read(&line_with(key, &nothing)), rejected(), "{key}");
        }
    }
    for key in numbers {
        assert_eq!(read(&line_with(key, &Value::Null)), rejected(), "{key}");
    }
    assert_eq!(
        read(&line_with("clock_jump_ms", &json!(0))),
        rejected(),
        "0 is none"
    );
    assert_eq!(
        read(&line_with("bytes_sent", &json!(0))).bytes_sent(),
        Some(0)
    );
}

#[test]
fn the_flag_follows_from_the_reason() {
    for flag in [
        json!(true),
        json!("yes"),
        json!([1, {"a": null}]),
        Value::Null,
    ] {
        assert_eq!(read(&line_with("disconnect_expected", &flag)), rejected());
    }
}

#[test]
fn numbers_are_integers_of_their_own_size() {
    let duration = "connection_duration_ms";
    let count = "a count of 64 bits";
    let rows = [
        ("exit_code", json!(-1), Ok("Some(-1)")),
        ("exit_code", json!(i32::MIN), Ok("Some(-2147483648)")),
        // STATUS_CONTROL_C_EXIT as Go writes it, and as Rust's own `ExitStatus` gives it.
        ("exit_code", json!(0xC000_013A_u32), Ok("Some(-1073741510)")),
        ("exit_code", json!(u32::MAX), Ok("Some(-1)")),
        (
            "exit_code",
            json!(u64::from(u32::MAX) + 1),
            Err("integer `4294967296`, expected an exit code of 32 bits"),
        ),
        (
            "exit_code",
            json!(i64::MIN),
            Err("integer `-9223372036854775808`, expected an exit code of 32 bits"),
        ),
        (
            "exit_code",
            json!(1.5),
            Err("floating point `1.5`, expected an exit code of 32 bits"),
        ),
        (
            "exit_code",
            json!("7"),
            Err("string, expected an exit code of 32 bits"),
        ),
        (
            "exit_code",
            json!(true),
            Err("boolean `true`, expected an exit code of 32 bits"),
        ),
        (
            "exit_code",
            json!([7]),
            Err("sequence, expected an exit code of 32 bits"),
        ),
        (
            "exit_code",
            json!({"code": 7}),
            Err("map, expected an exit code of 32 bits"),
        ),
        (duration, json!(u64::MAX), Ok("Some(18446744073709551615)")),
        (
            duration,
            json!(-1),
            Err(&*format!("integer `-1`, expected {count}")),
        ),
        (
            "peer_silence_ms",
            json!({}),
            Err(&*format!("map, expected {count}")),
        ),
        (
            "bytes_sent",
            json!(2.0),
            Err(&*format!("floating point `2.0`, expected {count}")),
        ),
        (
            "clock_jump_ms",
            json!(i64::MIN),
            Ok("Some(-9223372036854775808)"),
        ),
        (
            "clock_jump_ms",
            json!(u64::MAX),
            Err("integer `18446744073709551615`, expected an integer of 64 bits"),
        ),
    ]
    .map(|(key, value, read): (_, _, Result<&str, &str>)| {
        (key, value, read.map(str::to_owned).map_err(str::to_owned))
    });
    for (key, value, expected) in rows {
        let line = line_with(key, &value);
        let found = serde_json::from_str::<Disconnect>(&line).map(|end| match key {
            "exit_code" => format!("{:?}", end.exit_code()),
            "clock_jump_ms" => format!("{:?}", end.clock_jump()),
            _ => format!("{:?}", end.connection_duration().map(|it| it.as_millis())),
        });
        let found = found.map_err(|_| refused(&line));
        assert_eq!(
            found,
            expected.map_err(|text| format!("invalid type: {text}")),
            "{line}"
        );
    }
}

#[test]
fn a_text_under_a_key_of_texts_is_a_text() {
    let texts = [
        "disconnect_reason",
        "disconnect_initiator",
        "disconnect_trigger",
        "disconnect_code",
        "disconnect_detail",
        "disconnect_origin",
        "connection_method",
    ];
    for key in texts {
        for (value, found) in [
            (json!(7), "integer `7`"),
            (json!(1.5), "floating point `1.5`"),
            (json!(false), "boolean `false`"),
            (json!(["rejected"]), "sequence"),
            (json!({"text": "rejected"}), "map"),
        ] {
            let error = refused(&line_with(key, &value));
            assert_eq!(
                error,
                format!("invalid type: {found}, expected a text"),
                "{key}"
            );
        }
    }
}

/// With its feature `arbitrary_precision`, `serde_json` gives a number as a map of its digits.
#[test]
fn a_number_may_come_as_its_digits() {
    let number = |digits: &str| json!({"$serde_json::private::Number": digits});
    let rows = [
        ("7", "7"),
        ("-1", "-1"),
        ("3221225786", "-1073741510"),
        (
            "4294967296",
            "invalid type: integer `4294967296`, expected an exit code of 32 bits",
        ),
        (
            "1.5",
            "invalid type: number, expected an exit code of 32 bits",
        ),
        (
            "1e400",
            "invalid type: number, expected an exit code of 32 bits",
        ),
    ];
    for (digits, expected) in rows {
        let line = line_with("exit_code", &number(digits));
        let found = match serde_json::from_str::<Disconnect>(&line) {
            Ok(end) => end.exit_code().expect("there").to_string(),
            Err(_) => refused(&line),
        };
        assert_eq!(found, expected);
    }
    let line = line_with("bytes_sent", &number("18446744073709551615"));
    assert_eq!(read(&line).bytes_sent(), Some(u64::MAX));
    let line = line_with("disconnect_detail", &number("7"));
    assert_eq!(refused(&line), "invalid type: integer `7`, expected a text");
    // A number where the record may stand is none.
    assert_eq!(read(&line_with("fields", &number("7"))), rejected());
}
