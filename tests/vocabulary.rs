//! The words on the wire: dashboards match on them, so a change here is a broken dashboard.

use disconnect_attribution::{
    ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError, keys,
};

fn words<T: Copy>(variants: &[T], as_str: fn(T) -> &'static str) -> Vec<&'static str> {
    variants.iter().map(|variant| as_str(*variant)).collect()
}

#[test]
fn keys_are_golden() {
    let keys = [
        keys::CONNECT_TYPE,
        keys::DISCONNECT_REASON,
        keys::DISCONNECT_EXPECTED,
        keys::DISCONNECT_INITIATOR,
        keys::DISCONNECT_DETAIL,
        keys::DISCONNECT_CODE,
        keys::EXIT_CODE,
        keys::CONNECTION_METHOD,
    ];
    let golden = "connect_type disconnect_reason disconnect_expected disconnect_initiator \
                  disconnect_detail disconnect_code exit_code connection_method";
    assert_eq!(keys.join(" "), golden);
    assert_eq!(ConnectType::KEY, keys::CONNECT_TYPE);
    assert_eq!(DisconnectReason::KEY, keys::DISCONNECT_REASON);
    assert_eq!(Initiator::KEY, keys::DISCONNECT_INITIATOR);
    assert_eq!(ConnectionMethod::KEY, keys::CONNECTION_METHOD);
}

#[test]
fn words_are_golden() {
    assert_eq!(
        words(ConnectType::VARIANTS, ConnectType::as_str),
        ["server_to_agent", "agent_to_client", "client_to_server"],
    );
    assert_eq!(
        words(DisconnectReason::VARIANTS, DisconnectReason::as_str),
        [
            "graceful",
            "client_closed",
            "server_shutdown",
            "workspace_stopped",
            "network_error",
            "protocol_error",
            "control_plane_lost",
            "process_exited",
            "rejected",
            "unknown",
        ],
    );
    assert_eq!(
        words(Initiator::VARIANTS, Initiator::as_str),
        ["client", "agent", "server", "network", "unknown"],
    );
    assert_eq!(
        words(ConnectionMethod::VARIANTS, ConnectionMethod::as_str),
        ["direct", "derp", "unknown"],
    );
}

/// `as_str` looks a name up by position, so each variant is held against its own word.
#[test]
fn each_variant_has_its_own_word() {
    for reason in DisconnectReason::VARIANTS {
        let word = match reason {
            DisconnectReason::Graceful => "graceful",
            DisconnectReason::ClientClosed => "client_closed",
            DisconnectReason::ServerShutdown => "server_shutdown",
            DisconnectReason::WorkspaceStopped => "workspace_stopped",
            DisconnectReason::NetworkError => "network_error",
            DisconnectReason::ProtocolError => "protocol_error",
            DisconnectReason::ControlPlaneLost => "control_plane_lost",
            DisconnectReason::ProcessExited => "process_exited",
            DisconnectReason::Rejected => "rejected",
            DisconnectReason::Unknown => "unknown",
        };
        assert_eq!(reason.as_str(), word);
    }
    for initiator in Initiator::VARIANTS {
        let word = match initiator {
            Initiator::Client => "client",
            Initiator::Agent => "agent",
            Initiator::Server => "server",
            Initiator::Network => "network",
            Initiator::Unknown => "unknown",
        };
        assert_eq!(initiator.as_str(), word);
    }
    for connect_type in ConnectType::VARIANTS {
        let word = match connect_type {
            ConnectType::ServerToAgent => "server_to_agent",
            ConnectType::AgentToClient => "agent_to_client",
            ConnectType::ClientToServer => "client_to_server",
        };
        assert_eq!(connect_type.as_str(), word);
    }
    for method in ConnectionMethod::VARIANTS {
        let word = match method {
            ConnectionMethod::Direct => "direct",
            ConnectionMethod::Derp => "derp",
            ConnectionMethod::Unknown => "unknown",
        };
        assert_eq!(method.as_str(), word);
    }
}

#[test]
fn four_reasons_are_expected() {
    let expected: Vec<_> = DisconnectReason::VARIANTS
        .iter()
        .copied()
        .filter(|reason| reason.expected())
        .collect();
    assert_eq!(
        expected,
        [
            DisconnectReason::Graceful,
            DisconnectReason::ClientClosed,
            DisconnectReason::ServerShutdown,
            DisconnectReason::WorkspaceStopped,
        ],
    );
}

#[test]
fn nobody_knows_by_default() {
    assert_eq!(DisconnectReason::default(), DisconnectReason::Unknown);
    assert_eq!(Initiator::default(), Initiator::Unknown);
    assert_eq!(ConnectionMethod::default(), ConnectionMethod::Unknown);
}

#[test]
fn text_is_padded_like_any_other() {
    assert_eq!(format!("[{:>8}]", Initiator::Agent), "[   agent]");
}

#[test]
fn every_word_parses_back_and_nothing_else_does() {
    for reason in DisconnectReason::VARIANTS {
        let word = reason.as_str();
        assert_eq!(word.parse(), Ok(*reason));
        for near_miss in [
            word.to_uppercase(),
            format!(" {word}"),
            format!("{word}\n"),
            word.replace('_', "-"),
        ] {
            if near_miss != word {
                assert!(
                    near_miss.parse::<DisconnectReason>().is_err(),
                    "accepted {near_miss:?}"
                );
            }
        }
    }
    assert!("".parse::<ConnectType>().is_err());
    assert!("Client".parse::<Initiator>().is_err());
    assert!("relay".parse::<ConnectionMethod>().is_err());
}

fn parse_error<T: std::str::FromStr<Err = ParseError>>(text: &str) -> String {
    text.parse::<T>().err().expect("refused").to_string()
}

#[test]
fn a_parse_error_tells_what_would_have_been_right() {
    assert_eq!(
        parse_error::<ConnectType>("agent"),
        "invalid connect_type \"agent\": \
         expected one of server_to_agent, agent_to_client, client_to_server",
    );
    assert_eq!(
        parse_error::<DisconnectReason>("process exited with error status: 1"),
        "invalid disconnect_reason \"process exited with error status: 1\": expected one of \
         graceful, client_closed, server_shutdown, workspace_stopped, network_error, \
         protocol_error, control_plane_lost, process_exited, rejected, unknown",
    );
    assert_eq!(
        parse_error::<Initiator>(""),
        "invalid disconnect_initiator \"\": expected one of client, agent, server, network, unknown",
    );
    assert_eq!(
        parse_error::<ConnectionMethod>("relay"),
        "invalid connection_method \"relay\": expected one of direct, derp, unknown",
    );
}

#[test]
fn a_parse_error_shows_hostile_text_escaped_and_bounded() {
    assert_eq!(
        parse_error::<ConnectionMethod>("x\r\n\u{1b}[31m\u{202e}"),
        r#"invalid connection_method "x\r\n\u{1b}[31m\u{202e}": expected one of direct, derp, unknown"#,
    );
    let flood = parse_error::<ConnectionMethod>(&"é".repeat(1_000_000));
    let shown = format!("{}…", "é".repeat(126));
    assert_eq!(
        flood,
        format!("invalid connection_method \"{shown}\": expected one of direct, derp, unknown"),
    );
}
