//! Why did it disconnect?
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cause;
mod classify;
mod close_code;
mod detail;
mod disconnect;
pub mod guard;
pub mod keys;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "slog")]
mod slog;
mod stream;
#[cfg(feature = "tracing")]
mod tracing;
mod vocabulary;

pub use cause::{Cause, Evidence};
pub use classify::{
    classify_channel_close, classify_coordination_close, classify_coordinator_rpc_exit,
    classify_pty_exit, classify_rpc_exit, classify_session_exit,
};
pub use close_code::CloseCode;
pub use disconnect::Disconnect;
pub use guard::DisconnectGuard;
pub use stream::TrackedStream;
#[cfg(feature = "tracing")]
#[doc(hidden)]
pub use tracing::__tracing;
pub use vocabulary::{ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError};
