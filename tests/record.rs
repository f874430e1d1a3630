//! The record: fields, free text, labels and the one readable text.

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator,
};

fn end() -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
}

fn detail(text: &str) -> Option<String> {
    end()
        .with_detail(text.to_owned())
        .detail()
        .map(str::to_owned)
}

#[test]
fn a_new_record_knows_two_things() {
    let end = end();
    assert_eq!(end.connect_type(), ConnectType::AgentToClient);
    assert_eq!(end.reason(), DisconnectReason::NetworkError);
    assert_eq!(end.initiator(), None);
    assert_eq!(end.detail(), None);
    assert_eq!(end.code(), None);
    assert_eq!(end.exit_code(), None);
    assert_eq!(end.connection_method(), None);
}

#[test]
fn each_setter_sets_its_own_field() {
    let full = end()
        .with_initiator(Initiator::Client)
        .with_detail("lid closed")
        .with_code(CloseCode::Ssh(11))
        .with_exit_code(-1)
        .with_connection_method(ConnectionMethod::Derp);
    assert_eq!(full.connect_type(), ConnectType::AgentToClient);
    assert_eq!(full.reason(), DisconnectReason::NetworkError);
    assert_eq!(full.initiator(), Some(Initiator::Client));
    assert_eq!(full.detail(), Some("lid closed"));
    assert_eq!(full.code(), Some(CloseCode::Ssh(11)));
    assert_eq!(full.exit_code(), Some(-1));
    assert_eq!(full.connection_method(), Some(ConnectionMethod::Derp));
}

#[test]
fn the_reason_alone_decides_what_is_expected() {
    for connect_type in ConnectType::VARIANTS {
        for reason in DisconnectReason::VARIANTS {
            for initiator in Initiator::VARIANTS {
                let end = Disconnect::new(*connect_type, *reason).with_initiator(*initiator);
                assert_eq!(end.expected(), reason.expected());
            }
        }
    }
}

#[test]
fn free_text_is_one_line_that_drives_no_terminal() {
    let rows = [
        ("connection reset by peer", "connection reset by peer"),
        ("two\nlines\r\n", r"two\nlines\r\n"),
        ("tab\there", r"tab\there"),
        ("nul\0", r"nul\u{0}"),
        ("\u{1b}[2Jcleared", r"\u{1b}[2Jcleared"),
        ("c1 \u{9b}31m next \u{85}", r"c1 \u{9b}31m next \u{85}"),
        ("del\u{7f}", r"del\u{7f}"),
        (
            "separators \u{2028}\u{2029}",
            r"separators \u{2028}\u{2029}",
        ),
        (
            "bidi \u{202e}desrever\u{2069}\u{200f}\u{61c}",
            r"bidi \u{202e}desrever\u{2069}\u{200f}\u{61c}",
        ),
        ("Grüße, 日本, 🦀", "Grüße, 日本, 🦀"),
        (r"C:\new\temp", r"C:\new\temp"),
        ("\"quoted\" 'text'", "\"quoted\" 'text'"),
    ];
    for (text, kept) in rows {
        assert_eq!(detail(text).as_deref(), Some(kept), "{text:?}");
    }
}

#[test]
fn blank_text_is_no_detail() {
    for blank in ["", " ", "  \u{3000}"] {
        assert_eq!(detail(blank), None, "{blank:?}");
    }
    assert_eq!(end().with_detail("first").with_detail("").detail(), None);
}

#[test]
fn long_text_is_cut_on_a_character_and_marked() {
    let cut = |unit: &str, count: usize| format!("{}…", unit.repeat(count));
    assert_eq!(detail(&"x".repeat(256)), Some("x".repeat(256)));
    assert_eq!(detail(&"x".repeat(257)), Some(cut("x", 253)));
    assert_eq!(detail(&"é".repeat(128)), Some("é".repeat(128)));
    assert_eq!(detail(&"é".repeat(129)), Some(cut("é", 126)));
    assert_eq!(detail(&"🦀".repeat(1_000_000)), Some(cut("🦀", 63)));
    // Two bytes for `\n` just fit, or just do not.
    let escaped = |count: usize| detail(&format!("{}\n", "x".repeat(count)));
    assert_eq!(escaped(254), Some(format!("{}\\n", "x".repeat(254))));
    assert_eq!(escaped(255), Some(cut("x", 253)));
    // An escape stays whole: `\u{1b}` is six bytes, 42 of them leave one for the mark's three.
    assert_eq!(detail(&"\u{1b}".repeat(300)), Some(cut(r"\u{1b}", 42)));
}

#[test]
fn text_that_went_through_once_goes_through_again_unchanged() {
    for text in ["two\nlines", &"x".repeat(1000), &"\u{1b}é".repeat(100)] {
        let once = detail(text).expect("kept");
        assert_eq!(detail(&once), Some(once));
    }
}

#[test]
fn a_report_has_a_reason_whatever_happens() {
    for reason in DisconnectReason::VARIANTS {
        let end = Disconnect::new(ConnectType::AgentToClient, *reason);
        assert_eq!(end.report_reason(), reason.as_str());
        assert_eq!(
            end.clone().with_detail(" ").report_reason(),
            reason.as_str()
        );
        assert_eq!(end.with_detail("why").report_reason(), "why");
    }
}

#[test]
fn labels_hold_the_vocabulary_and_no_free_text() {
    let mut series = std::collections::HashSet::new();
    for connect_type in ConnectType::VARIANTS {
        for reason in DisconnectReason::VARIANTS {
            let end = Disconnect::new(*connect_type, *reason).with_detail("free text");
            series.insert(end.labels());
            for initiator in Initiator::VARIANTS {
                let labels = end.clone().with_initiator(*initiator).labels();
                assert_eq!(labels[0], ("connect_type", connect_type.as_str()));
                assert_eq!(labels[1], ("disconnect_reason", reason.as_str()));
                let expected = if reason.expected() { "true" } else { "false" };
                assert_eq!(labels[2], ("disconnect_expected", expected));
                assert_eq!(labels[3], ("disconnect_initiator", initiator.as_str()));
                series.insert(labels);
            }
        }
    }
    assert_eq!(
        series.len(),
        150,
        "a missing initiator is a series of its own"
    );
}

#[test]
fn display_is_one_part_of_a_sentence() {
    assert_eq!(end().to_string(), "agent_to_client ended: network_error");
    assert_eq!(
        end()
            .with_initiator(Initiator::Client)
            .with_code(CloseCode::Ssh(10))
            .with_exit_code(255)
            .with_connection_method(ConnectionMethod::Derp)
            .with_detail("read failed\nreset")
            .to_string(),
        r"agent_to_client ended by client: network_error (ssh:10) (exit code 255): read failed\nreset",
    );
}
