//! A block of lines, counted.

use memchr::memchr_iter;

use crate::input::{Block, Content};
use crate::read::{Found, Reader, Record};
use crate::tally::{Filter, Part};

/// Counts what is in a block. Only lines with the key are looked at.
pub(crate) fn count(block: &Block, reader: &Reader, filter: Filter) -> Part {
    let mut part = Part::new(filter);
    match block.content {
        Content::Lines => count_lines(block.bytes(), reader, &mut part),
        Content::TooLong => part.too_long(),
    }
    part
}

fn count_lines(bytes: &[u8], reader: &Reader, part: &mut Part) {
    let before = |offset: usize| newlines(&bytes[..offset]);
    // Lines of records, and where the first line is that belongs to none.
    let mut of_records = 0;
    let mut other = None;
    let mut from = 0;
    for found in reader.records(bytes) {
        let Found {
            lines,
            has_block,
            record,
        } = found;
        if lines.start > from {
            other.get_or_insert(from);
        }
        from = lines.end + 1;
        if matches!(record, Record::NoEnd) {
            other.get_or_insert(lines.start);
            continue;
        }
        part.count(record, || before(lines.start));
        of_records += 1;
        if has_block {
            of_records += newlines(&bytes[lines]);
        }
    }
    if from < bytes.len() {
        other.get_or_insert(from);
    }
    let all = newlines(bytes) + u64::from(!bytes.ends_with(b"\n") && !bytes.is_empty());
    part.lines(all);
    if let Some(first) = other
        && all > of_records
    {
        part.no_end(all - of_records, || before(first));
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
