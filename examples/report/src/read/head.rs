//! What stands before the fields of a line: prefixes, a time, a level, a message.

use std::ops::Range;

use memchr::memchr2_iter;

use super::text::Line;
use super::time;
use super::value::{Map, Value};

impl<'a> Line<'a> {
    /// What stands before the fields, with those of spans. The last time before the level is the line's own, whatever
    /// wrapped it.
    pub(super) fn head(&self, with_message: bool) -> Map<'a> {
        let end = self.first_key.unwrap_or(self.text.len());
        let text = &self.text[..end];
        let level = own_level(text);
        let before = level.as_ref().map_or(end, |level| level.start);
        let (mut at, mut time) = (0, None);
        while let Some((range, found)) = time::first(&text[at..]) {
            if time.is_some() && (level.is_none() || at + range.start > before) {
                break;
            }
            time = found.or(time);
            at += range.end;
        }
        let count = || text.split([' ', '[', ',']).find_map(time::count);
        let mut map = self.spans.clone();
        map.extend(time.or_else(count).map(|time| ("ts".into(), Value::Time(time))));
        if with_message {
            let words = level.map_or(at, |level| level.end).max(self.words).min(end);
            map.push(("msg".into(), Value::text(message(&text[words..]))));
        }
        map
    }

    /// All that stands before what is no field.
    pub(super) fn into_value(mut self) -> Value<'a> {
        let head = self.head(true);
        self.fields.extend(head);
        Value::Map(self.fields)
    }
}

/// The words that loggers write as a level.
const LEVELS: [&str; 21] = [
    "trace", "debug", "info", "warn", "warning", "error", "notice", "debg", "trce", "erro", "crit",
    "critical", "fatal", "inf", "wrn", "err", "dbg", "trc", "ftl", "debu", "fata",
];

/// Where the line's own level stands. What wraps the line may have one, too; the line's follows a time then.
fn own_level(words: &str) -> Option<Range<usize>> {
    let mut own = level(words, 0)?;
    while let Some((time, _)) = time::first(&words[own.end..]) {
        let start = own.end + time.end;
        let next = level(words, start).filter(|next| words[start..next.start].trim().is_empty());
        let Some(next) = next else { break };
        own = next;
    }
    Some(own)
}

/// Where a level stands in what is before the fields, at an offset or later: in brackets or capitals, or else between
/// tabs.
fn level(words: &str, from: usize) -> Option<Range<usize>> {
    let (mut at, mut between_tabs) = (from, None);
    let spaces = memchr2_iter(b' ', b'\t', &words.as_bytes()[from..]).map(|space| from + space);
    for end in spaces.chain([words.len()]) {
        let (range, word) = (at..end, &words[at..end]);
        let is_column = words[..at].ends_with('\t') && words[range.end..].starts_with('\t');
        at = range.end + 1;
        if !is_column && !word.starts_with(|c: char| c.is_ascii_uppercase() || matches!(c, '[' | '|')) {
            continue;
        }
        let bare = word.trim_matches(['[', ']', ':', '|']);
        let is_bracketed = word.starts_with('[') && word.ends_with(']') && (1..=5).contains(&bare.len());
        let is_upper = bare.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_level = || LEVELS.iter().any(|level| level.eq_ignore_ascii_case(bare));
        if is_bracketed || is_upper && is_level() {
            return Some(range);
        }
        if is_column && is_level() {
            between_tabs = Some(range);
        }
    }
    between_tabs
}

/// The message in what stands between level and fields: without the names of loggers, targets and spans, which
/// end in a colon or a bracket, and without what else stands before a last tab.
fn message(words: &str) -> &str {
    let mut words = words.trim();
    words = words.rsplit('\t').next().unwrap_or_default();
    words = words.rsplit("]: ").next().unwrap_or_default().trim_start_matches("- ");
    while let Some((word, rest)) = words.split_once(' ') {
        if !word.ends_with([':', ']']) {
            break;
        }
        words = rest.trim_start();
    }
    words.trim_end_matches(':').trim_matches('"')
}
