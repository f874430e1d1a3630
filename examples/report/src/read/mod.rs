//! The records of a log: the ends that they are about, and when.
//!
//! - `keys.rs`: the keys of a record, in every spelling
//! - `plain.rs`: lines as nearly all are
//! - `line.rs`: a line of any format, in any wrapper
//! - `value.rs`: JSON, and the lines in its texts
//! - `text.rs`, `head.rs`, `quote.rs`: the scanner of all text formats
//! - `lines.rs`: what belongs to the line above it
//! - `repair.rs`: JSON whose texts hold what JSON must not
//! - `time.rs`: times

mod head;
mod keys;
mod line;
mod lines;
mod plain;
mod quote;
mod repair;
mod text;
mod time;
mod value;

use std::borrow::Cow;
use std::ops::Range;

use disconnect_attribution::Disconnect;
use jiff::Timestamp;
use serde_json::Value;

use self::keys::{Finder, Hit};
use self::line::{has_layer, unreadable};
pub(crate) use self::lines::continues;
use self::lines::{Block, line_end, line_start, spread};
pub(crate) use self::time::parse as parse_time;
use self::value::Around;

pub(crate) enum Record {
    End(End),
    Unreadable(Unreadable),
    /// A line whose message journald left out, so that it may be one.
    WithoutMessage,
}

pub(crate) struct End {
    pub(crate) disconnect: Disconnect,
    pub(crate) time: Option<Timestamp>,
    /// What ends are counted by.
    pub(crate) by: Option<String>,
}

pub(crate) struct Unreadable {
    pub(crate) why: String,
    /// The format that it looks like, for people.
    pub(crate) likely: String,
}

/// Finds records in a part of a log, and reads them.
pub(crate) struct Reader {
    finder: Finder,
    by: Option<String>,
}

impl Reader {
    /// `by` is the key of what ends are counted by.
    pub(crate) fn new(by: Option<String>) -> Self {
        let finder = Finder::new();
        Self { finder, by }
    }

    fn by(&self) -> Option<&str> {
        self.by.as_deref()
    }

    /// The lines of the next records at an offset or later, and what is read from them: nothing if they are about
    /// something else, though the key stands in them.
    pub(crate) fn next(&self, bytes: &[u8], from: usize, out: &mut Vec<Record>) -> Option<Range<usize>> {
        let (at, hit) = self.finder.next(bytes, from)?;
        let line = line_start(bytes, from, at)..line_end(bytes, at);
        let end = line.end;
        match hit {
            Hit::Key => return Some(self.record(bytes, from, line, out)),
            Hit::NoMessage => match self.finder.next(&bytes[..end], at + 1) {
                Some((_, Hit::Key)) => return Some(self.record(bytes, from, line, out)),
                _ => out.push(Record::WithoutMessage),
            },
            Hit::Utf16 => {
                let why = "it is UTF-16 in a log of UTF-8 (iconv -f UTF-16LE -t UTF-8 makes it that)";
                out.push(unreadable("", why, None));
            }
        }
        Some(line)
    }

    /// Reads what is in the line of a key, and gives back which lines that are.
    fn record(&self, bytes: &[u8], from: usize, line: Range<usize>, out: &mut Vec<Record>) -> Range<usize> {
        let text = decode(&bytes[line.clone()]);
        let is_object = text.starts_with('{');
        if is_object && let Some(end) = plain::read(&text, self.by()) {
            out.push(Record::End(end));
            return line;
        }
        if let Some(block) = Block::around(bytes, from, &line) {
            let header = decode(&bytes[block.header.clone()]);
            let value: Value = serde_json::from_str(&header).unwrap_or_default();
            self.text(&block.text, Some(&block.lines), Some(&Around::new(&value, None)), out);
            return block.header.start..block.end;
        }
        let is_indented = text.starts_with([' ', '\t']);
        for (lines, value) in is_indented.then(|| spread(bytes, from, &line)).into_iter().flatten() {
            let before = out.len();
            self.walk(&value, None, out);
            // The key may be a value, in a list of keys and values.
            if has_end(&out[before..]) {
                return lines;
            }
            out.truncate(before);
        }
        let before = out.len();
        self.text(&text, None, None, out);
        if out.len() == before && has_layer(&text) {
            // A layer without a reason, and the key somewhere: damaged, or in a place that is not known.
            out.push(unreadable(&text, "no key of a record stands where one is known", None));
        }
        line
    }
}

/// A line as text. Bytes that are no UTF-8 lose no end.
fn decode(line: &[u8]) -> Cow<'_, str> {
    // Text that is whole is the rule, and found to be so much faster than it is repaired.
    std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
}

fn has_end(records: &[Record]) -> bool {
    records.iter().any(|record| matches!(record, Record::End(_)))
}
