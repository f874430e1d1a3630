//! The agent's own logger: for people by default, JSON lines for machines.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use slog::{Drain, Duplicate, Logger, o};

/// Every line so far, as JSON: what a log shipper would have picked up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs to standard output.
pub(crate) fn logger(json: bool) -> Logger {
    // A reader that hangs up (`| head`) loses lines, and stops nothing.
    if json {
        let drain = slog_json::Json::default(io::stdout());
        Logger::root(Mutex::new(drain).ignore_res(), o!())
    } else {
        let decorator = slog_term::TermDecorator::new().stdout().build();
        let drain = slog_term::FullFormat::new(decorator)
            .use_original_order()
            .use_custom_timestamp(|_| Ok(()))
            .build();
        Logger::root(Mutex::new(drain).ignore_res(), o!())
    }
}

/// As [`logger`], and keeps what it logs.
pub(crate) fn recording_logger(json: bool) -> (Logger, Lines) {
    let lines = Lines::default();
    let recorder = Mutex::new(slog_json::Json::default(lines.clone())).ignore_res();
    let log = Logger::root(Duplicate(logger(json), recorder).ignore_res(), o!());
    (log, lines)
}
