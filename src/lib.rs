//! Why did it disconnect? Typed, structured log fields for the end of a connection.
//!
//! Classify where the connection ends, and attach the result to the log line that is there already:
//!
//! ```
//! # #[cfg(unix)] {
//! # use slog::{Discard, Logger, info, o};
//! # let log = Logger::root(Discard, o!());
//! use disconnect_attribution::{DisconnectReason, classify_session_exit};
//! use std::process::Command;
//!
//! let agent_is_shutting_down = false;
//! let result = Command::new("sh").args(["-c", "exit 7"]).status();
//!
//! let end = classify_session_exit(agent_is_shutting_down, &result);
//! # #[cfg(feature = "slog")]
//! info!(log, "ssh session closed"; &end);
//!
//! assert_eq!(end.reason(), DisconnectReason::ProcessExited);
//! assert!(!end.expected(), "somebody may want to look");
//! # }
//! ```
//!
//! slog-json prints, after message, level and time:
//!
//! ```json
//! "exit_code":7,"disconnect_detail":"process exited with error status: 7","disconnect_expected":false,"disconnect_reason":"process_exited","connect_type":"agent_to_client"}
//! ```
//!
//! With `tracing` (feature `tracing`), the same record as an event:
//!
//! ```
//! # #[cfg(all(unix, feature = "tracing"))] {
//! # use std::process::Command;
//! use disconnect_attribution::{classify_session_exit, disconnect_event};
//! use tracing::Level;
//!
//! let result = Command::new("sh").args(["-c", "exit 7"]).status();
//! let end = classify_session_exit(false, &result);
//! disconnect_event!(Level::INFO, end, peer = "10.0.0.7", "ssh session closed");
//! # }
//! ```
//!
//! tracing-subscriber prints, after time, level and target:
//!
//! ```text
//! ssh session closed connect_type="agent_to_client" disconnect_reason="process_exited" disconnect_expected=false disconnect_detail="process exited with error status: 7" exit_code=7 peer="10.0.0.7"
//! ```
//!
//! # The parts
//!
//! - **Words**: [`ConnectType`] (which layer), [`DisconnectReason`] (why, and whether that is expected),
//!   [`Initiator`] (who), [`ConnectionMethod`] (how the packets travelled), under the [keys] of the log
//!   schema. They are a contract with dashboards.
//! - **Record**: [`Disconnect`] holds them, with a detail, a [`CloseCode`] and an exit code where there is
//!   one. It is a `slog::KV`, reads and writes with serde, and has [labels](Disconnect::labels) for
//!   metrics.
//! - **Classification**: one `classify_*` function for each kind of site, [`CloseCode::reason`] for what a
//!   protocol said, [`DisconnectReason::from_error`] for what an error says.
//! - **One end, one line, the true cause**: [`Cause`] keeps the first true cause of a connection's end,
//!   [`DisconnectGuard`] logs it exactly once on every way out (its [page](guard) tells why the line
//!   after the loop is not enough), [`TrackedStream`] observes the transport.
//!
//! Two pages for those who read the logs: the [fault matrix](faults) (what breaks, and what the line
//! then says) and [operating it](operations) (what to alert on, ready queries).
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `slog` | yes | `slog::KV` for the record and each enum, `slog::Value` for each enum |
//! | `serde` | yes | reads and writes the record as a flat map; any self-describing format |
//! | `tracing` | no | [`disconnect_event!`]: the same fields as a `tracing` event |
//! | `tokio` | no | [`TrackedStream`] over `AsyncRead` and `AsyncWrite` |
//!
//! # Limits
//!
//! The crate does not log by itself, set levels, reconnect or run anything. It does not guess: what no
//! site, code or error says is [`unknown`](DisconnectReason::Unknown). Text from a peer is escaped and
//! cut to 256 bytes when it enters a record, so that it can neither forge nor flood a log line.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "tracing"), allow(rustdoc::broken_intra_doc_links))]

mod cause;
mod classify;
mod clock;
mod close_code;
mod disconnect;
mod escaped;
#[doc = include_str!("pages/faults.md")]
pub mod faults {}
pub mod guard;
pub mod keys;
#[doc = include_str!("pages/operations.md")]
pub mod operations {}
pub mod recipes;
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
#[doc(hidden)]
pub use disconnect::__Fields;
pub use disconnect::Disconnect;
pub use guard::DisconnectGuard;
#[cfg(feature = "slog")]
#[doc(hidden)]
pub use slog::__slog;
pub use stream::TrackedStream;
#[cfg(feature = "tracing")]
#[doc(hidden)]
pub use tracing::__tracing;
pub use vocabulary::{
    ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError, Trigger,
};

/// The README's examples, as tests.
#[cfg(all(doctest, unix, feature = "slog"))]
#[doc = include_str!("../README.md")]
struct Readme;
