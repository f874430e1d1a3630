//! TLS: a tracked stream under it, or over it.
//!
//! Fits this crate with `tokio`, tokio 1 with `io-util`, `macros`, `net` and `time`, and tokio-rustls 0.26 with the rustls
//! 0.23 that it re-exports; name that one and no other, or the downcast below never matches. rustls alone, over std, wraps
//! its errors in `io::Error` in the same way.

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

/// What an alert of the client means; 0 is `close_notify`.
pub fn by_alert(alert: u8) -> Disconnect {
    Disconnect::from_close_code(ClientToServer, CloseCode::Tls(alert), Initiator::Client)
}

/// Records what TLS explains beyond what the transport did.
pub fn explain(cause: &Cause, error: &io::Error) {
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

/// The usual way: TLS over a tracked stream, which sees the transport and counts what is on the wire.
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
    let mut tls = match timeout(PATIENCE, acceptor.accept(guard.track(socket, Initiator::Client))).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return explain(&cause, &error),
        Err(_) => {
            return guard.close(Disconnect::network_error(ClientToServer, Trigger::HandshakeTimeout));
        }
    };
    match session(&mut tls, &cause, idle, answer).await {
        // Over TLS, a read of 0 bytes is the peer's `close_notify` and nothing else. The FIN behind it may have been
        // read before: the peer's word refines that.
        Ok(()) => {
            cause.record(Evidence::Peer, by_alert(0));
        }
        Err(error) => explain(&cause, &error),
    }
    let _ = timeout(PATIENCE, tls.shutdown()).await; // our `close_notify`
}

/// For code that knows no TLS: a tracked stream over it. It counts the plain text, and sees alerts as errors without their
/// number. A handshake that fails has no connection here, and no line.
pub async fn serve_under_tracked(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    agent: &Cause,
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
    log: impl FnOnce(Disconnect),
) {
    let Ok(Ok(tls)) = timeout(PATIENCE, acceptor.accept(socket)).await else { return };
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(agent.child());
    // An end of file is a `close_notify` here. A cut is an `UnexpectedEof` error, which is never expected.
    let mut tls = guard.track(tls, Initiator::Client).with_goodbye();
    let _ = session(&mut tls, &guard.cause(), idle, answer).await;
    let _ = timeout(PATIENCE, tls.shutdown()).await;
}

/// Answers until the stream ends, or this side ends it, which it has recorded then.
async fn session(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    cause: &Cause,
    idle: Duration,
    answer: fn(&[u8]) -> Vec<u8>,
) -> io::Result<()> {
    let (mut ended, mut buffer) = (cause.ended(), [0; 1024]);
    loop {
        tokio::select! {
            biased; // what the stream has to offer explains more than that it has ended
            read = timeout(idle, stream.read(&mut buffer)) => match read {
                Ok(Ok(0)) => return Ok(()),
                Ok(read) => stream.write_all(&answer(&buffer[..read?])).await?,
                Err(_) => {
                    let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
                    cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                }
            },
            _ = &mut ended => return Err(io::ErrorKind::Other.into()),
        }
    }
}
