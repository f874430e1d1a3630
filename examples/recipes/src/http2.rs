//! What an error of HTTP/2 explains, at either side: for `http.rs`, `http2_client.rs` and gRPC.
//!
//! Fits hyper 1 with `http2`, and h2 0.4, which hyper 1 is built on.

use std::error::Error;
use std::iter::successors;

use disconnect_attribution::{CloseCode, ConnectType, Disconnect, Evidence, Initiator, Trigger};

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

/// Finds an error of a type in a chain.
pub fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut chain = successors(Some(error), |&error| error.source());
    chain.find_map(|error| error.downcast_ref())
}
