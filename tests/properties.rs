//! Properties: what holds for any input.

mod support;

use disconnect_attribution::{CloseCode, DisconnectReason, Initiator, classify_channel_close};
use proptest::prelude::*;
use proptest::sample::select;

/// Numbers in which the listed ones are frequent.
fn any_code() -> impl Strategy<Value = CloseCode> {
    let wide = || prop_oneof![0_u64..0x300, any::<u64>()];
    prop_oneof![
        any::<u32>().prop_map(CloseCode::Ssh),
        any::<u16>().prop_map(CloseCode::WebSocket),
        any::<i32>().prop_map(CloseCode::Grpc),
        any::<u32>().prop_map(CloseCode::Http2),
        any::<u8>().prop_map(CloseCode::Tls),
        wide().prop_map(CloseCode::Quic),
        wide().prop_map(CloseCode::QuicApplication),
        wide().prop_map(CloseCode::Http3),
    ]
}

/// Text with many of the characters that are escaped, trimmed, counted or cut.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            " ",
            "\n",
            "\u{3000}",
            "\u{301}",
            "\u{301}\u{20d0}\u{301}\u{301}\u{301}",
            "\u{200d}",
            "\u{85}",
            "ü",
            "日",
            "🦀",
            "…",
            "\\u{1b}",
            "connection reset by peer",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[ -~]{0,20}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_a_bounded_visible_line_however_it_comes(text in any_text()) {
        let end = support::end(DisconnectReason::NetworkError).with_detail(text.clone());
        prop_assert!(!end.report_reason().is_empty());
        let printed = classify_channel_close::<(), _>(&Err(&text));
        prop_assert_eq!(printed.detail(), end.detail());
        let leaked: &'static str = text.leak();
        let borrowed = support::end(DisconnectReason::NetworkError).with_detail(leaked);
        prop_assert_eq!(&borrowed, &end);
        if let Some(detail) = end.detail() {
            prop_assert!((1..=256).contains(&detail.len()));
            prop_assert_eq!(detail.trim(), detail);
            let hidden = |c: char| c.is_control() || "\u{2028}\u{200d}\u{202e}\u{feff}".contains(c);
            prop_assert!(!detail.contains(hidden));
            let again = support::end(DisconnectReason::NetworkError).with_detail(detail.to_owned());
            prop_assert_eq!(&again, &end);
        }
    }

    #[test]
    fn a_close_code_is_what_it_prints(code in any_code()) {
        prop_assert_eq!(code.to_string().parse::<CloseCode>(), Ok(code));
        for &sender in Initiator::VARIANTS {
            // A code without a name has no row, but for the one that QUIC's applications share.
            let has_row = code.name().is_some() || code == CloseCode::QuicApplication(0);
            prop_assert!(has_row || code.reason(sender) == DisconnectReason::Unknown);
        }
    }

    #[test]
    fn a_close_code_with_one_character_changed_is_itself_or_refused(
        code in any_code(), at in any::<prop::sample::Index>(), c in select(b"0123456789+-:_.qa \n".as_slice()),
    ) {
        let mut text = code.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = c;
        let text = String::from_utf8(text).expect("ASCII");
        if let Ok(code) = text.parse::<CloseCode>() {
            prop_assert_eq!(code.to_string(), text);
        }
    }
}

/// The properties of lines count how often they reached what they are about.
#[cfg(feature = "serde")]
mod lines {
    use std::cell::Cell;
    use std::time::Duration;

    use disconnect_attribution::{ConnectType, ConnectionMethod, Disconnect, Trigger};
    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::test_runner::{Config, TestRunner};
    use serde_json::{Value, json};

    use super::*;

    /// Mostly there, so that records with every field are frequent.
    fn present<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
        option::weighted(0.9, strategy)
    }

    /// A record with any of the fields that have a setter.
    fn any_end() -> impl Strategy<Value = Disconnect> {
        let words = (
            select(ConnectType::VARIANTS),
            select(DisconnectReason::VARIANTS),
            present(select(Initiator::VARIANTS)),
            present(select(Trigger::VARIANTS)),
            present(select(ConnectionMethod::VARIANTS)),
        );
        let values = (
            any_text(),
            present(any_code()),
            present(any::<i32>()),
            present(any::<u64>()),
            present(any::<u64>()),
            present(any::<(u64, u64)>()),
            any::<i64>(),
        );
        (words, values).prop_map(|((layer, reason, who, trigger, method), values)| {
            let (detail, code, exit_code, duration, silence, bytes, jump) = values;
            let end = Disconnect::new(layer, reason)
                .with_detail(detail)
                .with_clock_jump(jump);
            let end = who.map_or(end.clone(), |who| end.with_initiator(who));
            let end = trigger.map_or(end.clone(), |trigger| end.with_trigger(trigger));
            let end = method.map_or(end.clone(), |method| end.with_connection_method(method));
            let end = code.map_or(end.clone(), |code| end.with_code(code));
            let end = exit_code.map_or(end.clone(), |exit_code| end.with_exit_code(exit_code));
            let milliseconds = Duration::from_millis;
            let end = duration.map_or(end.clone(), |it| {
                end.with_connection_duration(milliseconds(it))
            });
            let end = silence.map_or(end.clone(), |it| end.with_peer_silence(milliseconds(it)));
            bytes.map_or(end.clone(), |(received, sent)| {
                end.with_bytes(received, sent)
            })
        })
    }

    /// Any JSON, of which much is what a record may hold.
    fn any_json() -> impl Strategy<Value = Value> {
        let words = vec![
            "agent_to_client",
            "graceful",
            "client",
            "reset",
            "derp",
            "ssh:11",
            "",
            "EOF",
            "new",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (0_u8..9).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any_text().prop_map(Value::from),
            select(words).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map("[a-z]{1,3}|connect_type", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    fn keys() -> Vec<&'static str> {
        vec![
            "connect_type",
            "disconnect_reason",
            "disconnect_expected",
            "disconnect_initiator",
            "disconnect_trigger",
            "disconnect_code",
            "disconnect_detail",
            "disconnect_origin",
            "exit_code",
            "connection_method",
            "connection_duration_ms",
            "peer_silence_ms",
            "bytes_received",
            "bytes_sent",
            "clock_jump_ms",
            "fields",
            "msg",
        ]
    }

    fn run<S: Strategy>(strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
        let mut runner = TestRunner::new(Config {
            cases: 2000,
            failure_persistence: None,
            ..Config::default()
        });
        runner
            .run(&strategy, test)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    fn written(end: &Disconnect) -> Value {
        serde_json::to_value(end).expect("written")
    }

    #[test]
    fn what_is_written_reads_back() {
        let with_all = Cell::new(0);
        run(any_end(), |end| {
            let text = serde_json::to_string(&end).expect("written");
            prop_assert_eq!(text.lines().count(), 1);
            prop_assert_eq!(
                &serde_json::from_str::<Disconnect>(&text).expect("accepted"),
                &end
            );
            let nested = json!({"level": "INFO", "fields": written(&end)}).to_string();
            prop_assert_eq!(
                &serde_json::from_str::<Disconnect>(&nested).expect("accepted"),
                &end
            );
            // All but the origin, which has no setter.
            with_all.set(
                with_all.get() + usize::from(written(&end).as_object().expect("a map").len() == 14),
            );
            Ok(())
        });
        assert!(
            with_all.get() > 200,
            "{} records with every field",
            with_all.get()
        );
    }

    #[test]
    fn a_line_with_one_value_changed_is_refused_or_reads_as_what_writes_and_reads_alike() {
        let (read, refused) = (Cell::new(0), Cell::new(0));
        run(
            (any_end(), select(keys()), any_json()),
            |(end, key, value)| {
                let mut line = written(&end);
                line[key] = value;
                match serde_json::from_value::<Disconnect>(line) {
                    Ok(end) => {
                        read.set(read.get() + 1);
                        prop_assert_eq!(
                            serde_json::from_value::<Disconnect>(written(&end)).expect("accepted"),
                            end
                        );
                    }
                    Err(error) => {
                        refused.set(refused.get() + 1);
                        prop_assert!(error.to_string().len() < 500);
                    }
                }
                Ok(())
            },
        );
        let (read, refused) = (read.get(), refused.get());
        assert!(
            read > 200 && refused > 200,
            "{read} lines were read, {refused} refused"
        );
    }

    #[test]
    fn other_keys_change_nothing() {
        run(
            (any_end(), "[x-z]{0,9}|Connect_type|fields", any_json()),
            |(end, key, value)| {
                let mut line = written(&end);
                line[key] = value;
                prop_assert_eq!(
                    serde_json::from_value::<Disconnect>(line).expect("accepted"),
                    end
                );
                Ok(())
            },
        );
    }
}
