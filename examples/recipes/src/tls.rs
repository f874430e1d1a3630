//! TLS over a tracked stream, which sees the transport and counts what is on the wire.
//!
//! Fits this crate with `tokio`, tokio 1 with `net` and `time`, and tokio-rustls 0.26 with the rustls 0.23 that it
//! re-exports; name that one and no other, or the downcast below never matches. rustls alone, over std, wraps its errors in
//! `io::Error` in the same way.
//!
//! Make the guard before the handshake, so that a client that refuses this side's certificate has a line, and give the
//! result of the session's loop to `explain` before the guard goes.
//!
//! For code that knows no TLS, track the `TlsStream` itself, `with_goodbye`: its end of file is a `close_notify`, and a cut
//! is an `UnexpectedEof`, which is never expected. It counts the plain text and sees alerts without their number, and a
//! handshake that fails has no line.

use std::io;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream,
    Trigger,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::Error;
use tokio_rustls::server::TlsStream;

/// Records what the end of a session explains beyond what the transport did.
pub fn explain(cause: &Cause, ended: &io::Result<()>) {
    let by_alert =
        |alert| Disconnect::from_close_code(ClientToServer, CloseCode::Tls(alert), Initiator::Client);
    let Err(error) = ended else {
        // Over TLS, a read of 0 bytes is the peer's `close_notify` and nothing else. The FIN behind it may have been read
        // before: the peer's word refines that.
        cause.record(Evidence::Peer, by_alert(0));
        return;
    };
    let (evidence, end) = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Error::AlertReceived(alert)) => (Evidence::Peer, by_alert(u8::from(*alert))),
        // This side refuses a certificate, and has sent an alert.
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => {
            let end = Disconnect::new(ClientToServer, DisconnectReason::Rejected);
            (Evidence::Local, end.with_initiator(Initiator::Server).with_detail(error.to_string()))
        }
        // What the peer sent is no TLS, such as plain HTTP, or none that this side takes.
        Some(_) => {
            let end = Disconnect::protocol_error(ClientToServer, Initiator::Client);
            (Evidence::Local, end.with_detail(error.to_string()))
        }
        // Of the transport, which the tracked stream has seen: a cut, which may be a truncation.
        None => return,
    };
    cause.record(evidence, end);
}

/// Shakes hands; nothing if that failed, which is recorded then.
pub async fn handshake<F: FnOnce(Disconnect)>(
    socket: TcpStream,
    acceptor: &TlsAcceptor,
    patience: Duration,
    guard: &DisconnectGuard<F>,
) -> Option<TlsStream<TrackedStream<TcpStream>>> {
    let accepting = acceptor.accept(guard.track(socket, Initiator::Client));
    match timeout(patience, accepting).await {
        Ok(Ok(tls)) => return Some(tls),
        Ok(Err(error)) => explain(&guard.cause(), &Err(error)),
        Err(_) => {
            let end = Disconnect::network_error(ClientToServer, Trigger::HandshakeTimeout);
            guard.cause().record(Evidence::Local, end);
        }
    }
    None
}
