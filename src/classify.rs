//! What happened, as a record: one function for each kind of site.
//!
//! All are total: they return a value for every input and never fail or panic. They read; the
//! result stays the caller's to handle. Everything here is re-exported at the crate's root.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitStatus;

use crate::error::{self, Finding};
use crate::{ConnectType, Disconnect, DisconnectReason, Initiator};

/// Classifies the end of a coordinator-style RPC, as the agent sees it.
///
/// For the coordination RPC and the relay-map subscriber, when they have just returned. Always
/// `server_to_agent`.
///
/// | `local_shutdown` | `result` | reason | initiator |
/// |---|---|---|---|
/// | `true` | any | `server_shutdown` | `agent` |
/// | `false` | `Ok` | `graceful` | `server` |
/// | `false` | `Err` | `network_error` | `network` |
///
/// The text of an `Err` is the detail, whatever the reason. An `io::Error`, a boxed error and, under the feature
/// `tokio`, an `Elapsed` and a `JoinError` also give the trigger.
///
/// # The flag is a trap
///
/// `local_shutdown` must mean *this agent itself is shutting down*. A cancellation token that a
/// failing sibling task cancels too does not mean that: with it, the network failure of the sibling
/// is logged here as an expected shutdown, and the alert never fires. Keep a token for the agent's
/// own shutdown alone; or record the shutdown in a [`Cause`](crate::Cause) of the whole agent, of which
/// every connection has a [child](crate::Cause::child), and pass `false` here.
///
/// # Examples
///
/// Before, a line that answers nothing:
///
/// ```
/// # use slog::{Discard, Logger, debug, o};
/// # let log = Logger::root(Discard, o!());
/// debug!(log, "disconnected from coordination RPC");
/// ```
///
/// After, the same line with its fields:
///
/// ```
/// # use slog::{Discard, Logger, debug, o};
/// # let log = Logger::root(Discard, o!());
/// use disconnect_attribution::{DisconnectReason, Initiator, classify_coordinator_rpc_exit};
///
/// # let agent_is_shutting_down = false;
/// # let result: Result<(), std::io::Error> = Err(std::io::ErrorKind::ConnectionReset.into());
/// let end = classify_coordinator_rpc_exit(agent_is_shutting_down, &result);
/// # #[cfg(feature = "slog")]
/// debug!(log, "disconnected from coordination RPC"; &end);
///
/// assert_eq!(end.reason(), DisconnectReason::NetworkError);
/// assert_eq!(end.initiator(), Some(Initiator::Network));
/// ```
#[must_use]
pub fn classify_coordinator_rpc_exit<T, E: Display + 'static>(
    local_shutdown: bool,
    result: &Result<T, E>,
) -> Disconnect {
    let (layer, local) = (ConnectType::ServerToAgent, Initiator::Agent);
    classify_rpc_exit(layer, local, local_shutdown, result)
}

/// Classifies the end of an RPC, on either side of any layer.
///
/// As [`classify_coordinator_rpc_exit`], for which `local` is the agent of `server_to_agent`: a
/// result of `Ok` means that the other side of the layer hung up. The same trap lies in
/// `local_shutdown`. A `local` that is not a side of the layer has no known peer, and the initiator is
/// left out. A client that shuts down is a `client_closed`, not a `server_shutdown`.
///
/// # Examples
///
/// The server's side of the coordination RPC, before:
///
/// ```
/// # use slog::{Discard, Logger, info, o};
/// # let log = Logger::root(Discard, o!());
/// info!(log, "agent disconnected");
/// ```
///
/// And after:
///
/// ```
/// # use slog::{Discard, Logger, info, o};
/// # let log = Logger::root(Discard, o!());
/// use disconnect_attribution::{ConnectType, DisconnectReason, Initiator, classify_rpc_exit};
///
/// # let server_is_shutting_down = false;
/// # let result: Result<(), std::io::Error> = Ok(());
/// let end = classify_rpc_exit(
///     ConnectType::ServerToAgent,
///     Initiator::Server,
///     server_is_shutting_down,
///     &result,
/// );
/// # #[cfg(feature = "slog")]
/// info!(log, "agent disconnected"; &end);
///
/// assert_eq!(end.reason(), DisconnectReason::Graceful);
/// assert_eq!(end.initiator(), Some(Initiator::Agent));
/// ```
#[must_use]
pub fn classify_rpc_exit<T, E: Display + 'static>(
    connect_type: ConnectType,
    local: Initiator,
    local_shutdown: bool,
    result: &Result<T, E>,
) -> Disconnect {
    let end = if local_shutdown {
        Disconnect::shutdown(connect_type, local)
    } else if result.is_ok() {
        Disconnect::new(connect_type, DisconnectReason::Graceful)
            .with_known_initiator(local.peer(connect_type))
    } else {
        Disconnect::failure(connect_type, DisconnectReason::NetworkError)
    };
    with_error_of(result, end)
}

/// Every error keeps its text, and the trigger that it knows.
fn with_error_of<T, E: Display + 'static>(result: &Result<T, E>, end: Disconnect) -> Disconnect {
    let Err(value) = result else {
        return end;
    };
    if let Some(error) = error::as_error(value) {
        return end.with_error(error);
    }
    let trigger = Finding::of_text(value).and_then(|finding| finding.trigger);
    Disconnect { trigger, ..end }.with_text(value)
}

/// Classifies closing a coordination from this side.
///
/// `Ok` is `graceful`, `Err` is `network_error` with the error's text as the detail, both by the given
/// initiator: this side began it.
///
/// # Examples
///
/// Before:
///
/// ```
/// # use slog::{Discard, Logger, debug, o, warn};
/// # let log = Logger::root(Discard, o!());
/// # let sent: Result<(), std::io::Error> = Ok(());
/// match &sent {
///     Ok(()) => debug!(log, "sent disconnect"),
///     Err(error) => warn!(log, "failed to send disconnect"; "error" => %error),
/// }
/// ```
///
/// After:
///
/// ```
/// # use slog::{Discard, Logger, debug, o, warn};
/// # let log = Logger::root(Discard, o!());
/// # let sent: Result<(), std::io::Error> = Ok(());
/// use disconnect_attribution::{
///     ConnectType, DisconnectReason, Initiator, classify_coordination_close,
/// };
///
/// let end = classify_coordination_close(ConnectType::ServerToAgent, Initiator::Agent, &sent);
/// # #[cfg(feature = "slog")]
/// match &sent {
///     Ok(()) => debug!(log, "sent disconnect"; &end),
///     Err(error) => warn!(log, "failed to send disconnect"; "error" => %error, &end),
/// }
///
/// assert_eq!(end.reason(), DisconnectReason::Graceful);
/// assert_eq!(end.initiator(), Some(Initiator::Agent));
/// ```
#[must_use]
pub fn classify_coordination_close<T, E: Display + 'static>(
    connect_type: ConnectType,
    initiator: Initiator,
    result: &Result<T, E>,
) -> Disconnect {
    let reason = match result {
        Ok(_) => DisconnectReason::Graceful,
        Err(_) => DisconnectReason::NetworkError,
    };
    let end = Disconnect::new(connect_type, reason).with_initiator(initiator);
    with_error_of(result, end)
}

/// Classifies the end of an SSH session. Always `agent_to_client`.
///
/// | `result` | reason | exit code | detail |
/// |---|---|---|---|
/// | status 0 | `graceful` | 0 | |
/// | status N | `process_exited` | N | `process exited with error status: N`; in hex if N is negative, as Windows reports a crash: `0xc0000005` |
/// | a signal (Unix) | `process_exited` | 255, as OpenSSH reports it | the signal's number and name |
/// | `Err` | [by its chain](DisconnectReason::from_error) | | the text of the chain |
///
/// While the agent itself shuts down (`local_shutdown`), everything but status 0 is
/// `server_shutdown` by `agent`: the process was made to go. Its exit code, the text and the trigger that
/// an error's chain knows are kept.
///
/// A `Box<dyn Error + Send + Sync>` or an `anyhow::Error` is not an `Error` itself; `io::Error::other` makes it
/// one that is looked through: `classify_session_exit(stopping, &result.map_err(io::Error::other))`.
///
/// # Examples
///
/// Before, the reason was part of the message:
///
/// ```
/// # use slog::{Discard, Logger, info, o};
/// # let log = Logger::root(Discard, o!());
/// # let result: std::io::Result<()> = Ok(());
/// info!(log, "ssh session closed"; "reason" => ?result);
/// ```
///
/// After:
///
/// ```
/// # #[cfg(unix)] fn main() -> std::io::Result<()> {
/// # use slog::{Discard, Logger, info, o};
/// # let log = Logger::root(Discard, o!());
/// use std::process::Command;
///
/// use disconnect_attribution::{DisconnectReason, classify_session_exit};
///
/// # let agent_is_shutting_down = false;
/// let result = Command::new("sh").args(["-c", "exit 7"]).status();
/// let end = classify_session_exit(agent_is_shutting_down, &result);
/// # #[cfg(feature = "slog")]
/// info!(log, "ssh session closed"; &end);
///
/// assert_eq!(end.reason(), DisconnectReason::ProcessExited);
/// assert_eq!(end.exit_code(), Some(7));
/// assert_eq!(end.detail(), Some("process exited with error status: 7"));
/// # Ok(())
/// # }
/// # #[cfg(not(unix))] fn main() {}
/// ```
#[must_use]
pub fn classify_session_exit<E: Error + 'static>(
    local_shutdown: bool,
    result: &Result<ExitStatus, E>,
) -> Disconnect {
    /// What OpenSSH's client exits with when the remote command was killed by a signal.
    const KILLED: i32 = 255;

    let layer = ConnectType::AgentToClient;
    let end = match result {
        Ok(status) if status.success() => Disconnect::new(layer, DisconnectReason::Graceful),
        Ok(_) | Err(_) if local_shutdown => Disconnect::shutdown(layer, Initiator::Agent),
        Ok(_) => Disconnect::new(layer, DisconnectReason::ProcessExited),
        Err(error) => Disconnect::new(layer, DisconnectReason::from_error(error)),
    };
    let status = match result {
        Ok(status) => status,
        Err(error) => return end.with_error(error),
    };
    let end = end.with_exit_code(status.code().unwrap_or(KILLED));
    let exited = "process exited with error status";
    match status.code() {
        Some(0) => end,
        // `NTSTATUS` of Windows, known by its digits in hex; `ExitStatus` prints it so, too.
        Some(code) if code < 0 => end.with_text(&format_args!("{exited}: {code:#x}")),
        Some(code) => end.with_text(&format_args!("{exited}: {code}")),
        // A signal, and only Unix has those: `status` prints its name there.
        None => end.with_text(&format_args!("process exited with {status}")),
    }
}

/// Classifies the end of a reconnecting terminal (PTY). Always `agent_to_client`.
///
/// | `local_shutdown` | `result` | reason | initiator | exit code | detail |
/// |---|---|---|---|---|---|
/// | any | `Ok` | `graceful` | | 0 | |
/// | `true` | `Err` | `server_shutdown` | `agent` | 1 | the error's text |
/// | `false` | an `EIO`: how Linux ends a terminal that nothing holds any more | `graceful` | | | the error's text |
/// | `false` | any other `Err` | `network_error` | `network` | 1 | the error's text |
///
/// If the status of the process is at hand, [`classify_session_exit`] knows more.
///
/// # Examples
///
/// Before:
///
/// ```
/// # use slog::{Discard, Logger, info, o};
/// # let log = Logger::root(Discard, o!());
/// info!(log, "reconnecting pty closed");
/// ```
///
/// After:
///
/// ```
/// # use slog::{Discard, Logger, info, o};
/// # let log = Logger::root(Discard, o!());
/// use disconnect_attribution::{DisconnectReason, classify_pty_exit};
///
/// # let agent_is_shutting_down = false;
/// # let result: Result<(), _> = Err("connection reset by peer");
/// let end = classify_pty_exit(agent_is_shutting_down, &result);
/// # #[cfg(feature = "slog")]
/// info!(log, "reconnecting pty closed"; &end);
///
/// assert_eq!(end.reason(), DisconnectReason::NetworkError);
/// assert_eq!(end.exit_code(), Some(1));
/// ```
#[must_use]
pub fn classify_pty_exit<T, E: Display + 'static>(local_shutdown: bool, result: &Result<T, E>) -> Disconnect {
    let layer = ConnectType::AgentToClient;
    let graceful = Disconnect::new(layer, DisconnectReason::Graceful);
    let end = match result {
        Ok(_) => graceful.with_exit_code(0),
        Err(_) if local_shutdown => Disconnect::shutdown(layer, Initiator::Agent).with_exit_code(1),
        // How Linux ends a terminal that nothing holds any more.
        Err(error) if error::is_end_of_terminal(error) => graceful,
        Err(_) => Disconnect::failure(layer, DisconnectReason::NetworkError).with_exit_code(1),
    };
    with_error_of(result, end)
}

/// Classifies the end of a forwarded channel, such as an IDE's. Always `agent_to_client`.
///
/// `Ok` is `graceful` with the detail `normal close`; `Err` is `network_error` with the error's text
/// as detail.
///
/// # Examples
///
/// Before:
///
/// ```
/// # use slog::{Discard, Logger, debug, o};
/// # let log = Logger::root(Discard, o!());
/// debug!(log, "JetBrains channel closed");
/// ```
///
/// After:
///
/// ```
/// # use slog::{Discard, Logger, debug, o};
/// # let log = Logger::root(Discard, o!());
/// use disconnect_attribution::{DisconnectReason, classify_channel_close};
///
/// # let copied: Result<u64, std::io::Error> = Ok(42);
/// let end = classify_channel_close(&copied);
/// # #[cfg(feature = "slog")]
/// debug!(log, "JetBrains channel closed"; &end);
///
/// assert_eq!(end.reason(), DisconnectReason::Graceful);
/// assert_eq!(end.report_reason(), "normal close");
/// ```
#[must_use]
pub fn classify_channel_close<T, E: Display + 'static>(result: &Result<T, E>) -> Disconnect {
    let layer = ConnectType::AgentToClient;
    if result.is_ok() {
        return Disconnect::new(layer, DisconnectReason::Graceful).with_detail("normal close");
    }
    with_error_of(result, Disconnect::new(layer, DisconnectReason::NetworkError))
}
