//! The same numbers as in crates that speak these protocols, so that a wrong one can't hide.
#![cfg(unix)]

use disconnect_attribution::DisconnectReason::{
    ClientClosed, Graceful, NetworkError, ProtocolError, Rejected, ServerShutdown, Unknown,
};
use disconnect_attribution::{CloseCode, DisconnectReason, Initiator};

/// Holds the reason of each code, as a server sends it, against the one that its name means.
#[track_caller]
fn check<T>(code: impl Fn(T) -> CloseCode, named: impl IntoIterator<Item = (T, DisconnectReason)>) {
    for (number, reason) in named {
        let code = code(number);
        assert_eq!(code.reason(Initiator::Server), reason, "{code}");
    }
}

/// Holds the name of each code against the one that another crate prints, case and `_` apart.
///
/// `theirs` is empty for a number that the crate does not know; at least `known` of ours must be known.
#[track_caller]
fn check_names<T>(
    codes: impl Iterator<Item = (CloseCode, T)>,
    theirs: impl Fn(T) -> Option<String>,
    known: usize,
) {
    let plain = |name: &str| name.replace(['_', ' '], "").to_lowercase();
    let mut compared = 0;
    for (code, number) in codes {
        let (ours, theirs) = (code.name(), theirs(number));
        assert_eq!(ours.is_some(), theirs.is_some(), "{code}: {ours:?}, {theirs:?}");
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            assert_eq!(plain(ours), plain(&theirs), "{code}");
            compared += 1;
        }
    }
    assert_eq!(compared, known);
}

#[test]
fn http2_codes_have_the_names_of_h2() {
    let codes = (0..=0xffff).map(|number| (CloseCode::Http2(number), number));
    let theirs = |number: u32| Some(format!("{:?}", h2::Reason::from(number)));
    check_names(codes, |number| theirs(number).filter(|name| !name.starts_with("Reason(")), 14);
}

#[test]
fn grpc_codes_have_the_names_of_tonic() {
    // Every number that it does not know becomes `Unknown`.
    let codes = (0..=0xffff).map(|number| (CloseCode::Grpc(number), number));
    let theirs = |number| {
        (i32::from(tonic::Code::from(number)) == number).then(|| format!("{:?}", tonic::Code::from(number)))
    };
    check_names(codes, theirs, 17);
}

#[test]
fn websocket_codes_mean_what_tungstenite_names_them() {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as Code;
    check(
        |code: Code| CloseCode::WebSocket(code.into()),
        [
            (Code::Normal, Graceful),
            (Code::Away, ServerShutdown),
            (Code::Protocol, ProtocolError),
            (Code::Unsupported, ProtocolError),
            (Code::Status, Graceful),
            (Code::Abnormal, NetworkError),
            (Code::Invalid, ProtocolError),
            (Code::Policy, Rejected),
            (Code::Size, ProtocolError),
            (Code::Extension, ProtocolError),
            (Code::Error, Unknown),
            (Code::Restart, ServerShutdown),
            (Code::Again, Rejected),
            (Code::Tls, ProtocolError),
        ],
    );
}

#[test]
fn grpc_codes_mean_what_tonic_names_them() {
    use tonic::Code;
    check(
        |code: Code| CloseCode::Grpc(code.into()),
        [
            (Code::Ok, Graceful),
            (Code::Cancelled, ServerShutdown),
            (Code::Unknown, Unknown),
            (Code::InvalidArgument, Rejected),
            (Code::DeadlineExceeded, NetworkError),
            (Code::NotFound, Rejected),
            (Code::AlreadyExists, Rejected),
            (Code::PermissionDenied, Rejected),
            (Code::ResourceExhausted, Rejected),
            (Code::FailedPrecondition, Rejected),
            (Code::Aborted, Rejected),
            (Code::OutOfRange, Rejected),
            (Code::Unimplemented, ProtocolError),
            (Code::Internal, ProtocolError),
            (Code::Unavailable, ServerShutdown),
            (Code::DataLoss, ProtocolError),
            (Code::Unauthenticated, Rejected),
        ],
    );
}

#[test]
fn http2_codes_mean_what_h2_names_them() {
    use h2::Reason;
    check(
        |reason: Reason| CloseCode::Http2(reason.into()),
        [
            (Reason::NO_ERROR, ServerShutdown),
            (Reason::PROTOCOL_ERROR, ProtocolError),
            (Reason::INTERNAL_ERROR, Unknown),
            (Reason::FLOW_CONTROL_ERROR, ProtocolError),
            (Reason::SETTINGS_TIMEOUT, NetworkError),
            (Reason::STREAM_CLOSED, ProtocolError),
            (Reason::FRAME_SIZE_ERROR, ProtocolError),
            (Reason::REFUSED_STREAM, Rejected),
            (Reason::CANCEL, ServerShutdown),
            (Reason::COMPRESSION_ERROR, ProtocolError),
            (Reason::CONNECT_ERROR, NetworkError),
            (Reason::ENHANCE_YOUR_CALM, Rejected),
            (Reason::INADEQUATE_SECURITY, ProtocolError),
            (Reason::HTTP_1_1_REQUIRED, ProtocolError),
        ],
    );
}

#[test]
fn ssh_codes_have_the_names_of_russh_and_mean_what_they_name() {
    use russh::Disconnect as Code;
    let rows = [
        (Code::HostNotAllowedToConnect, Rejected),
        (Code::ProtocolError, ProtocolError),
        (Code::KeyExchangeFailed, ProtocolError),
        (Code::Reserved, Unknown),
        (Code::MACError, ProtocolError),
        (Code::CompressionError, ProtocolError),
        (Code::ServiceNotAvailable, Rejected),
        (Code::ProtocolVersionNotSupported, ProtocolError),
        (Code::HostKeyNotVerifiable, Rejected),
        (Code::ConnectionLost, NetworkError),
        (Code::ByApplication, Graceful),
        (Code::TooManyConnections, Rejected),
        (Code::AuthCancelledByUser, ClientClosed),
        (Code::NoMoreAuthMethodsAvailable, Rejected),
        (Code::IllegalUserName, Rejected),
    ];
    let known = rows.len();
    let named = rows.map(|(code, reason)| (format!("{code:?}"), code as u32, reason));
    let codes = named.iter().map(|(name, number, _)| (CloseCode::Ssh(*number), name.clone()));
    check_names(codes, Some, known);
    check(CloseCode::Ssh, named.map(|(_, number, reason)| (number, reason)));
}
