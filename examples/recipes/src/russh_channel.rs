//! What a client sends over an SSH channel, and the consumer that may be slower.
//!
//! Fits `russh_connection.rs`, with bytes 1 and tokio's `io-util` and `macros`. russh's
//! one task reads a connection and waits for each channel in turn, so one that is not emptied holds up
//! its siblings, the answers to pings and the news that the client is gone.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectReason, Evidence, Initiator, Trigger};
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::io::{AsyncWrite, AsyncWriteExt, sink};
use tokio::time::{Instant, sleep, timeout};

use crate::russh_connection::{Carrier, PATIENCE};

/// What may wait for a consumer before its client is slowed down.
const ENOUGH: usize = 1 << 20;

/// How long a consumer may take nothing while as much waits for it.
pub const STALL: Duration = Duration::from_secs(10);

/// Why nothing more comes from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It will send no more, and all that it sent was taken.
    EndOfFile,
    /// It has closed the channel.
    Closed,
    /// The consumer read nothing for too long.
    Stalled,
    /// The connection is gone. Its cause may still be on its way: do not guess.
    Gone,
}

impl Stop {
    /// Records it, and waits for a connection's cause if that is still to come.
    pub async fn record(self, cause: &Cause) {
        match self {
            Self::EndOfFile => {}
            Self::Closed => {
                cause.record(Evidence::Peer, Disconnect::closed_by(AgentToClient, Initiator::Client));
            }
            Self::Stalled => {
                let end = Disconnect::new(AgentToClient, DisconnectReason::Rejected)
                    .with_initiator(Initiator::Agent)
                    .with_trigger(Trigger::Deadline);
                let text = format!("its consumer read nothing for {} s", STALL.as_secs());
                cause.record(Evidence::Local, end.with_detail(text));
            }
            Self::Gone => {
                let _ = timeout(PATIENCE, cause.ended()).await;
            }
        }
    }
}

impl Carrier {
    /// What your handler's `adjust_window` returns. russh has one window for all channels, so a
    /// channel that holds enough slows down its siblings too, to a trickle that shows when it can
    /// end; without any, the client would never be asked to go on.
    #[must_use]
    pub fn window(&self) -> u32 {
        if Arc::strong_count(&*self.full) > 1 { 2 } else { self.window_size }
    }
}

/// Passes on what a client sends, and never waits for the consumer before it reads on.
pub async fn drain(
    from_client: &mut ChannelReadHalf,
    mut consumer: impl AsyncWrite + Unpin,
    carrier: &Carrier,
) -> Stop {
    let most = ENOUGH + 3 * carrier.window_size as usize;
    let mut waiting = BytesMut::new();
    let (mut takes, mut is_last) = (true, false);
    let mut full = None;
    let mut stall = pin!(sleep(STALL));
    while !is_last || !waiting.is_empty() {
        tokio::select! {
            message = from_client.wait() => match message {
                Some(ChannelMsg::Data { data }) if takes => waiting.extend_from_slice(&data),
                Some(ChannelMsg::Eof) => is_last = true,
                Some(ChannelMsg::Close) => {
                    let _ = timeout(PATIENCE, consumer.write_all_buf(&mut waiting)).await;
                    return Stop::Closed;
                }
                Some(_) => {}
                None => return Stop::Gone,
            },
            written = consumer.write_buf(&mut waiting), if !waiting.is_empty() => {
                if !matches!(written, Ok(1..)) {
                    // It takes no more, which is its business, and no stall.
                    takes = false;
                    waiting.clear();
                }
                stall.as_mut().reset(Instant::now() + STALL);
            }
            () = &mut stall, if full.is_some() => return Stop::Stalled,
        }
        if waiting.len() > most {
            return Stop::Stalled; // a client that goes on without window
        }
        if waiting.len() > ENOUGH && full.is_none() {
            stall.as_mut().reset(Instant::now() + STALL);
        }
        full = (waiting.len() > ENOUGH).then(|| Arc::clone(&*carrier.full));
    }
    let _ = consumer.shutdown().await;
    Stop::EndOfFile
}

/// Passes on what a client sends to a session, until it closes that, and records it.
pub async fn feed(
    mut from_client: ChannelReadHalf,
    input: impl AsyncWrite + Unpin,
    carrier: &Carrier,
    cause: &Cause,
) {
    let mut stop = drain(&mut from_client, input, carrier).await;
    while stop == Stop::EndOfFile {
        stop = drain(&mut from_client, sink(), carrier).await;
    }
    drop(from_client);
    stop.record(cause).await;
}
