//! A writer behind which a line that a full disk tore does not spoil the next one.
//!
//! slog-json writes a line in pieces. If the disk is full in the middle of one, the next line would be glued to the half
//! that is there, so that neither can be read.

use std::io::{self, Write};

pub struct WholeLines<W> {
    line: Vec<u8>,
    is_torn: bool,
    pub to: W,
}

impl<W: Write> Write for WholeLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if bytes.ends_with(b"\n") {
            if self.is_torn {
                self.line.insert(0, b'\n');
            }
            self.is_torn = true; // unless all of it is written
            let written = self.to.write_all(&self.line);
            self.line.clear();
            written?;
            self.is_torn = false;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W> WholeLines<W> {
    /// Begins with a line of its own.
    pub const fn new(to: W) -> Self {
        Self {
            line: Vec::new(),
            is_torn: true, // another process may have torn the last one
            to,
        }
    }
}
