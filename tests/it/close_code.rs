//! Close codes: what every number of every protocol means from every sender, and how it is written.

use std::collections::HashSet;
use std::fmt::Write;

use disconnect_attribution::DisconnectReason::{ClientClosed, NetworkError, ServerShutdown, Unknown};
use disconnect_attribution::{CloseCode, ConnectType, Disconnect, DisconnectReason, Initiator};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::random;
use crate::support::strategies::{PROTOCOLS, any_code};

const SENDERS: [Initiator; 5] =
    [Initiator::Client, Initiator::Agent, Initiator::Server, Initiator::Network, Initiator::Unknown];

fn reasons(code: CloseCode) -> [DisconnectReason; 5] {
    SENDERS.map(|sender| code.reason(sender))
}

/// Small numbers, each bit and its neighbours, the ends, and a walk over the rest.
fn numbers() -> impl Iterator<Item = u64> {
    let bits = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    let walk = (0..4096_u64).map(|step| step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..=0xffff).chain(bits).chain(walk).chain([u64::MAX])
}

/// All that means anything, as the contract has it: a code, its name, and its reason, or those that it has from a
/// client, an agent, a server, the network and an unknown sender. `UPDATE_GOLDEN=1` writes it again after a change that
/// is meant; `tests/close_code.rs` of the examples holds names against crates that speak the protocols.
const LISTED: &str = include_str!("close_codes.txt");

#[test]
fn each_number_means_what_its_protocol_makes_of_it_and_all_others_nothing() {
    let (mut seen, mut listing) = (HashSet::new(), String::new());
    for protocol in PROTOCOLS {
        for number in numbers() {
            let code = protocol(number.to_le_bytes());
            let (name, reasons) = (code.name(), reasons(code));
            let means_nothing = name.is_none() && reasons == [Unknown; 5];
            let is_an_alert = matches!(code, CloseCode::Quic(0x100..=0x1ff));
            if means_nothing || is_an_alert || !seen.insert(code) {
                continue;
            }
            let is_the_same = reasons == [reasons[0]; 5];
            let reasons = reasons.map(DisconnectReason::as_str);
            let reasons = if is_the_same { &reasons[..1] } else { &reasons[..] };
            let name = name.unwrap_or("-");
            writeln!(listing, "{code} | {name} | {}", reasons.join(", ")).expect("a text");
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/close_codes.txt");
        std::fs::write(path, &listing).expect("written");
    }
    for (line, listed) in listing.lines().zip(LISTED.lines()) {
        assert_eq!(line, listed);
    }
    assert_eq!(listing.len(), LISTED.len());
}

#[test]
fn a_quic_crypto_error_is_the_tls_alert_in_its_low_byte() {
    for alert in 0..=u8::MAX {
        let (code, tls) = (CloseCode::Quic(0x100 + u64::from(alert)), CloseCode::Tls(alert));
        assert_eq!(code.name(), Some(tls.name().unwrap_or("CRYPTO_ERROR")));
        assert_eq!(reasons(code), reasons(tls));
        let text = format!("quic:{}", 256 + u64::from(alert));
        assert_eq!(code.to_string(), text, "the number is kept as it came");
    }
}

#[test]
fn no_other_text_is_a_code() {
    let words = ": ssh ssh: :11 11 SSH:11 ssh:+11 ssh:011 ssh:-1 ssh:--1 ssh:11:12 ssh:0x0b ssh:1_1 ssh:1.0 \
                 ssh:4294967296 websocket:65536 websocket:-1000 grpc:-0 grpc:00 grpc:+14 grpc:2147483648 \
                 grpc:-2147483649 http2:\u{663} http2:-8 tls:256 tls:-1 quic:18446744073709551616 quic:-1 \
                 quic_app: quicapp:7 quic-app:7 http3:0x100 mqtt:256 http:8 smtp:421";
    for text in words.split(' ').chain(["", " ssh:11", "ssh: 11", "ssh:11 "]) {
        assert!(text.parse::<CloseCode>().is_err(), "accepted {text:?}");
    }
}

#[test]
fn a_record_from_a_code_keeps_layer_code_and_sender() {
    let code = CloseCode::Http3(0x100);
    let reasons = [ClientClosed, ServerShutdown, ServerShutdown, NetworkError, NetworkError];
    for &connect_type in ConnectType::VARIANTS {
        for (sender, reason) in SENDERS.into_iter().zip(reasons) {
            let expected = Disconnect::new(connect_type, reason).with_code(code);
            let expected = match sender {
                Initiator::Unknown => expected,
                sender => expected.with_initiator(sender),
            };
            let end = Disconnect::from_close_code(connect_type, code, sender);
            assert_eq!(end, expected, "an unknown sender is left out");
        }
    }
}

#[test]
fn a_close_code_is_what_it_prints_and_with_one_character_changed_itself_or_refused() {
    let change = (any::<prop::sample::Index>(), select(b"0123456789+-:_.qa \n".as_slice()));
    random::run(1_000, 10, &(any_code(), change), |(code, (at, c))| {
        let text = code.to_string();
        prop_assert_eq!(text.parse::<CloseCode>(), Ok(code));
        let mut text = text.into_bytes();
        let at = at.index(text.len());
        text[at] = c;
        let text = String::from_utf8(text).expect("ASCII");
        let changed = text.parse::<CloseCode>();
        if let Ok(code) = &changed {
            prop_assert_eq!(code.to_string(), text);
        }
        Ok(changed.is_ok())
    });
}
