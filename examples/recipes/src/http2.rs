//! What an error of HTTP/2 explains, at a server, at a client, and under gRPC.
//!
//! Fits hyper 1 with `http2`, h2 0.4, which hyper 1 is built on, and tokio 1 with `net` and `time`.
//!
//! A client has to keep its connection's future, which alone knows of a GOAWAY and of a ping that was not answered
//! (`keep_alive_interval`, `keep_alive_while_idle`): await it in a task that holds the guard, and give its result to
//! `record_end` before the guard goes. tokio-postgres' `Connection` and async-nats' events are alike: what the server
//! announced is known there, and to each query only that the connection has closed.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::time::Duration;

use disconnect_attribution::{Cause, CloseCode, ConnectType, Disconnect, Evidence, Initiator, Trigger};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A GOAWAY or RST_STREAM with its code, or a ping that was not answered.
pub fn explain(
    layer: ConnectType,
    peer: Initiator,
    error: &(dyn Error + 'static),
) -> Option<(Evidence, Disconnect)> {
    // HTTP/1's own timer has no source.
    if find::<hyper::Error>(error).is_some_and(|http| http.is_timeout() && http.source().is_some()) {
        let end = Disconnect::network_error(layer, Trigger::KeepaliveTimeout);
        return Some((Evidence::Transport, end));
    }
    let http2 = find::<h2::Error>(error)?;
    let code = CloseCode::Http2(http2.reason()?.into());
    if http2.is_remote() {
        let end = Disconnect::from_close_code(layer, code, peer);
        return Some((Evidence::Peer, end.with_detail(http2.to_string())));
    }
    // This side's stack found that the peer broke the protocol.
    let end = Disconnect::protocol_error(layer, peer).with_code(code);
    http2.is_library().then(|| (Evidence::Local, end.with_detail(http2.to_string())))
}

/// Records why a client's connection ended, beyond what the transport did. Its stream is tracked `with_goodbye`: over HTTP/2
/// a FIN is one, unless the GOAWAY before it has a code. The drop of the last request sender is this side's close: what shows
/// whether it `is_in_use`, such as an `Arc` of which the task has a `Weak`, is dropped just before.
pub fn record_end(cause: &Cause, layer: ConnectType, ended: &hyper::Result<()>, is_in_use: bool) {
    let (evidence, end) = match ended {
        Err(error) => match explain(layer, Initiator::Server, error) {
            Some(explained) => explained,
            None => return cause.record_error(layer, error),
        },
        // hyper ends so at times when the transport breaks, which the tracked stream has recorded.
        Ok(()) if cause.get().is_some_and(|end| !end.expected()) => return,
        // The server has sent a GOAWAY without an error.
        Ok(()) if is_in_use => {
            let end = Disconnect::from_close_code(layer, CloseCode::Http2(0), Initiator::Server);
            (Evidence::Peer, end)
        }
        Ok(()) => (Evidence::Local, Disconnect::closed_by(layer, Initiator::Client)),
    };
    cause.record(evidence, end);
}

/// Finds an error of a type in a chain.
pub fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut chain = successors(Some(error), |&error| error.source());
    chain.find_map(|error| error.downcast_ref())
}

/// Whether a client's first bytes, which stay unread, are those of HTTP/2. They may come one by one.
pub async fn speaks_http2(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0; 3];
    for _ in 0..200 {
        let seen = socket.peek(&mut first).await?;
        if !b"PRI".starts_with(&first[..seen]) || seen == 0 || seen == first.len() {
            break;
        }
        sleep(Duration::from_millis(5)).await; // `peek` does not wait for more
    }
    Ok(first == *b"PRI")
}
