//! What belongs to the line above it: the indented block of the Go agents' human format, JSON over several lines, and
//! journald's export.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use super::decode;
use super::json;
use super::keys::group;
use super::line::without_colours;
use super::time;
use super::value::Value;
use aho_corasick::packed::Searcher;
use disconnect_attribution::keys;
use memchr::{memchr, memrchr};

/// So many lines are looked at for where a record starts or ends.
const MOST_LINES: usize = 2000;

/// An empty line in its wrapper is shorter than this.
const SHORT: usize = 100;

/// What a line that heads a block ends in, and what a line of a block has in it, as text and as journald's bytes.
const MARKS: [&str; 4] = ["...", "46,46,46", "    ", "32,32,32,32,"];

/// Whether a line has what ends a header, and what stands in a line of a block.
fn marks(line: &[u8]) -> [bool; 2] {
    static SEARCHER: LazyLock<Searcher> =
        LazyLock::new(|| Searcher::new(MARKS).expect("a few short patterns"));
    let mut marks = [false; 2];
    SEARCHER.find_iter(line).for_each(|found| marks[found.pattern().as_usize() / 2] = true);
    marks
}

pub(super) fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |length| from + length)
}

pub(super) fn line_start(bytes: &[u8], from: usize, at: usize) -> usize {
    memrchr(b'\n', &bytes[from..at]).map_or(from, |before| from + before + 1)
}

/// The line above, if it starts at `from` or later.
fn above(bytes: &[u8], from: usize, start: usize) -> Option<Range<usize>> {
    let end = start.checked_sub(1).filter(|end| *end >= from)?;
    Some(line_start(bytes, from, end)..end)
}

/// The line below.
fn below(bytes: &[u8], end: usize) -> Option<Range<usize>> {
    (end + 1 < bytes.len()).then(|| end + 1..line_end(bytes, end + 1))
}

/// Whether a line may belong to the one above, in whatever wraps it.
pub(crate) fn continues(line: &[u8]) -> bool {
    let is_inside = matches!(line.first(), None | Some(b' ' | b'\t' | b'\r' | b'}' | b']'));
    is_inside && !is_brace(line) || line.len() <= SHORT || marks(line)[1]
}

/// Whether an object starts on a line of its own.
fn is_brace(line: &[u8]) -> bool {
    line.trim_ascii() == b"{"
}

/// A line of the Go agents' human format with the lines of a value that left it, without what wraps them.
pub(super) struct Block {
    pub(super) header: Range<usize>,
    pub(super) text: String,
    pub(super) lines: Vec<String>,
    pub(super) end: usize,
}

impl Block {
    /// The block that a line heads, or is in.
    pub(super) fn around(bytes: &[u8], from: usize, line: &Range<usize>) -> Option<Self> {
        let mut header = line.clone();
        let (path, text) = loop {
            let text = &bytes[header.clone()];
            let [has_dots, is_indented] = marks(text);
            if has_dots && let Some(found) = Path::of(&decode(text)) {
                break found;
            }
            if text.len() > SHORT && !is_indented {
                return None;
            }
            header = above(bytes, from, header.start)?;
        };
        let mut block = Self { end: header.end, header, text, lines: Vec::new() };
        while let Some(next) = below(bytes, block.end) {
            let Some(text) = path.follow(&decode(&bytes[next.clone()])) else {
                break;
            };
            if !text.starts_with("    ") && !text.trim().is_empty() {
                break;
            }
            block.lines.push(text);
            block.end = next.end;
        }
        // What is above it by chance is no header.
        (block.end >= line.end).then_some(block)
    }
}

/// How a line is wrapped: the key of the text of JSON in which it is, then a prefix of so many words.
struct Path {
    member: String,
    words: usize,
    /// How long the prefix is in the line that heads the block; a time in it may be shorter.
    length: usize,
}

impl Path {
    /// The way to a line that heads a block, and that line.
    fn of(line: &str) -> Option<(Self, String)> {
        let is_header = |(_, text): &(String, String)| text.trim_end().ends_with("...");
        let (member, text) = texts(line).into_iter().find(is_header)?;
        // The line's own time is the last before its level.
        let start = text.match_indices(" [").find_map(|(level, _)| {
            let start = level.checked_sub("2026-05-13 17:42:21.701".len())?;
            let is_own =
                text[level + 2..].get(4..5) == Some("]") && time::first(text.get(start..level)?).is_some();
            is_own.then_some(start)
        })?;
        let words = text[..start].split_ascii_whitespace().count();
        Some((Self { member, words, length: start }, text[start..].trim_end().to_owned()))
    }

    /// What is at its end in another line.
    fn follow(&self, line: &str) -> Option<String> {
        let (_, text) = texts(line).into_iter().find(|(member, _)| *member == self.member)?;
        let text = text.trim_end_matches(['\r', '\n']);
        let mut rest = text;
        for _ in 0..self.words {
            let word = rest.trim_start();
            rest = &word[word.find(' ').unwrap_or(word.len())..];
        }
        if self.words > 0 {
            rest = rest.strip_prefix(' ').unwrap_or(rest);
        }
        let is_wrapped_so = (text.len() - rest.len()).abs_diff(self.length) <= 12;
        is_wrapped_so.then(|| rest.to_owned())
    }
}

/// A line that is no JSON, or else the texts in it that are none, each with its key.
fn texts(line: &str) -> Vec<(String, String)> {
    fn add(member: &str, value: &Value<'_>, all: &mut Vec<(String, String)>) {
        if let Some(map) = value.as_map() {
            for (member, value) in map {
                add(member, value, all);
            }
        } else if let Some(text) = value.text_or_bytes() {
            let text = without_colours(&text);
            let start = text.find("{\"").unwrap_or(0);
            let is_end = |(_, length): &(_, usize)| {
                text[start + length..].trim_matches([']', ' ', '\r', '\n']).is_empty()
            };
            match json::first(&text[start..]).ok().filter(is_end) {
                Some((value @ Value::Map(_), _)) => add(member, &value, all),
                _ => all.push((member.to_owned(), text)),
            }
        }
    }
    let mut all = Vec::new();
    add("", &Value::text(line), &mut all);
    all
}

/// A record of journald whose fields stand on lines of their own, as its export has them, and which lines those are.
pub(super) fn exported<'a>(
    bytes: &'a [u8],
    from: usize,
    line: &Range<usize>,
) -> Option<(Range<usize>, Value<'a>)> {
    let field = |line: Range<usize>| {
        let text = bytes[line.clone()].trim_ascii();
        let is_key = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
        let length = text.iter().position(|byte| !is_key(byte)).filter(|at| text[*at] == b'=')?;
        let (key, value) = (decode(&text[..length]), decode(&text[length + 1..]));
        Some((line, (key, Value::Text(value))))
    };
    let (mut lines, first) = field(line.clone())?;
    group(&first.0, keys::DISCONNECT_REASON)?;
    let mut map = vec![first];
    while let Some((line, entry)) = above(bytes, from, lines.start).and_then(field) {
        lines.start = line.start;
        map.push(entry);
    }
    while let Some((line, entry)) = below(bytes, lines.end).and_then(field) {
        lines.end = line.end;
        map.push(entry);
    }
    Some((lines, Value::Map(map)))
}

/// The objects around an indented line, as JSON that is spread over lines has them, the innermost first.
pub(super) fn spread<'a>(
    bytes: &'a [u8],
    from: usize,
    line: &Range<usize>,
) -> impl Iterator<Item = (Range<usize>, Cow<'a, str>)> {
    let indent = |line: &[u8]| line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let mut depth = indent(&bytes[line.clone()]);
    let mut at = line.start;
    let mut looked = 0;
    let end = line.end;
    std::iter::from_fn(move || {
        loop {
            looked += 1;
            let next = above(bytes, from, at).filter(|_| looked < MOST_LINES)?;
            at = next.start;
            let text = &bytes[next.clone()];
            if text.trim_ascii().is_empty() || indent(text) >= depth {
                continue;
            }
            depth = indent(text);
            if is_brace(text) {
                break;
            }
        }
        let mut last = end;
        loop {
            looked += 1;
            let next = below(bytes, last).filter(|_| looked < MOST_LINES)?;
            let text = &bytes[next.clone()];
            last = next.end;
            if indent(text) <= depth && !text.trim_ascii().is_empty() {
                break;
            }
        }
        Some((at..last, decode(&bytes[at..last])))
    })
}
