//! The free texts that Go agents write as a reason.
//!
//! Their SSH lines put the text of a session into `disconnect_reason` (coder/coder, agentssh). The texts
//! below are the ones that mean something in particular.

use crate::DisconnectReason::{self, Graceful, ProcessExited, Rejected, ServerShutdown};
use crate::Trigger;

/// What Go writes for a signal. A session whose link died is hung up with one, so it is no exit of a command.
const SIGNALLED: &str = "process exited with error status: -1";

/// Texts that begin like this.
const BEGINNINGS: [(&str, DisconnectReason); 3] = [
    ("process exited with error status: ", ProcessExited),
    ("unsupported subsystem: ", Rejected),
    ("file transfer blocked", Rejected),
];

/// Whole texts.
const TEXTS: [(&str, DisconnectReason); 3] =
    [("normal exit", Graceful), ("normal close", Graceful), ("server shut down", ServerShutdown)];

/// How an error ends that the operating system, a deadline or a multiplexer's ping caused.
const ERROR_ENDINGS: [(&str, Trigger); 13] = [
    ("connection reset by peer", Trigger::Reset),
    ("broken pipe", Trigger::BrokenPipe),
    ("EOF", Trigger::EndOfFile),
    ("i/o timeout", Trigger::Deadline),
    ("use of closed network connection", Trigger::Aborted),
    ("connection timed out", Trigger::TimedOut),
    ("no route to host", Trigger::Unreachable),
    ("network is unreachable", Trigger::Unreachable),
    ("connection refused", Trigger::Refused),
    ("yamux: keepalive timeout", Trigger::KeepaliveTimeout),
    // Windows, with the full stop.
    ("An existing connection was forcibly closed by the remote host.", Trigger::Reset),
    ("An established connection was aborted by the software in your host machine.", Trigger::Aborted),
    ("The semaphore timeout period has expired.", Trigger::TimedOut),
];

/// What a text means; `unknown` for one that means nothing in particular.
pub(super) fn meaning(text: &str) -> (DisconnectReason, Option<Trigger>) {
    let begins = |(beginning, _): &&(&str, _)| text.starts_with(beginning);
    let is = |(whole, _): &&(&str, _)| text == *whole;
    let ends = |(ending, _): &&(&str, _)| ends_in_word(text, ending);
    if text == SIGNALLED {
        (DisconnectReason::Unknown, None)
    } else if let Some((_, reason)) = BEGINNINGS.iter().find(begins).or(TEXTS.iter().find(is)) {
        (*reason, None)
    } else if let Some((_, trigger)) = ERROR_ENDINGS.iter().find(ends) {
        (DisconnectReason::NetworkError, Some(*trigger))
    } else {
        (DisconnectReason::Unknown, None)
    }
}

fn ends_in_word(text: &str, ending: &str) -> bool {
    text.strip_suffix(ending).is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}
