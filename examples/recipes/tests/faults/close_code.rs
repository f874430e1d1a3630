//! The same numbers and names as in crates that speak these protocols, so that a wrong one can't hide.

use disconnect_attribution::CloseCode;
use quinn_proto::coding::Codec;

/// Holds the names of some codes against those that another crate prints, case, `_` and spaces apart; `None` from a
/// crate that does not know the number. So many of ours must be known there.
#[track_caller]
fn check(codes: impl IntoIterator<Item = (CloseCode, Option<String>)>, known: usize) {
    let plain = |name: &str| name.replace(['_', ' '], "").to_lowercase();
    let mut compared = 0;
    for (code, theirs) in codes {
        assert_eq!(code.name().map(plain), theirs.as_deref().map(plain), "{code}");
        compared += usize::from(theirs.is_some());
    }
    assert_eq!(compared, known);
}

#[test]
fn http2_codes_are_named_as_in_h2() {
    let theirs = |number: u32| format!("{:?}", h2::Reason::from(number));
    let known = |number| Some(theirs(number)).filter(|name| !name.starts_with("Reason("));
    check((0..=0xffff).map(|number| (CloseCode::Http2(number), known(number))), 14);
}

#[test]
fn grpc_codes_are_named_as_in_tonic() {
    // Every number that it does not know becomes `Unknown`.
    let known = |number| Some(tonic::Code::from(number)).filter(|code| i32::from(*code) == number);
    let named = |number| (CloseCode::Grpc(number), known(number).map(|code| format!("{code:?}")));
    check((0..=0xffff).map(named), 17);
}

#[test]
fn ssh_codes_are_named_as_in_russh() {
    let known = |number| russh::Disconnect::try_from(number).ok().map(|code| format!("{code:?}"));
    check((0..=0xffff).map(|number| (CloseCode::Ssh(number), known(number))), 15);
}

#[test]
fn websocket_codes_are_those_that_tungstenite_allows_in_a_frame() {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as Code;
    for number in 1000..3000 {
        let named = !matches!(Code::from(number), Code::Reserved(_) | Code::Bad(_));
        // Two that no frame may carry, and one of the registry that it does not know.
        let ours = CloseCode::WebSocket(number).name().filter(|_| !matches!(number, 1004 | 1014));
        assert_eq!(ours.is_some(), named, "{number}");
    }
}

#[test]
fn tls_alerts_are_named_as_in_rustls() {
    // British English there; alerts of older versions have no row of ours.
    let theirs = |number: u8| format!("{:?}", rustls::AlertDescription::from(number));
    let theirs = |number| theirs(number).replace("UnrecognisedName", "UnrecognizedName");
    let listed = (0..=u8::MAX).filter(|number| CloseCode::Tls(*number).name().is_some());
    check(listed.map(|number| (CloseCode::Tls(number), Some(theirs(number)))), 27);
}

#[test]
fn quic_transport_errors_are_named_as_in_quinn() {
    let theirs = |number: u8| {
        // As on the wire: a variable-length integer of two bytes.
        let code = quinn_proto::TransportErrorCode::decode(&mut &[0x40, number][..]);
        format!("{:?}", code.expect("two bytes"))
    };
    let known = |number| Some(theirs(number)).filter(|name| !name.starts_with("Code("));
    // RFC 9368 is newer than its list.
    assert_eq!(CloseCode::Quic(0x11).name(), Some("VERSION_NEGOTIATION_ERROR"));
    let others = (0..=u8::MAX).filter(|number| *number != 0x11);
    check(others.map(|number| (CloseCode::Quic(number.into()), known(number))), 17);
}

#[test]
fn a_quic_crypto_error_is_named_as_the_alert_of_rustls() {
    for alert in 0..=u8::MAX {
        let code = CloseCode::Quic(quinn_proto::TransportErrorCode::crypto(alert).into());
        let name = CloseCode::Tls(alert).name().unwrap_or("CRYPTO_ERROR");
        assert_eq!(code.name(), Some(name), "{alert}");
    }
}
