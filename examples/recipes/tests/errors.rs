//! What the errors of TLS and HTTP libraries explain: each is a real one.

use std::error::Error;
use std::io::{self, Cursor, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use disconnect_attribution::DisconnectReason::{NetworkError, ProtocolError, Unknown};
use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[track_caller]
fn check(error: &(dyn Error + 'static), (reason, trigger): (DisconnectReason, Option<Trigger>), text: &str) {
    let end = Disconnect::from_error(ConnectType::AgentToClient, error);
    assert_eq!((end.reason(), end.trigger()), (reason, trigger), "{error:?}");
    let network = (reason == NetworkError).then_some(Initiator::Network);
    assert_eq!(end.initiator(), network);
    assert_eq!(end.detail(), Some(text));
}

/// A peer that answers whatever it is sent, though not before.
#[derive(Debug)]
struct Peer {
    reader: Option<Waker>,
    was_asked: bool,
    answer: Cursor<&'static [u8]>,
    /// How it ends after the answer, if that is no end of file.
    end: Option<io::ErrorKind>,
}

impl Peer {
    fn new(answer: &'static [u8], end: Option<io::ErrorKind>) -> Self {
        Self { reader: None, was_asked: false, answer: Cursor::new(answer), end }
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.answer.read(buffer)?, self.end) {
            (0, Some(end)) => Err(end.into()),
            (length, _) => Ok(length),
        }
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.was_asked {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let length = self.read(buffer.initialize_unfilled())?;
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.was_asked = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The error with which a TLS handshake ends.
fn handshake(mut peer: Peer) -> Result<io::Error, Box<dyn Error>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into()?)?;
    Ok(connection.complete_io(&mut peer).expect_err("no handshake"))
}

#[test]
fn errors_of_rustls_have_their_reason_trigger_and_text() -> Result<(), Box<dyn Error>> {
    let end_of_file = (NetworkError, Some(Trigger::EndOfFile));
    let reset = (NetworkError, Some(Trigger::Reset));
    let rows = [
        // An alert of TLS 1.2 in two bytes: fatal, and its number.
        (
            Peer::new(&[21, 3, 3, 0, 2, 2, 40], None),
            (ProtocolError, None),
            "received fatal alert: HandshakeFailure",
        ),
        (
            Peer::new(b"HTTP/1.1 400 Bad Request\r\n\r\n", None),
            (ProtocolError, None),
            "received corrupt message of type InvalidContentType",
        ),
        (Peer::new(&[22, 3, 3], None), end_of_file, "unexpected end of file"),
        (Peer::new(&[], Some(io::ErrorKind::ConnectionReset)), reset, "connection reset"),
    ];
    for (peer, expected, text) in rows {
        check(&handshake(peer)?, expected, text);
    }
    Ok(())
}

/// The error with which an HTTP request ends.
async fn request(peer: Peer) -> Result<hyper::Error, Box<dyn Error>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(peer)).await?;
    let serving = tokio::spawn(connection);
    let request = hyper::Request::new(Empty::<Bytes>::new());
    let error = sender.send_request(request).await.expect_err("no answer");
    drop(serving);
    Ok(error)
}

#[tokio::test]
async fn errors_of_hyper_have_their_reason_trigger_and_text() -> Result<(), Box<dyn Error>> {
    let cut = request(Peer::new(b"HTTP/1.1 200", None)).await?;
    // It keeps no source: a site knows more, such as a tracked stream below it.
    check(&cut, (Unknown, None), "connection closed before message completed");
    let garbage = request(Peer::new(b"SSH-2.0-OpenSSH_10.0\r\n\r\n", None)).await?;
    check(&garbage, (Unknown, None), "invalid HTTP version parsed");
    let reset = request(Peer::new(b"HTTP/1.1", Some(io::ErrorKind::ConnectionReset))).await?;
    check(&reset, (NetworkError, Some(Trigger::Reset)), "connection error: connection reset");
    let timeout = request(Peer::new(b"", Some(io::ErrorKind::TimedOut))).await?;
    check(&timeout, (NetworkError, Some(Trigger::Deadline)), "connection error: timed out");
    Ok(())
}
