//! The same numbers and names as in rustls and quinn, so that a wrong one can't hide.

use disconnect_attribution::CloseCode;

/// A name without case and `_`.
fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

#[test]
fn tls_alerts_are_named_as_in_rustls() {
    let mut compared = 0;
    for number in 0..=u8::MAX {
        let alert = rustls::AlertDescription::from(number);
        // Alerts of older versions have no row of ours.
        if let Some(ours) = CloseCode::Tls(number).name() {
            // British English there.
            let theirs = format!("{alert:?}").replace("UnrecognisedName", "UnrecognizedName");
            assert_eq!(plain(ours), plain(&theirs), "{number}");
            compared += 1;
        }
    }
    assert_eq!(compared, 27);
}

#[test]
fn quic_transport_errors_are_named_as_in_quinn() {
    use quinn_proto::TransportErrorCode as Code;

    let named = [
        Code::NO_ERROR,
        Code::INTERNAL_ERROR,
        Code::CONNECTION_REFUSED,
        Code::FLOW_CONTROL_ERROR,
        Code::STREAM_LIMIT_ERROR,
        Code::STREAM_STATE_ERROR,
        Code::FINAL_SIZE_ERROR,
        Code::FRAME_ENCODING_ERROR,
        Code::TRANSPORT_PARAMETER_ERROR,
        Code::CONNECTION_ID_LIMIT_ERROR,
        Code::PROTOCOL_VIOLATION,
        Code::INVALID_TOKEN,
        Code::APPLICATION_ERROR,
        Code::CRYPTO_BUFFER_EXCEEDED,
        Code::KEY_UPDATE_ERROR,
        Code::AEAD_LIMIT_REACHED,
        Code::NO_VIABLE_PATH,
    ];
    for (number, theirs) in (0..).zip(named) {
        assert_eq!(u64::from(theirs), number);
        let ours = CloseCode::Quic(number).name().expect("listed");
        assert_eq!(ours, format!("{theirs:?}"));
    }
    // RFC 9368 is newer than its list.
    assert_eq!(CloseCode::Quic(0x11).name(), Some("VERSION_NEGOTIATION_ERROR"));
    for number in 0x12..0x100 {
        assert_eq!(CloseCode::Quic(number).name(), None);
    }
}

#[test]
fn a_quic_crypto_error_is_named_as_the_alert_of_rustls() {
    for alert in 0..=u8::MAX {
        let code = CloseCode::Quic(quinn_proto::TransportErrorCode::crypto(alert).into());
        let name = CloseCode::Tls(alert).name().unwrap_or("CRYPTO_ERROR");
        assert_eq!(code.name(), Some(name), "{alert}");
    }
}
