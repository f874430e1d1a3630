//! The one scanner for every text format: words, `key=value`, `key="quoted value"`, `key={"raw":"JSON"}`.
//!
//! It reads the Go agents' human format, the text of Go's log/slog and of tracing-subscriber (full and
//! compact), since all of them write a time, words, and then fields.

use std::borrow::Cow;

use disconnect_attribution::{Disconnect, keys};
use memchr::memmem;
use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::json::{self, Json};
use super::quote::{closing_quote, unquote};
use super::{End, time};

/// The end in a line and its block: none where it is about something else.
pub(crate) fn read(
    text: &str,
    block: &[Cow<'_, str>],
    by_message: bool,
) -> Result<Option<End>, String> {
    let (start, rest) = match time::leading(text) {
        Some((time, rest)) => (Some(time), rest),
        None => (None, text),
    };
    let mut scanner = Scanner::new(rest);
    let mut fields: Vec<(&str, Value<'_>)> = Vec::with_capacity(16);
    fields.extend(&mut scanner);
    let in_block = multi_line(rest, block);
    if let Some((key, value)) = &in_block {
        fields.push((key, Value::Text(Cow::Borrowed(value))));
    }

    let is_reason = |(key, _): &&(&str, Value<'_>)| {
        let group = key.strip_suffix(keys::DISCONNECT_REASON);
        group.is_some_and(|group| group.is_empty() || group.ends_with('.'))
    };
    let Some((reason, _)) = fields.iter().rfind(is_reason) else {
        return without_key(rest, in_block.is_some());
    };
    let group = &reason[..reason.len() - keys::DISCONNECT_REASON.len()];
    let field = |name: &str| {
        let found = fields.iter().rfind(|(key, _)| *key == name);
        found.and_then(|(_, value)| value.text())
    };
    let time = start.or_else(|| {
        ["time", "ts", "timestamp"]
            .into_iter()
            .find_map(|key| time::parse(field(key)?))
    });
    let message = if by_message {
        let words = || message(&rest[scanner.words..scanner.first_key.unwrap_or(scanner.words)]);
        Some(field("msg").map_or_else(words, str::to_owned))
    } else {
        None
    };
    let record = fields
        .into_iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(group)?, value)));
    let disconnect = Disconnect::deserialize(MapDeserializer::new(record))
        .map_err(|error: serde::de::value::Error| error.to_string())?;
    Ok(Some(End {
        disconnect,
        time,
        message,
    }))
}

/// No field is called like the key: it stands in a value, or something is damaged.
fn without_key(text: &str, has_block: bool) -> Result<Option<End>, String> {
    let mut scanner = Scanner::new(text);
    scanner.notes_mentions = true;
    (&mut scanner).for_each(drop);
    let mut records = scanner
        .raw
        .iter()
        .filter_map(|raw| match json::read(raw, false) {
            Json::End(end) => Some(end),
            _ => None,
        });
    if let Some(end) = records.next_back() {
        return Ok(Some(end));
    }
    let mentions = memmem::find_iter(text.as_bytes(), keys::DISCONNECT_REASON).count();
    if (mentions == scanner.quoted_mentions && !scanner.malformed) && (mentions > 0 || has_block) {
        return Ok(None);
    }
    Err(format!(
        "{} is not followed by a value",
        keys::DISCONNECT_REASON
    ))
}

/// The value that left its line: `key= first line`, then deeper lines.
fn multi_line<'a>(header: &str, block: &'a [Cow<'_, str>]) -> Option<(&'a str, String)> {
    if !header.trim_end().ends_with("...") {
        return None;
    }
    let (first, rest) = block.split_first()?;
    let (key, first) = first.trim_start().split_once('=')?;
    let mut value = first.trim().to_owned();
    for line in rest {
        value.push('\n');
        value.push_str(line.trim());
    }
    Some((key, value))
}

/// The message in what stands before the first field: without level, and without the names of loggers,
/// targets and spans, which end in a colon.
fn message(words: &str) -> String {
    let mut words = words.trim();
    while let Some((word, rest)) = words.split_once(' ') {
        let is_level =
            word.starts_with('[') || matches!(word, "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR");
        if !is_level && !word.ends_with(':') {
            break;
        }
        words = rest.trim_start();
    }
    words.trim_matches('"').to_owned()
}

enum Value<'a> {
    Text(Cow<'a, str>),
    Signed(i64),
    Unsigned(u64),
    Nothing,
}

impl<'a> Value<'a> {
    /// A value without quotes. The record's own keys are texts, whatever they look like.
    fn bare(key: &str, text: &'a str) -> Self {
        if text == "<nil>" {
            return Self::Nothing;
        }
        if !key.contains("disconnect_")
            && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        {
            if let Ok(number) = text.parse() {
                return Self::Unsigned(number);
            }
            if let Ok(number) = text.parse() {
                return Self::Signed(number);
            }
        }
        Self::Text(Cow::Borrowed(text))
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Signed(_) | Self::Unsigned(_) | Self::Nothing => None,
        }
    }
}

impl<'de> IntoDeserializer<'de> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Self::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Self::Signed(number) => visitor.visit_i64(number),
            Self::Unsigned(number) => visitor.visit_u64(number),
            Self::Nothing => visitor.visit_unit(),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Nothing => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Walks over the fields of a line.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Where the message starts, as far as is known, and the first field after it.
    words: usize,
    first_key: Option<usize>,
    /// Whether it matters where else the key stands.
    notes_mentions: bool,
    /// Values that are raw JSON and hold the key.
    raw: Vec<&'a str>,
    /// How often the key stands in a whole value, where it is no key.
    quoted_mentions: usize,
    /// Whether a quote was not where a writer puts it.
    malformed: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            words: 0,
            first_key: None,
            raw: Vec::new(),
            notes_mentions: false,
            quoted_mentions: 0,
            malformed: false,
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Past a value that starts here; what follows must be where a writer leaves off.
    fn value(&mut self, key: &str) -> Value<'a> {
        let rest = self.rest();
        match rest.as_bytes().first() {
            Some(b'"') => self.quoted(key),
            Some(b'{' | b'[') => {
                let mut values =
                    serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
                let is_value = matches!(values.next(), Some(Ok(_)));
                let end = values.byte_offset();
                if is_value && ends_value(&rest[end..]) {
                    self.at += end;
                    self.mention(&rest[..end]);
                    return Value::Text(Cow::Borrowed(&rest[..end]));
                }
                self.bare(key)
            }
            _ => self.bare(key),
        }
    }

    fn mention(&mut self, value: &'a str) {
        if !self.notes_mentions {
            return;
        }
        let mentions = memmem::find_iter(value.as_bytes(), keys::DISCONNECT_REASON).count();
        if mentions > 0 {
            self.quoted_mentions += mentions;
            if value.starts_with('{') {
                self.raw.push(value);
            }
        }
    }

    fn bare(&mut self, key: &str) -> Value<'a> {
        let rest = self.rest();
        let end = rest.bytes().position(is_space).unwrap_or(rest.len());
        self.at += end;
        if rest[..end].ends_with("}:") {
            self.end_span();
        }
        Value::bare(key, &rest[..end])
    }

    /// The fields so far were those of a span; the message comes after them.
    fn end_span(&mut self) {
        self.words = self.at;
        self.first_key = None;
    }

    fn quoted(&mut self, key: &str) -> Value<'a> {
        let rest = self.rest();
        let Some(end) = closing_quote(rest.as_bytes()) else {
            self.malformed = true;
            return self.bare(key);
        };
        let after = end + 1;
        if !ends_value(&rest[after..]) {
            self.malformed = true;
        }
        self.at += after;
        self.mention(&rest[..after]);
        Value::Text(unquote(&rest[1..end]))
    }
}

impl<'a> Iterator for &mut Scanner<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest();
            let word = rest.bytes().position(|byte| !is_space(byte))?;
            self.at += word;
            let word = &rest[word..];
            let bytes = word.as_bytes();
            let length = bytes
                .iter()
                .position(|byte| !is_key(*byte))
                .unwrap_or(bytes.len());
            if length > 0 && bytes.get(length) == Some(&b'=') {
                let key = &word[..length];
                self.first_key.get_or_insert(self.at);
                self.at += length + 1;
                return Some((key, self.value(key)));
            }
            // A word of the message, or the name of a span before its fields.
            let end = bytes
                .iter()
                .position(|byte| is_space(*byte) || *byte == b'{');
            self.at += match end {
                Some(end) => end + usize::from(bytes[end] == b'{'),
                None => word.len(),
            };
            if bytes[0] == b'}' {
                self.end_span();
            }
        }
    }
}

/// What loggers put between fields. They quote a value that holds any other white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'@')
}

fn ends_value(rest: &str) -> bool {
    rest.chars()
        .next()
        .is_none_or(|c| c.is_whitespace() || c == '}')
}
