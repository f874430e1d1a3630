//! Forwarded channels of an SSH server, each with a target of its own.
//!
//! Fits `russh_channel.rs`. A target that does not answer holds nothing up: dial it in the channel's
//! own task, never in russh's handler.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use disconnect_attribution::{Disconnect, DisconnectGuard, Initiator};
use russh::Channel;
use russh::server::Msg;
use tokio::io::{copy, sink, split};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::russh_channel::{STALL, Stop, drain};
use crate::russh_connection::Carrier;

/// Connects a channel with its target, until both have stopped.
pub async fn forward<F: FnOnce(Disconnect)>(
    channel: Channel<Msg>,
    target: TcpStream,
    guard: DisconnectGuard<F>,
    carrier: &Carrier,
) {
    let cause = guard.cause();
    // The target's socket is this channel's own. Never a tracked stream over the channel: what
    // it sees is the connection's.
    let target = guard.track(target, Initiator::Server).with_half_close();
    let (mut from_target, to_target) = split(target);
    let (mut from_client, to_client) = channel.split();
    let (client_stopped, target_stopped) = (Notify::new(), AtomicBool::new(false));
    let up = async {
        let mut stop = drain(&mut from_client, to_target, carrier).await;
        while stop == Stop::EndOfFile {
            client_stopped.notify_one();
            stop = drain(&mut from_client, sink(), carrier).await;
        }
        if stop != Stop::Closed || !target_stopped.load(Relaxed) {
            stop.record(&cause).await;
        }
    };
    let down = async {
        let mut writer = to_client.make_writer();
        // An error of the target has been recorded, and a FIN noted: who stopped first.
        let _ = copy(&mut from_target, &mut writer).await;
        target_stopped.store(true, Relaxed);
        let _ = to_client.eof().await;
        client_stopped.notified().await;
    };
    tokio::select! {
        biased;
        _ = cause.ended() => {}
        () = up => {}
        () = down => {}
    }
    drop(guard); // its line comes before the client's next step
    let _ = to_client.close().await;
}

/// Dials the target of a channel; none if it does not answer, or while the connection ends.
pub async fn dial(host: String, port: u32, carrier: &Carrier) -> Option<TcpStream> {
    let port = u16::try_from(port).ok()?;
    tokio::select! {
        target = timeout(STALL, TcpStream::connect((host, port))) => target.ok()?.ok(),
        _ = carrier.cause.ended() => None,
    }
}
