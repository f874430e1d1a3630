//! The records of a block of lines. Only lines with the key are looked at.

use memchr::memchr_iter;

use super::{Reader, Record, Skip};
use crate::tally::{Part, Skipped};

impl Reader {
    /// Reads what is in a block.
    pub(crate) fn part(&self, bytes: &[u8]) -> Part {
        let mut part = Part::default();
        let mut read = Vec::new();
        // How many lines belong to no record, and the first of them.
        let (mut others, mut first) = (0, None);
        let mut from = 0;
        while from < bytes.len() {
            let lines = self.next(bytes, from, None, &mut read).unwrap_or(bytes.len()..bytes.len());
            let before = newlines(&bytes[from..lines.start])
                + u64::from(lines.start == bytes.len() && !bytes.ends_with(b"\n"));
            let inside = if lines.is_empty() { 0 } else { 1 + newlines(&bytes[lines.clone()]) };
            let is_other = read.is_empty();
            if before > 0 || is_other {
                first.get_or_insert(part.lines);
            }
            others += before + if is_other { inside } else { 0 };
            part.lines += before;
            part.records.extend(read.drain(..).map(|record| (part.lines, record)));
            part.lines += inside;
            from = lines.end + 1;
        }
        if others > 0 {
            let what = Record::Skip(Skip { count: others, ..Skip::new(Skipped::NoEnd, String::new()) });
            part.records.push((first.unwrap_or_default(), what));
        }
        part
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
