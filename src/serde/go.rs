//! The free texts that Go agents write as a reason.
//!
//! Their SSH lines put the text of a session into `disconnect_reason` (coder/coder, agentssh). The texts
//! below are the ones that mean something in particular.

use crate::{DisconnectReason, Trigger};

/// Texts that begin like this.
const BEGINNINGS: [(&str, DisconnectReason); 3] = [
    (
        "process exited with error status: ",
        DisconnectReason::ProcessExited,
    ),
    ("unsupported subsystem: ", DisconnectReason::Rejected),
    ("file transfer blocked", DisconnectReason::Rejected),
];

/// Whole texts.
const TEXTS: [(&str, DisconnectReason); 3] = [
    ("normal exit", DisconnectReason::Graceful),
    ("normal close", DisconnectReason::Graceful),
    ("server shut down", DisconnectReason::ServerShutdown),
];

/// How an error of Go's standard library ends that the operating system or a deadline caused.
const ERROR_ENDINGS: [(&str, Trigger); 5] = [
    ("connection reset by peer", Trigger::Reset),
    ("broken pipe", Trigger::BrokenPipe),
    ("EOF", Trigger::EndOfFile),
    ("i/o timeout", Trigger::Deadline),
    ("use of closed network connection", Trigger::Aborted),
];

/// What a text means; `unknown` for one that means nothing in particular.
pub(super) fn meaning(text: &str) -> (DisconnectReason, Option<Trigger>) {
    let begins = |(beginning, _): &&(&str, _)| text.starts_with(beginning);
    let is = |(whole, _): &&(&str, _)| text == *whole;
    let ends = |(ending, _): &&(&str, _)| ends_in_word(text, ending);
    if let Some((_, reason)) = BEGINNINGS.iter().find(begins).or(TEXTS.iter().find(is)) {
        (*reason, None)
    } else if let Some((_, trigger)) = ERROR_ENDINGS.iter().find(ends) {
        (DisconnectReason::NetworkError, Some(*trigger))
    } else {
        (DisconnectReason::Unknown, None)
    }
}

fn ends_in_word(text: &str, ending: &str) -> bool {
    text.strip_suffix(ending)
        .is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}
