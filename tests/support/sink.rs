//! What loggers write, as text.
#![allow(dead_code)] // each test binary uses its own part

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use slog::{Drain, Logger, o};

/// A sink that can be read while loggers write to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).expect("loggers write UTF-8")
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sink.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What `log` writes through slog-json, as text.
pub(crate) fn json_text(log: impl FnOnce(&Logger)) -> String {
    let sink = Sink::default();
    let drain = Mutex::new(slog_json::Json::default(sink.clone())).fuse();
    log(&Logger::root(drain, o!()));
    sink.text()
}
