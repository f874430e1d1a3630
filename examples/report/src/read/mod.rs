//! One record of a log: the end that it is about, and when.
//!
//! - `json.rs`: lines that are JSON, and collectors' JSON around any line
//! - `search.rs`: JSON that is not as most lines are
//! - `repair.rs`: JSON whose texts hold what JSON must not
//! - `quick.rs`: the same JSON, faster where it is plain
//! - `text.rs`: the scanner of all text formats
//! - `quote.rs`: its quoted values
//! - `wrap.rs`: prefixes that container runtimes and collectors write
//! - `time.rs`: times

mod json;
mod quick;
mod quote;
mod repair;
mod search;
mod text;
mod time;
mod wrap;

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;
use std::sync::LazyLock;

use disconnect_attribution::{Disconnect, keys};
use jiff::Timestamp;
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use self::json::{Envelope, Json};
use self::repair::repair;
pub(crate) use self::time::parse as parse_time;
use self::wrap::Wrapper;
use crate::clean::clean;

const KEY_AS_BYTES: &str = "100,105,115,99,111,110,110,101,99,116,95,114,101,97,115,111,110";

/// No line is wrapped more often than this.
const MOST_WRAPPERS: usize = 8;

pub(crate) enum Record {
    End(End),
    Unreadable(Unreadable),
    /// About something else, though the key stands in it.
    NoEnd,
}

pub(crate) struct End {
    pub(crate) disconnect: Disconnect,
    pub(crate) time: Option<Timestamp>,
    pub(crate) message: Option<String>,
}

pub(crate) struct Unreadable {
    pub(crate) why: String,
    /// The format that it looks like, for people.
    pub(crate) likely: String,
}

/// A record, and where it is.
pub(crate) struct Found {
    pub(crate) lines: Range<usize>,
    /// Whether it has more than one line.
    pub(crate) has_block: bool,
    pub(crate) record: Record,
}

/// Finds records in a part of a log, and reads them.
pub(crate) struct Reader {
    key: Finder<'static>,
    /// The key where journald writes a text as the numbers of its bytes, as it does with coloured ones.
    key_as_bytes: Finder<'static>,
    by_message: bool,
}

impl Reader {
    pub(crate) fn new(by_message: bool) -> Self {
        Self {
            key: Finder::new(keys::DISCONNECT_REASON),
            key_as_bytes: Finder::new(KEY_AS_BYTES),
            by_message,
        }
    }

    /// The records of a part of a log.
    pub(crate) fn records<'a>(&'a self, bytes: &'a [u8]) -> Records<'a> {
        Records {
            reader: self,
            bytes,
            from: 0,
            as_bytes: self.key_as_bytes.find(bytes),
        }
    }

    /// The record in whose line the key is at an offset; it starts at `from` or later.
    fn record_at(&self, bytes: &[u8], from: usize, at: usize) -> Found {
        let line = memrchr(b'\n', &bytes[from..at]).map_or(from, |before| from + before + 1)
            ..line_end(bytes, at);
        if bytes[line.start] == b'{'
            && let Some(record) = self.alone(&decode(&bytes[line.clone()]))
        {
            return Found {
                lines: line,
                has_block: false,
                record,
            };
        }
        let lines = lines_around(bytes, from, line);
        let (header, block) = bytes[lines.clone()].split_at(line_end(&bytes[lines.clone()], 0));
        Found {
            has_block: !block.is_empty(),
            record: self.layers(&decode(header), block, &Outer::default()),
            lines,
        }
    }

    /// A line of JSON that wraps no other.
    fn alone(&self, line: &str) -> Option<Record> {
        match json::read(line, self.by_message) {
            Json::End(end) => Some(Record::End(end)),
            Json::NoEnd => Some(Record::NoEnd),
            Json::Unreadable(why) => Some(unreadable(line, &why, &Outer::default())),
            Json::Wrapped(_) | Json::Broken(_) => None,
        }
    }

    fn layers(&self, line: &str, block: &[u8], outer: &Outer) -> Record {
        let line = line.trim_start_matches('\u{feff}').trim_end();
        if line.contains('\u{1b}') {
            return self.layers(&without_colours(line), block, outer);
        }
        if line.starts_with('{') {
            return self.json(line, block, outer);
        }
        if let Some(stripped) = wrap::strip(line)
            && let Some(outer) = outer.with(stripped.wrapper, stripped.time)
        {
            return self.layers(stripped.inner, block, &outer);
        }
        self.text(line, block, outer)
    }

    fn json(&self, line: &str, block: &[u8], outer: &Outer) -> Record {
        let mut read = json::read(line, self.by_message);
        let repaired;
        if matches!(read, Json::Broken(_))
            && let Some(text) = repair(line)
        {
            repaired = text;
            read = json::read(&repaired, self.by_message);
        }
        match read {
            Json::End(end) => outer.end(end),
            Json::NoEnd => Record::NoEnd,
            Json::Unreadable(why) | Json::Broken(why) => unreadable(line, &why, outer),
            Json::Wrapped(Envelope {
                inner,
                time,
                wrapper,
            }) => match outer.with(wrapper, time) {
                Some(outer)
                    if inner.contains(keys::DISCONNECT_REASON)
                        || inner.trim_end().ends_with("...") =>
                {
                    self.layers(&inner, block, &outer)
                }
                // The key stood in the envelope's own texts.
                _ => Record::NoEnd,
            },
        }
    }

    fn text(&self, line: &str, block: &[u8], outer: &Outer) -> Record {
        let block: Vec<_> = block
            .split(|byte| *byte == b'\n')
            .skip(1)
            .map(|line| unwrapped(decode(line), 0))
            .collect();
        match text::read(line, &block, self.by_message) {
            Ok(Some(end)) => outer.end(end),
            Ok(None) => Record::NoEnd,
            Err(why) => {
                // JSON after a prefix that nothing here knows.
                let json = line
                    .find("{\"")
                    .map(|at| json::read(&line[at..], self.by_message));
                match json {
                    Some(Json::End(end)) => outer.end(end),
                    _ => unreadable(line, &why, outer),
                }
            }
        }
    }
}

/// Walks over the records of a part of a log.
pub(crate) struct Records<'a> {
    reader: &'a Reader,
    bytes: &'a [u8],
    from: usize,
    /// Where the key is next, written as bytes.
    as_bytes: Option<usize>,
}

impl Iterator for Records<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let rest = self.bytes.get(self.from..)?;
        if self.as_bytes.is_some_and(|at| at < self.from) {
            self.as_bytes = self.reader.key_as_bytes.find(rest).map(|at| self.from + at);
        }
        let plain = self.reader.key.find(rest).map(|at| self.from + at);
        let at = plain.into_iter().chain(self.as_bytes).min()?;
        let found = self.reader.record_at(self.bytes, self.from, at);
        self.from = found.lines.end + 1;
        Some(found)
    }
}

/// What stands around a line.
#[derive(Default)]
struct Outer {
    wrappers: Vec<Wrapper>,
    time: Option<Timestamp>,
}

impl Outer {
    fn with(&self, wrapper: Wrapper, time: Option<Timestamp>) -> Option<Self> {
        if self.wrappers.len() >= MOST_WRAPPERS {
            return None;
        }
        Some(Self {
            wrappers: [&self.wrappers[..], &[wrapper]].concat(),
            time: time.or(self.time),
        })
    }

    /// The line's own time counts before its wrapper's.
    fn end(&self, end: End) -> Record {
        Record::End(End {
            time: end.time.or(self.time),
            ..end
        })
    }
}

fn unreadable(line: &str, why: &str, outer: &Outer) -> Record {
    let mut likely = likely_format(line).to_owned();
    for wrapper in outer.wrappers.iter().rev() {
        let _ = write!(likely, ", in {wrapper}");
    }
    Record::Unreadable(Unreadable {
        why: clean(why),
        likely,
    })
}

fn likely_format(line: &str) -> &'static str {
    let line = line.trim_start();
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if line.starts_with('{') && !line.ends_with('}') {
        "JSON that was cut"
    } else if line.starts_with('{') {
        "JSON"
    } else if line.starts_with('"') {
        "JSON spread over lines (jq -c puts it on one)"
    } else if has(&["[debu]", "[info]", "[warn]", "[erro]", "[crit]", "[fata]"]) {
        "the Go agents' human format"
    } else if has(&["level="]) {
        "the text of Go's log/slog"
    } else if has(&["TRACE ", "DEBUG ", "INFO ", "WARN ", "ERROR "]) {
        "the text of tracing-subscriber"
    } else {
        "no format that is known here"
    }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |length| from + length)
}

/// A line as text. Bytes that are no UTF-8 lose no end.
fn decode(line: &[u8]) -> Cow<'_, str> {
    // Text that is whole is the rule, and found to be so much faster than it is repaired.
    std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
}

/// The line of the key with the lines that belong to it: a block is indented under its line.
fn lines_around(bytes: &[u8], from: usize, line: Range<usize>) -> Range<usize> {
    let mut start = line.start;
    while start > from && continues(&bytes[start..line_end(bytes, start)]) {
        start = memrchr(b'\n', &bytes[from..start - 1]).map_or(from, |before| from + before + 1);
    }
    let header = &bytes[start..line_end(bytes, start)];
    if start < line.start && !heads_block(header) {
        // Indented for a reason of its own, as JSON that is spread over lines.
        return line;
    }
    let first = line.end.max(line_end(bytes, start));
    let mut end = first;
    while end + 1 < bytes.len() && continues(&bytes[end + 1..line_end(bytes, end + 1)]) {
        end = line_end(bytes, end + 1);
    }
    if end > first && !heads_block(header) {
        end = first;
    }
    start..end
}

fn heads_block(line: &[u8]) -> bool {
    let text = unwrapped(decode(line), 0);
    !text.is_empty() && !text.starts_with(['{', '}', '[', ']', '"', ' '])
}

/// Without escape sequences, and without what is left of damaged ones.
fn without_colours(line: &str) -> String {
    console::strip_ansi_codes(line).replace('\u{1b}', "")
}

/// What a line of a block has in it, as text or as journald's bytes.
static INDENTATIONS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["    ", "32,32,32,32,"].map(|spaces| Finder::new(spaces).into_owned()));

/// An empty line in its wrapper is shorter than this.
const SHORT: usize = 100;

/// Whether a line belongs to the one above: indented by four spaces, in whatever wraps it.
pub(crate) fn continues(line: &[u8]) -> bool {
    let may_be_indented = || {
        INDENTATIONS
            .iter()
            .any(|spaces| spaces.find(line).is_some())
    };
    if line.len() > SHORT && !may_be_indented() {
        return false;
    }
    let text = unwrapped(decode(line), 0);
    text.starts_with("    ") || text.trim().is_empty()
}

/// A line without its wrappers.
fn unwrapped(line: Cow<'_, str>, depth: usize) -> Cow<'_, str> {
    match line {
        Cow::Borrowed(line) => unwrap(line, depth),
        Cow::Owned(line) => Cow::Owned(unwrap(&line, depth).into_owned()),
    }
}

fn unwrap(line: &str, depth: usize) -> Cow<'_, str> {
    let line = line.trim_end_matches(['\r', '\n']);
    if depth >= MOST_WRAPPERS {
        return Cow::Borrowed(line);
    }
    if line.contains('\u{1b}') {
        return unwrapped(Cow::Owned(without_colours(line)), depth + 1);
    }
    if line.starts_with('{') {
        return match json::read(line, false) {
            Json::Wrapped(envelope) => unwrapped(envelope.inner, depth + 1),
            _ => Cow::Borrowed(line),
        };
    }
    match wrap::strip(line) {
        Some(stripped) => unwrap(stripped.inner, depth + 1),
        None => Cow::Borrowed(line),
    }
}
