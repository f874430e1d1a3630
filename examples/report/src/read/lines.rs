//! What belongs to the line above it: the indented block of the Go agents' human format, and JSON over several lines.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use serde_json::Value;

use super::decode;
use super::line::without_colours;
use super::time;

/// So many lines are looked at for where a record starts or ends.
const MOST_LINES: usize = 500;

/// An empty line in its wrapper is shorter than this.
const SHORT: usize = 100;

/// What a line of a block has in it, as text or as journald's bytes.
static INDENTATIONS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["    ", "32,32,32,32,"].map(|spaces| Finder::new(spaces).into_owned()));

/// What a line that heads a block ends in, the same.
static DOTS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["...", "46,46,46"].map(|dots| Finder::new(dots).into_owned()));

fn has([text, bytes]: &[Finder<'_>; 2], line: &[u8]) -> bool {
    text.find(line).is_some() || line.starts_with(b"{") && bytes.find(line).is_some()
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
    is_inside && !is_brace(line) || line.len() <= SHORT || has(&INDENTATIONS, line)
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
            let heads = has(&DOTS, text).then(|| Path::of(&decode(text))).flatten();
            if let Some(found) = heads {
                break found;
            }
            if text.len() > SHORT && !has(&INDENTATIONS, text) {
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

/// How a line is wrapped: pointers to the texts of JSON in which it is, then a prefix of so many words.
struct Path {
    members: Vec<String>,
    words: usize,
    /// How long the prefix is in the line that heads the block; a time in it may be shorter.
    length: usize,
}

impl Path {
    /// The way to a line that heads a block, and that line.
    fn of(line: &str) -> Option<(Self, String)> {
        let mut members = Vec::new();
        let mut text = without_colours(line);
        while let Some(value) = json(&text).filter(|_| members.len() < 8) {
            let mut member = String::new();
            text = without_colours(&text_with_dots(&value, &mut member)?);
            members.push(member);
        }
        let text = text.trim_end();
        text.ends_with("...").then_some(())?;
        // The line's own time is the last before its level.
        let level = text.match_indices(" [").find(|(at, _)| text[at + 2..].get(4..5) == Some("]"))?.0;
        let start = level.checked_sub("2026-05-13 17:42:21.701".len())?;
        time::first(text.get(start..level)?)?;
        let words = text[..start].split_ascii_whitespace().count();
        let path = Self { members, words, length: start };
        Some((path, text[start..].to_owned()))
    }

    /// What is at its end in another line.
    fn follow(&self, line: &str) -> Option<String> {
        let mut text = without_colours(line);
        for member in &self.members {
            text = without_colours(&member_text(json(&text)?.pointer(member)?)?);
        }
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

/// The JSON at the end of a line.
fn json(line: &str) -> Option<Value> {
    let start = line.find("{\"")?;
    serde_json::from_str(line[start..].trim_end().trim_end_matches(']')).ok()
}

/// The text in a value that ends in three dots, and the pointer to it.
fn text_with_dots(value: &Value, pointer: &mut String) -> Option<String> {
    if let Some(map) = value.as_object() {
        let length = pointer.len();
        return map.iter().find_map(|(key, value)| {
            pointer.truncate(length);
            pointer.extend(["/", key]);
            text_with_dots(value, pointer)
        });
    }
    member_text(value).filter(|text| text.trim_end().ends_with("..."))
}

/// A text, or one as journald's list of bytes.
fn member_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let bytes = items.iter().map(|item| item.as_u64()?.try_into().ok());
            let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => None,
    }
}

/// The objects around an indented line, as JSON that is spread over lines has them, the innermost first.
pub(super) fn spread<'a>(
    bytes: &'a [u8],
    from: usize,
    line: &Range<usize>,
) -> impl Iterator<Item = (Range<usize>, Value)> + 'a {
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
        let text = decode(&bytes[at..last]);
        let value = serde_json::from_str(text.trim_end().trim_end_matches(','));
        Some((at..last, value.unwrap_or_default()))
    })
}
