//! The records of a log: the ends that they are about, and when.
//!
//! - `scan.rs`: a block of lines
//! - `keys.rs`: the keys of a record, in every spelling
//! - `line.rs`: a line of any format, in any wrapper
//! - `json.rs`: JSON
//! - `value.rs`: a value of JSON or of a text
//! - `record.rs`: the records in a value, and the lines in its texts
//! - `text.rs`, `head.rs`, `quote.rs`: the scanner of all text formats
//! - `lines.rs`: what belongs to the line above it
//! - `time.rs`: times

mod head;
mod json;
mod keys;
mod line;
mod lines;
mod quote;
mod record;
mod scan;
mod text;
mod time;
mod value;

use std::borrow::Cow;
use std::ops::Range;

use disconnect_attribution::Disconnect;
use jiff::Timestamp;

use self::keys::{Finder, Hit, has_layer};
use self::line::likely_format;
pub(crate) use self::lines::continues;
use self::lines::{Block, exported, line_end, line_start, spread};
use self::record::Around;
pub(crate) use self::time::parse as parse_time;
use self::value::Value;
use crate::clean::clean;
use crate::tally::Skipped;

pub(crate) enum Record {
    End(End),
    Skip(Skip),
}

pub(crate) struct End {
    pub(crate) disconnect: Disconnect,
    pub(crate) time: Option<Timestamp>,
    /// What ends are counted by.
    pub(crate) by: Option<String>,
}

/// What is not counted, and how often.
pub(crate) struct Skip {
    pub(crate) what: Skipped,
    pub(crate) count: u64,
    /// Why, if there is more to it.
    pub(crate) why: String,
    /// The format that it looks like, for people.
    pub(crate) likely: Option<String>,
}

impl Skip {
    pub(crate) fn new(what: Skipped, why: String) -> Self {
        Self { what, count: 1, why, likely: None }
    }
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

    /// Whether somebody asks for the messages of lines.
    fn with_message(&self) -> bool {
        self.by.as_deref() == Some("msg")
    }

    /// The lines of the next records at an offset or later, and what is read from them: nothing if they are about
    /// something else, though the key stands in them.
    fn next(
        &self,
        bytes: &[u8],
        from: usize,
        outer: Option<&Around<'_>>,
        out: &mut Vec<Record>,
    ) -> Option<Range<usize>> {
        let (at, hit) = self.finder.next(bytes, from)?;
        let line = line_start(bytes, from, at)..line_end(bytes, at);
        let end = line.end;
        match hit {
            Hit::Key => return Some(self.record(bytes, from, line, outer, out)),
            Hit::NoMessage => match self.finder.next(&bytes[..end], at + 1) {
                Some((_, Hit::Key)) => return Some(self.record(bytes, from, line, outer, out)),
                _ => out.push(Record::Skip(Skip::new(Skipped::WithoutMessage, String::new()))),
            },
            Hit::Utf16 => {
                let why = "it is UTF-16 in a log of UTF-8 (iconv -f UTF-16LE -t UTF-8 makes it that)";
                out.push(unreadable(Some(""), why, None));
            }
        }
        Some(line)
    }

    /// Reads what is in the line of a key, and gives back which lines that are.
    fn record(
        &self,
        bytes: &[u8],
        from: usize,
        line: Range<usize>,
        outer: Option<&Around<'_>>,
        out: &mut Vec<Record>,
    ) -> Range<usize> {
        let text = decode(&bytes[line.clone()]);
        let is_whole = |(_, length): &(_, usize)| text[*length..].trim().is_empty();
        let value = text.starts_with('{').then(|| json::first(&text).ok().filter(is_whole)).flatten();
        let value = value.map(|(value, _)| value);
        if value.as_ref().is_some_and(|value| self.records(&Around::new(value, outer), None, out)) {
            return line;
        }
        if let Some((lines, record)) = exported(bytes, from, &line) {
            self.walk(&record, outer, out);
            return lines;
        }
        if let Some(block) = Block::around(bytes, from, &line) {
            let header = decode(&bytes[block.header.clone()]);
            let value = json::first(&header).map_or(Value::Nothing, |(value, _)| value);
            let lines = (!block.lines.is_empty()).then_some(&block.lines[..]);
            self.text(&block.text, lines, Some(&Around::new(&value, outer)), out);
            return block.header.start..block.end;
        }
        let is_indented = text.starts_with([' ', '\t']);
        for (lines, text) in is_indented.then(|| spread(bytes, from, &line)).into_iter().flatten() {
            let mut inside = Vec::new();
            if let Ok((value, _)) = json::first(&text) {
                self.walk(&value, outer, &mut inside);
            }
            // The key may be a value, in a list of keys and values.
            if has_end(&inside) {
                out.append(&mut inside);
                return lines;
            }
        }
        let before = out.len();
        match value {
            Some(value) => self.walk(&value, outer, out),
            None => self.text(&text, None, outer, out),
        }
        if out.len() == before && has_layer(&text) {
            // A layer without a reason, and the key somewhere: damaged, or in a place that is not known.
            out.push(unreadable(Some(&text), "no key of a record stands where one is known", None));
        }
        line
    }
}

/// A line as text. Bytes that are no UTF-8 lose no end.
fn decode(line: &[u8]) -> Cow<'_, str> {
    // Text that is whole is the rule, and found to be so much faster than it is repaired.
    std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
}

/// A record that can't be read, in a text or in JSON.
fn unreadable(text: Option<&str>, why: &str, around: Option<&Around<'_>>) -> Record {
    let likely = text.map_or("JSON", likely_format);
    let wrapper = around.map(|around| around.member).filter(|member| !member.is_empty());
    let likely = wrapper.map_or(likely.to_owned(), |member| format!("{likely}, in {}", clean(member)));
    Record::Skip(Skip { likely: Some(likely), ..Skip::new(Skipped::Unreadable, clean(why)) })
}

fn has_end(records: &[Record]) -> bool {
    records.iter().any(|record| matches!(record, Record::End(_)))
}
