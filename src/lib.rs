//! Why did it disconnect?
#![cfg_attr(docsrs, feature(doc_cfg))]

mod classify;
mod detail;
mod disconnect;
pub mod keys;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "slog")]
mod slog;
mod vocabulary;

pub use classify::{
    classify_channel_close, classify_coordination_close, classify_coordinator_rpc_exit,
    classify_pty_exit, classify_rpc_exit, classify_session_exit,
};
pub use disconnect::Disconnect;
pub use vocabulary::{ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError};
