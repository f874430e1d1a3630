//! The words on the wire: dashboards match on them, so a change here breaks a dashboard.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError, Trigger,
};

const CONNECT_TYPES: [(ConnectType, &str); 3] = [
    (ConnectType::ServerToAgent, "server_to_agent"),
    (ConnectType::AgentToClient, "agent_to_client"),
    (ConnectType::ClientToServer, "client_to_server"),
];

/// The word, and whether the end is expected.
const REASONS: [(DisconnectReason, &str, bool); 10] = [
    (DisconnectReason::Graceful, "graceful", true),
    (DisconnectReason::ClientClosed, "client_closed", true),
    (DisconnectReason::ServerShutdown, "server_shutdown", true),
    (DisconnectReason::WorkspaceStopped, "workspace_stopped", true),
    (DisconnectReason::NetworkError, "network_error", false),
    (DisconnectReason::ProtocolError, "protocol_error", false),
    (DisconnectReason::ControlPlaneLost, "control_plane_lost", false),
    (DisconnectReason::ProcessExited, "process_exited", false),
    (DisconnectReason::Rejected, "rejected", false),
    (DisconnectReason::Unknown, "unknown", false),
];

const INITIATORS: [(Initiator, &str); 5] = [
    (Initiator::Client, "client"),
    (Initiator::Agent, "agent"),
    (Initiator::Server, "server"),
    (Initiator::Network, "network"),
    (Initiator::Unknown, "unknown"),
];

const TRIGGERS: [(Trigger, &str); 15] = [
    (Trigger::EndOfFile, "end_of_file"),
    (Trigger::Reset, "reset"),
    (Trigger::BrokenPipe, "broken_pipe"),
    (Trigger::Aborted, "aborted"),
    (Trigger::Refused, "refused"),
    (Trigger::Unreachable, "unreachable"),
    (Trigger::TimedOut, "timed_out"),
    (Trigger::IdleTimeout, "idle_timeout"),
    (Trigger::KeepaliveTimeout, "keepalive_timeout"),
    (Trigger::HandshakeTimeout, "handshake_timeout"),
    (Trigger::Deadline, "deadline"),
    (Trigger::MaxAge, "max_age"),
    (Trigger::Superseded, "superseded"),
    (Trigger::Panic, "panic"),
    (Trigger::Dropped, "dropped"),
];

const METHODS: [(ConnectionMethod, &str); 3] = [
    (ConnectionMethod::Direct, "direct"),
    (ConnectionMethod::Derp, "derp"),
    (ConnectionMethod::Unknown, "unknown"),
];

/// Holds an enum against its table: all of it, in this order, in both directions, and nothing else.
#[track_caller]
fn check<T>(key: &str, rows: &[(T, &'static str)], variants: &[T], as_str: fn(T) -> &'static str)
where
    T: Copy + Debug + Display + PartialEq + FromStr<Err = ParseError>,
{
    let listed: Vec<T> = rows.iter().map(|(variant, _)| *variant).collect();
    assert_eq!(variants, listed);
    for &(variant, word) in rows {
        assert_eq!(as_str(variant), word);
        assert_eq!(variant.to_string(), word);
        assert_eq!(word.parse(), Ok(variant));
        for near_miss in [
            word.to_uppercase(),
            format!(" {word}"),
            format!("{word}\n"),
            format!("{word}s"),
            word[1..].to_owned(),
            // The name of the variant.
            format!("{variant:?}"),
        ] {
            assert!(near_miss.parse::<T>().is_err(), "accepted {near_miss:?}");
        }
    }
    // A refusal names the key, the text and all that is accepted.
    let words: Vec<_> = rows.iter().map(|(_, word)| *word).collect();
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
    let reasons = REASONS.map(|(reason, word, _)| (reason, word));
    check("connect_type", &CONNECT_TYPES, ConnectType::VARIANTS, ConnectType::as_str);
    check("disconnect_reason", &reasons, DisconnectReason::VARIANTS, DisconnectReason::as_str);
    for (reason, word, expected) in REASONS {
        assert_eq!(reason.expected(), expected, "{word}");
    }
    check("disconnect_initiator", &INITIATORS, Initiator::VARIANTS, Initiator::as_str);
    check("disconnect_trigger", &TRIGGERS, Trigger::VARIANTS, Trigger::as_str);
    check("connection_method", &METHODS, ConnectionMethod::VARIANTS, ConnectionMethod::as_str);
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
