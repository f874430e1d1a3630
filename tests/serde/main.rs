//! serde: what is written, what reads back, what is refused.
#![cfg(feature = "serde")]

mod support;

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, from_value, json, to_value};
use support::{bare, full};

fn read(line: Value) -> Disconnect {
    from_value(line).expect("accepted")
}

fn refused(line: &str) -> String {
    serde_json::from_str::<Disconnect>(line)
        .expect_err("refused")
        .to_string()
}

#[test]
fn a_record_is_a_flat_map_from_the_layer_to_the_detail() {
    assert_eq!(
        serde_json::to_string(&full()).expect("written"),
        r#"{"connect_type":"agent_to_client","disconnect_reason":"process_exited","disconnect_expected":false,"disconnect_initiator":"agent","disconnect_detail":"process exited with error status: 7","disconnect_code":"ssh:11","exit_code":7,"connection_method":"direct"}"#,
    );
    assert_eq!(
        serde_json::to_string(&bare()).expect("written"),
        r#"{"connect_type":"server_to_agent","disconnect_reason":"graceful","disconnect_expected":true}"#,
    );
    assert_eq!(read(to_value(full()).expect("written")), full());
    assert_eq!(read(to_value(bare()).expect("written")), bare());
}

#[test]
fn a_go_agents_line_reads_back_with_nothing_lost() {
    let line = r#"{"ts":"2026-01-02T03:04:05Z","level":"INFO","msg":"ssh session closed","connect_type":"agent_to_client","disconnect_reason":"process exited with error status: 1","disconnect_expected":false,"disconnect_initiator":"","exit_code":1}"#;
    let end: Disconnect = serde_json::from_str(line).expect("accepted");
    assert_eq!(
        end,
        Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Unknown)
            .with_detail("process exited with error status: 1")
            .with_exit_code(1),
    );
    assert!(!end.expected());
}

#[test]
fn words_from_a_newer_writer_never_fail_a_reader() {
    let line = |reason: &str, detail: Value| {
        read(
            json!({"connect_type": "agent_to_client", "disconnect_reason": reason,
            "disconnect_detail": detail, "disconnect_initiator": "relay", "connection_method": "quic"}),
        )
    };
    let end = line("idle_timeout", Value::Null);
    assert_eq!(end.reason(), DisconnectReason::Unknown);
    assert_eq!(end.detail(), Some("idle_timeout"));
    assert_eq!(end.initiator(), Some(Initiator::Unknown));
    assert_eq!(end.connection_method(), Some(ConnectionMethod::Unknown));

    assert_eq!(line("idle_timeout", json!("kept")).detail(), Some("kept"));
    assert_eq!(
        line("idle_timeout", json!("")).detail(),
        Some("idle_timeout")
    );
    assert_eq!(line("", Value::Null).detail(), None);
    assert_eq!(
        line("two\nlines", Value::Null).detail(),
        Some(r"two\nlines")
    );
    assert_eq!(
        line(&"x".repeat(9999), Value::Null).detail().map(str::len),
        Some(256)
    );
}

#[test]
fn a_close_code_of_a_newer_protocol_is_not_lost() {
    let line = |code: &str, detail: &str| {
        read(
            json!({"connect_type": "agent_to_client", "disconnect_reason": "rejected",
            "disconnect_detail": detail, "disconnect_code": code}),
        )
    };
    assert_eq!(line("ssh:12", "").code(), Some(CloseCode::Ssh(12)));
    assert_eq!(line("ssh:12", "").detail(), None);
    assert_eq!(line("quic:7", "").code(), None);
    assert_eq!(line("quic:7", "").detail(), Some("quic:7"));
    assert_eq!(line("quic:7", "kept").detail(), Some("kept"));
    assert_eq!(
        from_value::<CloseCode>(json!("http2:8")).expect("accepted"),
        CloseCode::Http2(8)
    );
    assert_eq!(
        from_value::<CloseCode>(json!("quic:7"))
            .expect_err("refused")
            .to_string(),
        "invalid disconnect_code \"quic:7\": \
         expected one of ssh:<u32>, websocket:<u16>, grpc:<i32>, http2:<u32>",
    );
}

#[test]
fn blank_and_null_fields_are_absent() {
    for nothing in [json!(""), Value::Null] {
        let end = read(json!({
            "connect_type": "server_to_agent", "disconnect_reason": "graceful",
            "disconnect_initiator": nothing, "disconnect_detail": nothing,
            "connection_method": nothing, "disconnect_code": nothing, "exit_code": null,
        }));
        assert_eq!(
            end,
            Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::Graceful)
        );
    }
}

#[test]
fn the_flag_follows_from_the_reason() {
    for flag in [
        json!(true),
        json!(false),
        json!("yes"),
        json!([1, {"a": null}]),
    ] {
        let end = read(json!({"connect_type": "server_to_agent",
            "disconnect_reason": "rejected", "disconnect_expected": flag}));
        assert!(!end.expected());
    }
}

#[test]
fn the_last_of_two_values_counts() {
    let line = r#"{"connect_type":"server_to_agent","disconnect_reason":"unknown","connect_type":"agent_to_client","disconnect_reason":"graceful"}"#;
    let end: Disconnect = serde_json::from_str(line).expect("accepted");
    assert_eq!(
        end,
        Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Graceful)
    );
}

#[test]
fn exit_codes_are_32_bits() {
    let code = |code: Value| {
        let line = json!({"connect_type": "agent_to_client",
            "disconnect_reason": "process_exited", "exit_code": code});
        from_value::<Disconnect>(line).map(|end| end.exit_code())
    };
    assert_eq!(code(json!(-1)).expect("accepted"), Some(-1));
    assert_eq!(code(json!(i32::MIN)).expect("accepted"), Some(i32::MIN));
    // STATUS_CONTROL_C_EXIT as Go writes it, and as Rust's own `ExitStatus` gives it.
    assert_eq!(
        code(json!(0xC000_013A_u32)).expect("accepted"),
        Some(-1_073_741_510)
    );
    for wrong in [json!(u64::MAX), json!(i64::MIN), json!(1.5), json!("7")] {
        let error = code(wrong).expect_err("refused").to_string();
        assert!(
            error.contains("expected an exit code of 32 bits"),
            "{error}"
        );
    }
}

#[test]
fn a_refusal_says_what_was_wrong_and_what_would_have_been_right() {
    let rows = [
        (r"{}", "missing field `connect_type` at line 1 column 2"),
        (
            r#"{"connect_type":"agent_to_client"}"#,
            "missing field `disconnect_reason` at line 1 column 34",
        ),
        (
            r#"{"connect_type":"agent","disconnect_reason":"graceful"}"#,
            "invalid connect_type \"agent\": expected one of server_to_agent, agent_to_client, \
             client_to_server at line 1 column 23",
        ),
        (
            r#"{"connect_type":"server_to_agent","disconnect_reason":7}"#,
            "invalid type: integer `7`, expected a text at line 1 column 55",
        ),
        (
            "[]",
            "invalid type: sequence, expected a map with the fields of a disconnect at line 1 column 0",
        ),
    ];
    for (line, text) in rows {
        assert_eq!(refused(line), text);
    }
}

/// Formats other than JSON have keys that are no texts.
#[test]
fn a_key_that_is_no_text_is_refused() {
    use serde::de::value::{Error, MapDeserializer};

    let map = MapDeserializer::<_, Error>::new([(1_u8, 2_u8)].into_iter());
    let error = Disconnect::deserialize(map).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "invalid type: integer `1`, expected a key"
    );
}

#[test]
fn each_enum_is_its_text() {
    fn both_ways<T>(variants: &[T], as_str: fn(T) -> &'static str)
    where
        T: Serialize + for<'de> Deserialize<'de> + Copy + PartialEq + std::fmt::Debug,
    {
        for variant in variants {
            assert_eq!(to_value(variant).expect("written"), json!(as_str(*variant)));
            assert_eq!(
                from_value::<T>(json!(as_str(*variant))).expect("accepted"),
                *variant
            );
        }
        assert!(from_value::<T>(json!(7)).is_err());
        assert!(from_value::<T>(Value::Null).is_err());
    }
    both_ways(ConnectType::VARIANTS, ConnectType::as_str);
    both_ways(ConnectionMethod::VARIANTS, ConnectionMethod::as_str);
    both_ways(DisconnectReason::VARIANTS, DisconnectReason::as_str);
    both_ways(Initiator::VARIANTS, Initiator::as_str);

    assert_eq!(
        from_value::<DisconnectReason>(json!("new")).expect("accepted"),
        DisconnectReason::Unknown
    );
    assert_eq!(
        from_value::<Initiator>(json!("new")).expect("accepted"),
        Initiator::Unknown
    );
    assert_eq!(
        from_value::<ConnectionMethod>(json!("new")).expect("accepted"),
        ConnectionMethod::Unknown
    );
    let error = from_value::<ConnectType>(json!("new"))
        .expect_err("refused")
        .to_string();
    assert!(
        error.starts_with("invalid connect_type \"new\": expected one of"),
        "{error}"
    );
}

/// Users hold a record inside their own line.
#[test]
fn a_record_flattens_into_a_line_of_the_users() {
    #[derive(Debug, PartialEq, serde_derive::Serialize, serde_derive::Deserialize)]
    struct Line {
        msg: String,
        #[serde(flatten)]
        end: Disconnect,
    }

    let line = Line {
        msg: "closed".to_owned(),
        end: full(),
    };
    let text = serde_json::to_string(&line).expect("written");
    assert!(
        text.starts_with(r#"{"msg":"closed","connect_type":"agent_to_client","#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<Line>(&text).expect("accepted"), line);
}
