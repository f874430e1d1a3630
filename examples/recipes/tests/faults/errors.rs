//! What the errors of TLS and HTTP libraries explain: each is a real one.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use disconnect_attribution::DisconnectReason::{NetworkError, ProtocolError, Unknown};
use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;

use crate::peer::{listen, reset};
use crate::tls::client_config;

#[track_caller]
fn check(error: &(dyn Error + 'static), (reason, trigger): (DisconnectReason, Option<Trigger>), text: &str) {
    let end = Disconnect::from_error(ConnectType::AgentToClient, error);
    assert_eq!((end.reason(), end.trigger()), (reason, trigger), "{error:?}");
    let network = (reason == NetworkError).then_some(Initiator::Network);
    assert_eq!(end.initiator(), network);
    assert_eq!(end.detail(), Some(text));
}

/// A connection to a peer that answers what it is sent, and ends with a FIN or a reset.
fn connect(answer: &'static [u8], is_reset: bool) -> io::Result<TcpStream> {
    let (listener, address) = listen();
    let client = TcpStream::connect(address)?;
    let (mut peer, _) = listener.accept()?;
    thread::spawn(move || {
        assert_ne!(peer.read(&mut [0; 4096]).expect("asked"), 0);
        peer.write_all(answer).expect("answered");
        thread::sleep(Duration::from_millis(20)); // a reset discards what was not read
        if is_reset {
            reset(peer);
        }
    });
    Ok(client)
}

/// The error with which a TLS handshake ends.
fn handshake(mut peer: TcpStream) -> Result<io::Error, Box<dyn Error>> {
    let config = client_config(None);
    let mut connection = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into()?)?;
    Ok(connection.complete_io(&mut peer).expect_err("no handshake"))
}

#[test]
fn errors_of_rustls_have_their_reason_trigger_and_text() -> Result<(), Box<dyn Error>> {
    let end_of_file = (NetworkError, Some(Trigger::EndOfFile));
    let reset = (NetworkError, Some(Trigger::Reset));
    let rows: [(&[u8], _, _, _); 4] = [
        // An alert of TLS 1.2 in two bytes: fatal, and its number.
        (&[21, 3, 3, 0, 2, 2, 40], false, (ProtocolError, None), "received fatal alert: HandshakeFailure"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            false,
            (ProtocolError, None),
            "received corrupt message of type InvalidContentType",
        ),
        (&[22, 3, 3], false, end_of_file, "unexpected end of file"),
        (&[], true, reset, "Connection reset by peer (os error 104)"),
    ];
    for (answer, is_reset, expected, text) in rows {
        check(&handshake(connect(answer, is_reset)?)?, expected, text);
    }
    Ok(())
}

#[tokio::test]
async fn errors_of_hyper_have_their_reason_trigger_and_text() -> Result<(), Box<dyn Error>> {
    let reset = (NetworkError, Some(Trigger::Reset));
    let rows: [(&[u8], _, _, _); 3] = [
        // It keeps no source: a site knows more, such as a tracked stream below it.
        (b"HTTP/1.1 200", false, (Unknown, None), "connection closed before message completed"),
        (b"SSH-2.0-OpenSSH_10.0\r\n\r\n", false, (Unknown, None), "invalid HTTP version parsed"),
        (b"HTTP/1.1", true, reset, "connection error: Connection reset by peer (os error 104)"),
    ];
    for (answer, is_reset, expected, text) in rows {
        let socket = connect(answer, is_reset)?;
        socket.set_nonblocking(true)?;
        let socket = TokioIo::new(tokio::net::TcpStream::from_std(socket)?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(socket).await?;
        let serving = tokio::spawn(connection);
        let error =
            sender.send_request(hyper::Request::new(Empty::<Bytes>::new())).await.expect_err("no answer");
        check(&error, expected, text);
        drop(serving);
    }
    Ok(())
}
