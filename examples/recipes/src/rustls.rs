//! TLS: a tracked stream under it, or over it.
//!
//! Fits this crate with `tokio`, tokio 1 with `io-util`, `macros`, `net` and `time`, and
//! tokio-rustls 0.26 with the rustls 0.23 that it re-exports; name that one and no other, or
//! the downcast below never matches. rustls alone, over std, wraps its errors in `io::Error`
//! in the same way.

use std::io;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::Error;

/// How long a client has for the handshake, and this side for its own `close_notify`.
pub const PATIENCE: Duration = Duration::from_millis(300);

/// The usual way: TLS over a tracked stream, which sees the transport and counts what is on
/// the wire.
pub async fn serve(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    agent: &Cause,
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
    log: impl FnOnce(Disconnect),
) {
    // Before the handshake, so that a client that refuses our certificate has a line.
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    let cause = guard.cause();
    let accepted = timeout(
        PATIENCE,
        acceptor.accept(guard.track(socket, Initiator::Client)),
    )
    .await;
    let mut tls = match accepted {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return observe(&cause, &error),
        Err(_) => {
            return guard.close(Disconnect::network_error(
                ClientToServer,
                Trigger::HandshakeTimeout,
            ));
        }
    };
    match session(&mut tls, &cause, idle, answer).await {
        // Over TLS, a read of 0 bytes is the peer's `close_notify` and nothing else. The FIN
        // behind it may have been read before: the peer's word refines that.
        Ok(true) => {
            let goodbye =
                Disconnect::from_close_code(ClientToServer, CloseCode::Tls(0), Initiator::Client);
            cause.record(Evidence::Peer, goodbye);
        }
        Ok(false) => {} // recorded
        Err(error) => observe(&cause, &error),
    }
    let _ = timeout(PATIENCE, tls.shutdown()).await; // our `close_notify`
}

/// For code that knows no TLS: a tracked stream over it. It counts the plain text, not what is
/// on the wire, and sees alerts as errors without their number.
pub async fn serve_under_tracked(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    agent: &Cause,
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
    log: impl FnOnce(Disconnect),
) {
    // A handshake that fails has no connection here, and no line.
    let Ok(Ok(tls)) = timeout(PATIENCE, acceptor.accept(socket)).await else {
        return;
    };
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    // An end of file is a `close_notify` here. A cut is an `UnexpectedEof` error, which is
    // never expected.
    let mut tls = guard.track(tls, Initiator::Client).with_goodbye();
    let _ = session(&mut tls, &guard.cause(), idle, answer).await;
    let _ = timeout(PATIENCE, tls.shutdown()).await;
}

/// Answers until the stream ends, or this side ends it; `true` where it was the peer's end of
/// file.
async fn session(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    cause: &Cause,
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
) -> io::Result<bool> {
    let mut ended = cause.ended();
    let mut buffer = [0; 1024];
    loop {
        let read = tokio::select! {
            biased; // what the stream has to offer explains more than that it has ended
            read = timeout(idle, stream.read(&mut buffer)) => read,
            // Recorded once, where it was decided.
            _ = &mut ended => return Ok(false),
        };
        let Ok(read) = read else {
            let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
            cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
            return Ok(false);
        };
        match read? {
            0 => return Ok(true),
            length => stream.write_all(&answer(&buffer[..length])).await?,
        }
    }
}

/// Records what TLS explains beyond what the transport did.
fn observe(cause: &Cause, error: &io::Error) {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let new = |reason| Disconnect::new(ClientToServer, reason).with_detail(error.to_string());
    let (evidence, end) = match tls {
        Some(Error::AlertReceived(alert)) => {
            let code = CloseCode::Tls(u8::from(*alert));
            (
                Evidence::Peer,
                Disconnect::from_close_code(ClientToServer, code, Initiator::Client),
            )
        }
        // This side refuses a certificate, and has sent an alert.
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => (
            Evidence::Local,
            new(DisconnectReason::Rejected).with_initiator(Initiator::Server),
        ),
        // What the peer sent is no TLS, such as plain HTTP, or none that this side takes.
        Some(_) => (
            Evidence::Local,
            new(DisconnectReason::ProtocolError).with_initiator(Initiator::Client),
        ),
        // Of the transport, which the tracked stream has seen: a cut, which may be a
        // truncation.
        None => return,
    };
    cause.record(evidence, end);
}
