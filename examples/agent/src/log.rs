//! The agent's own log: for people by default, JSON lines for machines.

use std::io;
use std::sync::Mutex;

use slog::{Drain, Logger, o};
use slog_json::Json;
use slog_term::{FullFormat, TermDecorator};

/// Logs to standard output.
pub(crate) fn logger(json: bool) -> Logger {
    // A reader that hangs up (`| head`) loses lines, and stops nothing.
    if json {
        Logger::root(Mutex::new(Json::default(io::stdout())).ignore_res(), o!())
    } else {
        let terminal = TermDecorator::new().stdout().build();
        // The reason stands near the message. A detail comes last, where it could fool a parser: those
        // read JSON.
        let lines = FullFormat::new(terminal).use_original_order().build();
        Logger::root(Mutex::new(lines).ignore_res(), o!())
    }
}
