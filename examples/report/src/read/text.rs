//! The one scanner for every text format: words, `key=value`, `key="quoted value"`, `key={"raw":"JSON"}`, and
//! `, key: value` as slog-term and tracing's pretty format write it.
//!
//! All of them write prefixes, a time, a level, a message, and then fields.

use std::borrow::Cow;

use disconnect_attribution::keys;
use memchr::{memchr_iter, memchr3, memmem, memrchr2};

use super::keys::{ALL, exactly};
use super::quote::quoted;
use super::record::Around;
use super::value::{Map, Value};
use super::{Reader, Record, json, time, unreadable};

impl Reader {
    /// Reads a line and its block.
    pub(super) fn fields(
        &self,
        text: &str,
        block: &[String],
        outer: Option<&Around<'_>>,
        out: &mut Vec<Record>,
    ) {
        let in_block = multi_line(block);
        let mut read = |line: Line<'_>| {
            let head = Value::Map(line.head(self.with_message()));
            let around = Around::new(&head, outer);
            let before = out.len();
            let [fields, spans] = [line.fields, line.spans].map(Value::Map);
            if !self.records(&Around::new(&fields, Some(&around)), Some(text), out) && block.is_empty() {
                // The line may be the value of a field, or its fields the labels that Loki puts before it. A span's are not
                // those of the line.
                self.walk(&fields, Some(&around), out);
                if text.split('{').next().is_some_and(|prefix| prefix.ends_with(' ')) {
                    self.walk(&spans, Some(&around), out);
                }
            }
            out.len() > before
        };
        let mut line = Line::of(text);
        if line.is_part() {
            return out.push(unreadable(Some(text), "a part of a line", outer));
        }
        line.fields.extend(in_block.as_ref().map(|(key, value)| ((*key).into(), Value::text(value))));
        let has_record = read(line) || text.contains(", ") && read(Line::with_colons(text));
        if has_record || Line::of(text).is_mention(in_block.is_some()) {
            return;
        }
        out.push(unreadable(Some(text), "disconnect_reason is not followed by a value", outer));
    }
}

/// The value that left its line: `key= first line`, then deeper lines.
fn multi_line(block: &[String]) -> Option<(&str, String)> {
    let (first, rest) = block.split_first()?;
    let (key, first) = first.trim_start().split_once('=')?;
    let lines = [first].into_iter().chain(rest.iter().map(String::as_str)).map(str::trim);
    Some((key, lines.collect::<Vec<_>>().join("\n")))
}

/// A line, taken apart.
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) fields: Map<'a>,
    /// The fields of spans.
    pub(super) spans: Map<'a>,
    /// Where the message starts, as far as is known, and the first field after it.
    pub(super) words: usize,
    pub(super) first_key: Option<usize>,
}

impl<'a> Line<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, fields: Vec::with_capacity(12), spans: Vec::new(), words: 0, first_key: None }
    }

    pub(super) fn of(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut line = Self::new(text);
        // Where the last value ended, where to look on, and the first field of a span that is not over.
        let (mut from, mut at, mut span) = (0, 0, 0);
        while let Some(found) = memchr3(b'=', b'{', b'}', &bytes[at..]) {
            let here = at + found;
            let before = |at: usize| bytes[..at].last().copied();
            at = here + 1;
            if bytes[here] == b'{' {
                span = line.fields.len();
            } else if bytes[here] == b'}' {
                if before(here).is_none_or(is_space) {
                    line.end_span(span, at);
                }
            } else {
                let length = bytes[from..here].iter().rev().take_while(|byte| is_key(**byte)).count();
                let (end, start) = (from, here - length);
                from = at;
                if length == 0 || before(start).is_some_and(|byte| byte != b'{' && !is_space(byte)) {
                    continue;
                }
                let key = &text[start..here];
                if line.is_prefix(&text[end..start]) {
                    line.end_span(0, end);
                    span = 0;
                }
                if key == "MESSAGE" {
                    // journald's export: the line is its value.
                    line.words = at;
                    continue;
                }
                line.first_key.get_or_insert(start);
                let (value, length) = value(&text[at..]);
                let is_last = matches!(value, Value::Word(word) if word.ends_with("}:"));
                line.fields.push((key.into(), value));
                at += length;
                from = at;
                if is_last || bytes.get(at) == Some(&b'}') {
                    line.end_span(span, at);
                }
            }
        }
        line
    }

    /// Whether what stands between two fields starts a line, so that the fields so far are those of what wraps it.
    fn is_prefix(&self, between: &str) -> bool {
        let is_of_record = |(key, _): &(Cow<'_, str>, Value<'_>)| exactly(key).is_some();
        between.len() > "2026-05-13 17:42:21".len()
            && !self.fields.is_empty()
            && time::first(between).is_some()
            && !self.fields.iter().any(is_of_record)
    }

    /// The fields so far were those of a span; the message comes after them.
    fn end_span(&mut self, first: usize, at: usize) {
        self.spans.extend(self.fields.drain(first..));
        self.words = at;
        self.first_key = None;
    }

    /// A line whose fields follow a comma, and their values a colon.
    fn with_colons(text: &'a str) -> Self {
        let mut line = Self::new(text);
        let next = |from: usize| {
            text[from..].match_indices(", ").find_map(|(at, _)| {
                let word = &text[from + at + 2..];
                let length = word.bytes().position(|byte| !is_key(byte))?;
                (length > 0 && word[length..].starts_with(": ")).then_some((from + at, length))
            })
        };
        let mut found = next(0);
        line.first_key = found.map(|(at, _)| at);
        while let Some((at, length)) = found {
            let (key, start) = (&text[at + 2..][..length], at + length + 4);
            let rest = &text[start..];
            let value = if rest.starts_with('"') {
                let (value, length) = value(rest);
                found = next(start + length);
                value
            } else {
                found = next(start);
                Value::Word(&text[start..found.map_or(text.len(), |(at, _)| at)])
            };
            line.fields.push((key.into(), value));
        }
        line
    }

    /// Whether a container runtime split the line (CRI's `P`), or it ends in a part of a key.
    fn is_part(&self) -> bool {
        let head = &self.text[..self.first_key.unwrap_or(self.text.len())];
        let is_tag = |at: usize| {
            let [before, after] = [&head[..at], &head[at..]];
            after.starts_with("P ") && (before.ends_with(" stdout ") || before.ends_with(" stderr "))
        };
        let end = self.text.trim_end_matches(['.', '\u{2026}']);
        let last = &end[memrchr2(b' ', b'\t', end.as_bytes()).map_or(end.len(), |space| space + 1)..];
        memchr_iter(b'P', head.as_bytes()).any(is_tag)
            || last.contains('_') && ALL.iter().any(|key| key.starts_with(last))
    }

    /// Whether the key stands in values alone, where it is no key.
    fn is_mention(&self, has_block: bool) -> bool {
        let mentions = |text: &str| memmem::find_iter(text.as_bytes(), keys::DISCONNECT_REASON).count();
        let values = || self.fields.iter().chain(&self.spans).map(|(_, value)| value);
        let is_whole = |value: &Value<'_>| match value {
            Value::Word(word) => !word.contains(['"', '\\']),
            value => !matches!(value, Value::Damaged),
        };
        let in_values = values().map(|value| if let Value::Text(text) = value { mentions(text) } else { 0 });
        let all = mentions(self.text);
        (all > 0 || has_block) && values().all(is_whole) && all == in_values.sum::<usize>()
    }
}

/// The value at the start of a text, and its length; what follows must be where a writer leaves off.
fn value(text: &str) -> (Value<'_>, usize) {
    let ends_value =
        |rest: &str| rest.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '}' | ',' | ']'));
    let word = &text[..memchr3(b' ', b'\n', b'\t', text.as_bytes()).unwrap_or(text.len())];
    let word = word.strip_suffix('\r').unwrap_or(word);
    match text.as_bytes().first() {
        Some(b'"') => match quoted(text) {
            Some((value, end)) if ends_value(&text[end..]) => (Value::Text(value), end),
            Some((_, end)) => (Value::Damaged, end),
            None => (Value::Damaged, word.len()),
        },
        Some(b'{' | b'[') => match json::first(text) {
            Ok((_, end)) if ends_value(&text[end..]) => (Value::text(&text[..end]), end),
            _ => (Value::Word(word), word.len()),
        },
        // A quote that no logger writes.
        Some(b'\'') if !word[1..].ends_with('\'') => (Value::Damaged, word.len()),
        _ if word == "<nil>" => (Value::Nothing, word.len()),
        _ => (Value::Word(word), word.len()),
    }
}

/// What loggers put between fields. They quote a value that holds any other white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_key(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'_' | b'A'..=b'Z' | b'-'..=b'9' | b'@')
}
