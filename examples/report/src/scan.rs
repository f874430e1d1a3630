//! A block of lines, read.

use memchr::memchr_iter;

use crate::input::{Block, Content};
use crate::read::Reader;
use crate::tally::Part;

/// Reads what is in a block. Only lines with the key are looked at.
pub(crate) fn read(block: &Block, reader: &Reader) -> Part {
    if block.content == Content::TooLong {
        return Part { lines: 1, too_long: true, ..Part::default() };
    }
    let bytes = block.bytes();
    let mut part = Part::default();
    // How many lines belong to records, and the first that belongs to none.
    let (mut of_records, mut other) = (0, None);
    // Where the next line starts, and its number.
    let (mut from, mut line) = (0, 0);
    while from < bytes.len()
        && let Some(lines) = reader.next(bytes, from, &mut part.records)
    {
        let is_record = part.records.len() > part.places.len();
        if lines.start > from || !is_record {
            other.get_or_insert(line);
        }
        line += newlines(&bytes[from..lines.start]);
        part.places.resize(part.records.len(), line);
        let count = 1 + newlines(&bytes[lines.clone()]);
        of_records += if is_record { count } else { 0 };
        line += count;
        from = lines.end + 1;
    }
    if from < bytes.len() {
        other.get_or_insert(line);
        line += newlines(&bytes[from..]) + u64::from(!bytes.ends_with(b"\n"));
    }
    part.lines = line;
    part.other = (line - of_records, other.unwrap_or_default());
    part
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
