//! A disk that is full in the middle of a line.

use std::io::{self, Write};

use recipes::whole_lines::WholeLines;

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
