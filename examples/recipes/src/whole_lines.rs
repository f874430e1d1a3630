//! A writer behind which a line that a full disk tore does not spoil the next one.
//!
//! slog-json writes a line in pieces. If the disk is full in the middle of one, the next line would be glued to the half
//! that is there, so that neither can be read.

use std::io::{self, Write};

pub struct WholeLines<W> {
    line: Vec<u8>,
    is_torn: bool,
    to: W,
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
    /// Begins with a line of its own: another process may have torn the last one.
    pub const fn new(to: W) -> Self {
        Self { line: Vec::new(), is_torn: true, to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as many bytes as there is room for.
    struct Disk<'a> {
        room: usize,
        bytes: &'a mut Vec<u8>,
    }

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.bytes.extend_from_slice(&bytes[..count]);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_behind_one_that_was_torn_is_whole() {
        let mut bytes = Vec::new();
        let mut lines = WholeLines::new(Disk { room: 8, bytes: &mut bytes });
        assert!(lines.write_all(b"first\n").is_ok());
        assert!(lines.write_all(b"second\n").is_err());
        lines.to.room = 100;
        assert!(lines.write_all(b"third\n").is_ok());
        assert_eq!(String::from_utf8_lossy(&bytes), "\nfirst\ns\nthird\n");
    }
}
