//! What russh's result means: the part that every SSH server needs.
//!
//! Fits this crate with `tokio`, and russh 0.65 (with `ring`, or its default `aws-lc-rs`).

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectReason, Evidence, Initiator, Trigger};
use russh::Error;

/// What the end of a connection means, beyond what a tracked stream below has seen.
pub fn meaning(result: &Result<(), Error>) -> Option<(Evidence, Disconnect)> {
    Some(match result {
        // russh ends without an error on an SSH_MSG_DISCONNECT, and keeps its code to itself.
        Ok(()) => {
            let end = Disconnect::closed_by(AgentToClient, Initiator::Client);
            (Evidence::Peer, end)
        }
        Err(Error::InactivityTimeout) => {
            let end = Disconnect::closed_by(AgentToClient, Initiator::Agent);
            (Evidence::Local, end.with_trigger(Trigger::IdleTimeout))
        }
        Err(Error::KeepaliveTimeout) => {
            let end = Disconnect::network_error(AgentToClient, Trigger::KeepaliveTimeout);
            (Evidence::Transport, end)
        }
        // russh's task panicked: a bug of the site's handler.
        Err(Error::Join(_)) => {
            let end = Disconnect::new(AgentToClient, DisconnectReason::Unknown);
            let end = end.with_trigger(Trigger::Panic);
            (Evidence::Local, end.with_detail("ended by a panic"))
        }
        // Of the transport.
        Err(Error::IO(_) | Error::Disconnect | Error::HUP | Error::SendError | Error::RecvError) => {
            return None;
        }
        Err(error) => {
            let end = Disconnect::protocol_error(AgentToClient, Initiator::Client);
            (Evidence::Local, end.with_detail(error.to_string()))
        }
    })
}
