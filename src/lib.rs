//! Why did it disconnect? Typed, structured log fields for the end of a connection.
//!
//! Add it with `cargo add disconnect-attribution`. A guard holds the log line that is there already, and
//! logs it exactly once with the true cause:
//!
//! ```
//! # use slog::{Discard, Logger, info, o};
//! # let log = Logger::root(Discard, o!());
//! use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator};
//! use std::io::Read;
//! use std::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let client = TcpStream::connect(listener.local_addr()?)?;
//! let (socket, _) = listener.accept()?;
//!
//! let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
//!     # #[cfg(feature = "slog")]
//!     info!(log, "ssh session closed"; end);
//! });
//! let mut stream = guard.track(socket, Initiator::Client); // sees how it ends
//!
//! drop(client); // gone, without a goodbye
//! stream.read_to_end(&mut Vec::new())?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! slog-json prints, on one line:
//!
//! ```json
//! {"msg":"ssh session closed","level":"INFO","ts":"2026-01-02T03:04:05.678901234Z",
//!  "bytes_sent":0,"bytes_received":0,"peer_silence_ms":0,"connection_duration_ms":0,
//!  "disconnect_peer":"client","disconnect_trigger":"end_of_file",
//!  "disconnect_initiator":"network","disconnect_expected":false,
//!  "disconnect_reason":"network_error","connect_type":"agent_to_client"}
//! ```
//!
//! With `tracing` (feature `tracing`), the same record as an event:
//!
//! ```
//! # #[cfg(all(unix, feature = "tracing"))] {
//! use disconnect_attribution::{classify_session_exit, disconnect_event};
//! use std::process::Command;
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
//! ssh session closed connect_type="agent_to_client" disconnect_reason="process_exited"
//!   disconnect_expected=false disconnect_detail="process exited with error status: 7"
//!   exit_code=7 peer="10.0.0.7"
//! ```
//!
//! # The parts
//!
//! - **Words**: [`ConnectType`] (which layer), [`DisconnectReason`] (why, and whether that is expected),
//!   [`Initiator`] (which side), [`Trigger`] (what was seen), [`ConnectionMethod`] (how the packets
//!   travelled) and [`CloseCode`], under the [keys] of the log schema. They are a contract with dashboards.
//! - **Record**: [`Disconnect`] holds them, with a detail and numbers. It is a `slog::KV`, reads and writes
//!   with serde, and has [labels](Disconnect::labels) for metrics.
//! - **Classification**: one `classify_*` function for each kind of *site* (a place in your code at which a
//!   connection ends), [`CloseCode::reason`] for what a protocol closed with, [`Disconnect::from_error`]
//!   for what an error explains.
//! - **One line for each end, with the true cause**: [`Cause`] keeps the first true cause of a connection's end and
//!   hands it to what runs over the connection, [`DisconnectGuard`] logs it exactly once on every way out
//!   (its [page](guide::guard) has the rule, the traps and the limits), [`TrackedStream`] observes the transport.
//!
//! # What to call
//!
//! | it ended because ... | call |
//! |---|---|
//! | the transport ended or failed | nothing: [`guard.track(socket, peer)`](DisconnectGuard::track) records it; [`with_goodbye`](TrackedStream::with_goodbye) if a FIN between two messages is the goodbye, [`with_half_close`](TrackedStream::with_half_close) if it ends nothing |
//! | `?` returned an error | [`inspect_err(\|error\| guard.record_error(error))?`](DisconnectGuard::record_error); for the error of a codec: [`cause.record(Evidence::Local, ..)`](Cause::record) with [`protocol_error`](Disconnect::protocol_error), or, if a frame was cut, [an `UnexpectedEof`](guide::guard#what-an-end-of-file-means) |
//! | the peer announced it | [`cause.record(Evidence::Peer, ..)`](Cause::record) with [`from_close_code`](Disconnect::from_close_code) or [`closed_by`](Disconnect::closed_by), in the task that reads the goodbye |
//! | this side decided | [`guard.close(..)`](DisconnectGuard::close) with [`closed_by`](Disconnect::closed_by), [`network_error`](Disconnect::network_error) or [`new`](Disconnect::new); before it aborts the task: [`cause.record(Evidence::Local, ..)`](Cause::record) |
//! | this process stops at once | [`process.record(Evidence::Local, ..)`](Cause::record) with [`shutdown`](Disconnect::shutdown), once for all its children |
//! | this process drains | [`process.presume(..)`](Cause::presume) with the same, and the record at the deadline |
//! | a session, a terminal, an RPC or a channel returned a result | [`classify_session_exit`], [`classify_pty_exit`], [`classify_rpc_exit`], [`classify_channel_close`] |
//! | it went silent in a phase in which that means something: no byte yet, between two requests, after a refused login | [`cause.presume(..)`](Cause::presume) before |
//!
//! # Pages
//!
//! [Recipes](guide::recipes) to copy, one per protocol, and the [fault matrix](guide::faults): what breaks, and what the
//! line then reads. For readers of the logs: [operations](guide::operations) (what to alert on, ready queries) and
//! [coming from Go](guide::go_agents).
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `slog` | yes | `slog::KV` for the record and each enum, `slog::Value` for each enum, `disconnect_log!` |
//! | `serde` | yes | reads and writes the record as a flat map; any self-describing format |
//! | `tracing` | no | `disconnect_event!`: the same fields as a `tracing` event |
//! | `tokio` | no | [`TrackedStream`] over `AsyncRead` and `AsyncWrite` |
//!
//! # Limits
//!
//! The crate does not log by itself, set levels, reconnect or run anything. It does not guess: what no
//! site, code or error explains is [`unknown`](DisconnectReason::Unknown). Text from a peer is escaped and
//! cut to 256 bytes when it enters a record, so that it can neither forge nor flood a log line.
#![cfg_attr(docsrs, feature(doc_cfg))]

// Words.
mod close_code;
pub mod keys;
mod vocabulary;

// Record.
mod classify;
mod disconnect;
mod error;
mod escaped;

// One line.
mod cause;
mod clock;
mod guard;
mod panics;
mod stream;

// Adapters.
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "slog")]
mod slog;
#[cfg(feature = "tracing")]
mod tracing;

// Pages.
pub mod guide;

pub use cause::{Cause, Evidence};
pub use classify::{
    classify_channel_close, classify_coordination_close, classify_coordinator_rpc_exit, classify_pty_exit,
    classify_rpc_exit, classify_session_exit,
};
pub use close_code::CloseCode;
pub use disconnect::Disconnect;
pub use guard::DisconnectGuard;
pub use stream::TrackedStream;
pub use vocabulary::{ConnectType, ConnectionMethod, DisconnectReason, Initiator, ParseError, Trigger};

// For the expansion of macros in crates that use another version of these, or none.
#[cfg(feature = "slog")]
#[doc(hidden)]
pub use ::slog as __slog;
#[cfg(feature = "tracing")]
#[doc(hidden)]
pub use ::tracing as __tracing;

/// The README's examples, as tests.
#[cfg(all(doctest, unix, feature = "slog"))]
#[doc = include_str!("../README.md")]
struct Readme;
