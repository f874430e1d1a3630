//! Properties: what holds for any input.

#[path = "support/strategies.rs"]
mod strategies;
mod support;

use disconnect_attribution::{CloseCode, DisconnectReason, Initiator, classify_channel_close};
use proptest::prelude::*;
use proptest::sample::select;
use strategies::{any_code, any_text};

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

    use disconnect_attribution::Disconnect;
    use proptest::test_runner::{Config, TestRunner};
    use serde_json::{Value, json};

    use super::strategies::{any_end, any_json, keys};
    use super::*;

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
