//! The words on the wire: dashboards match on them, so a change here breaks a dashboard.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError, Trigger,
};

const EXPECTED: &str = "graceful client_closed server_shutdown workspace_stopped";
const UNEXPECTED: &str = "network_error protocol_error control_plane_lost process_exited rejected unknown";
const TRIGGERS: &str = "end_of_file reset broken_pipe aborted refused unreachable timed_out idle_timeout \
                        keepalive_timeout handshake_timeout deadline max_age superseded panic dropped";

/// Holds an enum against its words: all of them, in this order, in both directions, and nothing else.
#[track_caller]
fn check<T>(key: &str, words: &str, variants: &[T], as_str: fn(T) -> &'static str)
where
    T: Copy + Debug + Display + PartialEq + FromStr<Err = ParseError>,
{
    let words: Vec<_> = words.split(' ').collect();
    assert_eq!(variants.iter().map(|variant| as_str(*variant)).collect::<Vec<_>>(), words);
    for (&variant, word) in variants.iter().zip(&words) {
        assert_eq!(variant.to_string(), *word);
        assert_eq!(word.parse(), Ok(variant));
        let name = format!("{variant:?}");
        assert_eq!(name.to_lowercase(), word.replace('_', ""));
        for near_miss in [
            word.to_uppercase(),
            format!(" {word}"),
            format!("{word}\n"),
            format!("{word}s"),
            word[1..].to_owned(),
            name,
        ] {
            assert!(near_miss.parse::<T>().is_err(), "accepted {near_miss:?}");
        }
    }
    // A refusal names the key, the text and all that is accepted.
    for text in ["", "process exited with error status: 1"] {
        let error = format!("invalid {key} \"{text}\": expected one of {}", words.join(", "));
        assert_eq!(refused::<T>(text), error);
    }
}

fn refused<T: FromStr<Err = ParseError> + Debug>(text: &str) -> String {
    text.parse::<T>().expect_err("refused").to_string()
}

#[test]
fn each_word_stands_for_its_variant_and_no_other_text_does() {
    let layers = "server_to_agent agent_to_client client_to_server";
    check("connect_type", layers, ConnectType::VARIANTS, ConnectType::as_str);
    let reasons = format!("{EXPECTED} {UNEXPECTED}");
    check("disconnect_reason", &reasons, DisconnectReason::VARIANTS, DisconnectReason::as_str);
    for reason in DisconnectReason::VARIANTS {
        assert_eq!(reason.expected(), EXPECTED.split(' ').any(|word| word == reason.as_str()), "{reason}");
    }
    let sides = "client agent server network unknown";
    check("disconnect_initiator", sides, Initiator::VARIANTS, Initiator::as_str);
    check("disconnect_trigger", TRIGGERS, Trigger::VARIANTS, Trigger::as_str);
    check("connection_method", "direct derp unknown", ConnectionMethod::VARIANTS, ConnectionMethod::as_str);
}

#[test]
fn the_default_is_unknown_and_a_word_can_be_padded() {
    assert_eq!(DisconnectReason::default(), DisconnectReason::Unknown);
    assert_eq!(Initiator::default(), Initiator::Unknown);
    assert_eq!(ConnectionMethod::default(), ConnectionMethod::Unknown);
    assert_eq!(format!("[{:>8}] [{:<7}]", Initiator::Agent, Trigger::Reset), "[   agent] [reset  ]");
}

#[test]
fn a_parse_error_shows_the_text_escaped_and_bounded() {
    let rows = [
        ("direct ", "direct "),
        ("\tdirect\n", r"\tdirect\n"),
        ("x\r\n\u{1b}[31m\u{202e}\u{200b}", r"x\r\n\u{1b}[31m\u{202e}\u{200b}"),
        (&"é".repeat(1_000_000), &format!("{}…", "é".repeat(126))),
    ];
    for (text, shown) in rows {
        let expected =
            format!("invalid connection_method \"{shown}\": expected one of direct, derp, unknown");
        assert_eq!(refused::<ConnectionMethod>(text), expected);
    }
    let codes = "ssh:<u32>, websocket:<u16>, grpc:<i32>, http2:<u32>, tls:<u8>, quic:<u64>, quic_app:<u64>, \
                 http3:<u64>, mqtt:<u8>";
    let error = format!("invalid disconnect_code \"smtp:421\": expected one of {codes}");
    assert_eq!(refused::<CloseCode>("smtp:421"), error);
}
