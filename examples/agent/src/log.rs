//! The agent's own logger: for people by default, JSON lines for machines.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use disconnect_attribution::keys::{
    DISCONNECT_EXPECTED, DISCONNECT_INITIATOR, DISCONNECT_ORIGIN, DISCONNECT_REASON, DISCONNECT_TRIGGER,
};
use slog::{Drain, Duplicate, KV, Key, Level, Logger, OwnedKVList, Record, Serializer, o};

use crate::paper::{Paragraph, Style, is_colourful};

/// The key of the walk's scenes. People read it as a heading above the line.
pub(crate) const SCENE: &str = "scene";

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
        let colour = is_colourful();
        Logger::root(People { colour }.ignore_res(), o!())
    }
}

/// As [`logger`], and keeps what it logs.
pub(crate) fn recording_logger(json: bool) -> (Logger, Lines) {
    let lines = Lines::default();
    let recorder = Mutex::new(slog_json::Json::default(lines.clone())).ignore_res();
    let log = Logger::root(Duplicate(logger(json), recorder).ignore_res(), o!());
    (log, lines)
}

/// Lines for people: the message, and below it the fields, with the words that matter in colour.
struct People {
    colour: bool,
}

impl Drain for People {
    type Ok = ();
    type Err = io::Error;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> io::Result<()> {
        let mut pairs = Pairs::default();
        record.kv().serialize(record, &mut pairs)?;
        values.serialize(record, &mut pairs)?;
        // slog hands the last pair over first.
        pairs.0.reverse();

        let level = match record.level() {
            Level::Warning => Style::Yellow,
            _ => Style::Dim,
        };
        let mut line = Paragraph::new(5, self.colour)
            .add(record.level().as_short_str(), level)
            .add(&record.msg().to_string(), Style::Bold);
        let is_expected = pairs.is_expected();
        if !pairs.0.is_empty() {
            line = line.break_line();
        }
        for (key, value) in &pairs.0 {
            let style = style(key, is_expected);
            line = if value.is_empty() || value.contains(' ') {
                line.add_pair(key, &format!("\"{value}\""), style)
            } else {
                line.add_pair(key, value, style)
            };
        }
        writeln!(io::stdout(), "{}", line.into_text())
    }
}

fn style(key: &str, is_expected: bool) -> Style {
    match key {
        DISCONNECT_REASON | DISCONNECT_EXPECTED if is_expected => Style::Green,
        DISCONNECT_REASON | DISCONNECT_EXPECTED => Style::Yellow,
        DISCONNECT_INITIATOR | DISCONNECT_TRIGGER | DISCONNECT_ORIGIN => Style::Bold,
        _ => Style::Plain,
    }
}

#[derive(Default)]
struct Pairs(Vec<(Key, String)>);

impl Pairs {
    fn is_expected(&self) -> bool {
        let expected = self.0.iter().find(|(key, _)| *key == DISCONNECT_EXPECTED);
        expected.is_some_and(|(_, value)| value == "true")
    }
}

impl Serializer for Pairs {
    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        if key != SCENE {
            self.0.push((key, value.to_string()));
        }
        Ok(())
    }
}
