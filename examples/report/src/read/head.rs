//! What stands before the fields of a line: prefixes, a time, a level, a message.

use jiff::Timestamp;
use serde_json::json;

use super::text::Line;
use super::time;

/// What stands before the fields of a line.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) time: Option<Timestamp>,
    pub(super) message: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// The head of a line that goes on as JSON.
    pub(super) fn of(text: &str) -> Self {
        let line = Line::of(text);
        let fields = line
            .fields
            .iter()
            .filter_map(|field| Some((field.key.to_owned(), field.value.as_deref()?.to_owned())));
        let fields = fields.collect();
        Self { fields, ..line.head(true) }
    }

    /// As what stands around the JSON.
    pub(super) fn into_value(self) -> serde_json::Value {
        let mut value = json!({"time": self.time, "msg": self.message});
        for (key, text) in self.fields {
            value[key] = text.into();
        }
        value
    }
}

impl Line<'_> {
    /// What stands before the fields. The last time before the level is the line's own, whatever wrapped it.
    pub(super) fn head(&self, with_message: bool) -> Head {
        let end = self.first_key.unwrap_or(self.text.len());
        let level = level(&self.text[..end]);
        let before = level.as_ref().map_or(end, |level| level.start);
        let (mut at, mut time) = (0, None);
        while let Some((range, found)) = time::first(&self.text[at..end]) {
            if time.is_some() && (level.is_none() || at + range.start > before) {
                break;
            }
            time = found.or(time);
            at += range.end;
        }
        let unix = || {
            let (count, _) = self.text.trim_start().split_once(' ')?;
            let digits = count.split_once('.')?.0.len();
            (digits == 10).then(|| time::of_text(count)).flatten()
        };
        let words = level.map_or(at, |level| level.end).max(self.words).min(end);
        let message = if with_message { message(&self.text[words..end]) } else { String::new() };
        Head { time: time.or_else(unix), message, fields: Vec::new() }
    }
}

/// The words that loggers write as a level.
const LEVELS: [&str; 15] = [
    "trace", "debug", "info", "warn", "warning", "error", "notice", "debg", "trce", "erro", "crit",
    "critical", "fatal", "inf", "wrn",
];

/// Where the level stands in what is before the fields: in brackets or capitals, or else between tabs.
fn level(words: &str) -> Option<std::ops::Range<usize>> {
    let (mut at, mut between_tabs) = (0, None);
    for word in words.split([' ', '\t']) {
        let range = at..at + word.len();
        let bare = word.trim_matches(['[', ']', ':', '|']);
        let is_bracketed = word.starts_with('[') && word.ends_with(']') && (1..=5).contains(&bare.len());
        let is_upper = bare.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_level = || LEVELS.iter().any(|level| level.eq_ignore_ascii_case(bare));
        if is_bracketed || is_upper && is_level() {
            return Some(range);
        }
        let is_column = words[..at].ends_with('\t') && words[range.end..].starts_with('\t');
        if is_column && is_level() {
            between_tabs = Some(range.clone());
        }
        at = range.end + 1;
    }
    between_tabs
}

/// The message in what stands between level and fields: without the names of loggers, targets and spans, which
/// end in a colon or a bracket, and without what else stands before a last tab.
fn message(words: &str) -> String {
    let mut words = words.trim();
    words = words.rsplit('\t').next().unwrap_or_default();
    words = words.rsplit("]: ").next().unwrap_or_default().trim_start_matches("- ");
    while let Some((word, rest)) = words.split_once(' ') {
        if !word.ends_with([':', ']']) {
            break;
        }
        words = rest.trim_start();
    }
    words.trim_matches('"').to_owned()
}
