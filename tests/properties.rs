//! Properties: what holds for any input.

use disconnect_attribution::{CloseCode, ConnectType, Disconnect, DisconnectReason};
use proptest::prelude::*;

fn any_code() -> impl Strategy<Value = CloseCode> {
    prop_oneof![
        any::<u32>().prop_map(CloseCode::Ssh),
        any::<u16>().prop_map(CloseCode::WebSocket),
        any::<i32>().prop_map(CloseCode::Grpc),
        any::<u32>().prop_map(CloseCode::Http2),
    ]
}

proptest! {
    #[test]
    fn any_text_is_a_bounded_line(text in any::<String>(), times in 1_usize..40) {
        let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Unknown)
            .with_detail(text.repeat(times));
        prop_assert!(!end.report_reason().is_empty());
        if let Some(detail) = end.detail() {
            prop_assert!(detail.len() <= 256);
            prop_assert!(!detail.contains(char::is_control));
            let separators = ['\u{2028}', '\u{2029}', '\u{202e}'];
            prop_assert!(!detail.contains(separators));
            let again = end.clone().with_detail(detail.to_owned());
            prop_assert_eq!(&again, &end);
        }
    }

    #[test]
    fn a_close_code_parses_back(code in any_code()) {
        prop_assert_eq!(code.to_string().parse::<CloseCode>(), Ok(code));
    }

    #[test]
    fn a_text_is_a_close_code_exactly_if_it_is_how_one_prints(
        text in "(ssh|websocket|grpc|http2|quic)?:?[+-]?0?[0-9]{0,11}",
    ) {
        if let Ok(code) = text.parse::<CloseCode>() {
            prop_assert_eq!(code.to_string(), text);
        }
    }

    #[test]
    fn a_word_is_accepted_exactly_if_it_is_one_of_ours(text in "[a-z_]{0,20}|.*") {
        let ours = DisconnectReason::VARIANTS.iter().find(|reason| reason.as_str() == text);
        prop_assert_eq!(text.parse::<DisconnectReason>().ok(), ours.copied());
    }
}

#[cfg(feature = "serde")]
mod json {
    use proptest::collection::{btree_map, vec};
    use serde_json::{Value, json};

    use disconnect_attribution::{ConnectionMethod, Initiator};
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::{ConnectType, Disconnect, DisconnectReason, any_code};

    fn any_end() -> impl Strategy<Value = Disconnect> {
        (
            select(ConnectType::VARIANTS),
            select(DisconnectReason::VARIANTS),
            option::of(select(Initiator::VARIANTS)),
            option::of(any::<String>()),
            option::of(any_code()),
            option::of(any::<i32>()),
            option::of(select(ConnectionMethod::VARIANTS)),
        )
            .prop_map(
                |(connect_type, reason, initiator, detail, code, exit_code, method)| {
                    let mut end = Disconnect::new(connect_type, reason);
                    if let Some(initiator) = initiator {
                        end = end.with_initiator(initiator);
                    }
                    if let Some(detail) = detail {
                        end = end.with_detail(detail);
                    }
                    if let Some(code) = code {
                        end = end.with_code(code);
                    }
                    if let Some(exit_code) = exit_code {
                        end = end.with_exit_code(exit_code);
                    }
                    if let Some(method) = method {
                        end = end.with_connection_method(method);
                    }
                    end
                },
            )
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            select(vec!["agent_to_client", "graceful", "client", "derp", ""]).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map(any::<String>(), inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    fn any_line() -> impl Strategy<Value = Value> {
        let keys = vec![
            "connect_type",
            "disconnect_reason",
            "disconnect_expected",
            "disconnect_initiator",
            "disconnect_detail",
            "disconnect_code",
            "exit_code",
            "connection_method",
            "msg",
        ];
        btree_map(select(keys), any_json(), 0..8).prop_map(|map| json!(map))
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(end in any_end()) {
            let text = serde_json::to_string(&end).expect("written");
            prop_assert_eq!(text.lines().count(), 1);
            prop_assert_eq!(serde_json::from_str::<Disconnect>(&text).expect("accepted"), end);
        }

        #[test]
        fn any_json_is_read_or_refused(line in any_line()) {
            if let Ok(end) = serde_json::from_value::<Disconnect>(line) {
                let text = serde_json::to_string(&end).expect("written");
                prop_assert_eq!(serde_json::from_str::<Disconnect>(&text).expect("accepted"), end);
            }
        }

        #[test]
        fn other_keys_change_nothing(end in any_end(), other in any_json(), key in option::of("[x-z]{1,9}")) {
            let mut line = serde_json::to_value(&end).expect("written");
            line[key.unwrap_or_default()] = other;
            prop_assert_eq!(serde_json::from_value::<Disconnect>(line).expect("accepted"), end);
        }
    }
}
