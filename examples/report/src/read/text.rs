//! The one scanner for every text format: words, `key=value`, `key="quoted value"`, `key={"raw":"JSON"}`, and
//! `, key: value` as slog-term and tracing's pretty format write it.
//!
//! All of them write prefixes, a time, a level, a message, and then fields.

use std::borrow::Cow;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger, keys};
use memchr::memmem;
use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::keys::{ALL, group, integer, is_number};
use super::quote::{closing_quote, unquote};
use super::value::{Around, with_error};
use super::{End, time};

/// The end in a line and its block: none if it is about something else.
pub(super) fn read<'a>(
    text: &'a str,
    block: &'a [String],
    outer: Option<&Around<'_>>,
    by: Option<&str>,
) -> Result<Option<End>, String> {
    let mut line = Line::of(text);
    let in_block = multi_line(block);
    let has_block = in_block.is_some();
    line.fields.extend(
        in_block.map(|(key, value)| Field { value: Some(Cow::Owned(value)), ..Field::text(key, "") }),
    );
    let reason = |field: &Field<'a>| group(field.key, keys::DISCONNECT_REASON);
    let mut of = line.fields.iter().filter(|field| !field.in_span).find_map(reason);
    if of.is_none() && text.contains(", ") {
        let colons = Line::with_colons(text);
        of = colons.fields.iter().find_map(reason);
        if of.is_some() {
            line = colons;
        }
    }
    let Some(of) = of else {
        return without_key(&line, has_block);
    };
    let is_plain =
        line.fields.iter().any(|field| field.key.strip_prefix(of) == Some(keys::DISCONNECT_REASON));
    let name = |key: &str| {
        let plain = key.strip_prefix(of).filter(|_| is_plain);
        let is_name = |name: &&&str| plain.map_or_else(|| group(key, name) == Some(of), |key| key == **name);
        ALL.iter().find(is_name).copied()
    };
    let outside = line.fields.iter().filter(|field| !field.in_span);
    let fields: Vec<_> = outside.filter_map(|field| Some((name(field.key)?, field))).collect();
    for (index, (name, field)) in fields.iter().enumerate() {
        if fields[..index].iter().any(|(before, _)| before == name) {
            return Err(format!("{name} stands twice in the line"));
        }
        if field.is_damaged
            || !field.is_quoted && is_cut_or_glued(name, field.value.as_deref().unwrap_or_default())
        {
            return Err(format!("the value of {name} is damaged"));
        }
    }
    let record = fields.into_iter().map(|(name, field)| (name, field.value(name)));
    let disconnect = Disconnect::deserialize(MapDeserializer::new(record))
        .map_err(|error: serde::de::value::Error| error.to_string())?;
    let head = line.head(by == Some("msg"));
    let field = |wanted: &str| {
        let field = line.fields.iter().rfind(|field| field.key == wanted)?;
        field.value.as_deref()
    };
    let own = line.fields.iter().filter_map(|field| {
        let value = field.value.as_deref();
        let value = value.filter(|value| value.starts_with(|c: char| c.is_ascii_digit()))?;
        let time = time::of_text(value)?;
        Some((time::rank(field.key)?, time))
    });
    let own = own.min_by_key(|(rank, _)| *rank).map(|(_, time)| time);
    let time = own.or(head.time).or_else(|| outer?.time());
    let by = by.and_then(|key| {
        let message = || (key == "msg").then(|| head.message.clone()).filter(|text| !text.is_empty());
        field(key).map(str::to_owned).or_else(message).or_else(|| outer?.field(key))
    });
    let error = || field("error").or_else(|| field("err")).map(str::to_owned);
    Ok(Some(End { disconnect: with_error(disconnect, error), time, by }))
}

/// No field is called like the key: it stands in a value, or something is damaged.
fn without_key(line: &Line<'_>, has_block: bool) -> Result<Option<End>, String> {
    let mentions = |text: &str| memmem::find_iter(text.as_bytes(), keys::DISCONNECT_REASON).count();
    let all = mentions(line.text);
    let quoted = line.fields.iter().filter(|field| field.is_quoted && !field.is_damaged);
    let in_values: usize = quoted.map(|field| field.value.as_deref().map_or(0, mentions)).sum();
    let is_whole = line.fields.iter().all(|field| !field.is_damaged);
    if all == in_values && is_whole && (all > 0 || has_block) {
        return Ok(None);
    }
    Err(format!("{} is not followed by a value", keys::DISCONNECT_REASON))
}

/// The value that left its line: `key= first line`, then deeper lines.
fn multi_line(block: &[String]) -> Option<(&str, String)> {
    let (first, rest) = block.split_first()?;
    let (key, first) = first.trim_start().split_once('=')?;
    let mut value = first.trim().to_owned();
    for line in rest {
        value.push('\n');
        value.push_str(line.trim());
    }
    Some((key, value))
}

/// Whether a word of the vocabulary lost its end, or has something behind it that no logger wrote there.
fn is_cut_or_glued(key: &str, value: &str) -> bool {
    fn test<T: Copy>(words: &[T], text: fn(&T) -> &'static str, value: &str) -> bool {
        let words = || words.iter().map(text);
        let is_glued = |rest: &str| {
            rest.starts_with(|c: char| c != '_' && !c.is_ascii_lowercase()) || rest.contains('=')
        };
        !words().any(|word| word == value)
            && words().any(|word| word.starts_with(value) || value.strip_prefix(word).is_some_and(is_glued))
    }
    !value.is_empty()
        && match key {
            keys::DISCONNECT_REASON => test(DisconnectReason::VARIANTS, |word| word.as_str(), value),
            keys::DISCONNECT_INITIATOR | keys::DISCONNECT_PEER => {
                test(Initiator::VARIANTS, |word| word.as_str(), value)
            }
            keys::DISCONNECT_TRIGGER => test(Trigger::VARIANTS, |word| word.as_str(), value),
            keys::CONNECT_TYPE => test(ConnectType::VARIANTS, |word| word.as_str(), value),
            _ => false,
        }
}

/// A field of a line.
pub(super) struct Field<'a> {
    pub(super) key: &'a str,
    pub(super) value: Option<Cow<'a, str>>,
    is_quoted: bool,
    /// Whether a quote was not where a writer puts it.
    is_damaged: bool,
    in_span: bool,
}

impl<'a> Field<'a> {
    fn text(key: &'a str, value: &'a str) -> Self {
        Self { key, value: Some(Cow::Borrowed(value)), is_quoted: false, is_damaged: false, in_span: false }
    }

    fn value(&self, name: &str) -> FieldValue<'_> {
        match self.value.as_deref() {
            None => FieldValue::Nothing,
            Some(text) if is_number(name) => integer(text).map_or(FieldValue::Text(text), FieldValue::Number),
            Some(text) => FieldValue::Text(text),
        }
    }
}

enum FieldValue<'a> {
    Text(&'a str),
    Number(i64),
    Nothing,
}

impl IntoDeserializer<'_> for FieldValue<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for FieldValue<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Text(text) => visitor.visit_str(text),
            Self::Number(number) => visitor.visit_i64(number),
            Self::Nothing => visitor.visit_unit(),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any option
    }
}

/// A line, taken apart.
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    at: usize,
    pub(super) fields: Vec<Field<'a>>,
    /// Where the message starts, as far as is known, and the first field after it.
    pub(super) words: usize,
    pub(super) first_key: Option<usize>,
    /// The first field of a span that is not over.
    span: usize,
}

impl<'a> Line<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, fields: Vec::with_capacity(16), words: 0, first_key: None, span: 0 }
    }

    pub(super) fn of(text: &'a str) -> Self {
        let mut line = Self::new(text);
        while line.field().is_some() {}
        line
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
            line.at = start;
            let mut field = Field::text(key, "");
            if text[start..].starts_with('"') {
                field = line.quoted(key);
                found = next(line.at);
            } else {
                found = next(start);
                let end = found.map_or(text.len(), |(at, _)| at);
                field.value = Some(Cow::Borrowed(&text[start..end]));
            }
            line.fields.push(field);
        }
        line
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Past the next field, or the end.
    fn field(&mut self) -> Option<()> {
        loop {
            let rest = self.rest();
            self.at += rest.bytes().position(|byte| !is_space(byte))?;
            let word = self.rest();
            let bytes = word.as_bytes();
            let length = bytes.iter().position(|byte| !is_key(*byte)).unwrap_or(bytes.len());
            if length > 0 && bytes.get(length) == Some(&b'=') {
                let key = &word[..length];
                if matches!(key, "MESSAGE") {
                    // journald's export: the line is its value.
                    self.at += length + 1;
                    self.words = self.at;
                    continue;
                }
                self.first_key.get_or_insert(self.at);
                self.at += length + 1;
                let field = self.value(key);
                let ends_span = self.rest().starts_with('}')
                    || !field.is_quoted && field.value.as_deref().is_some_and(|value| value.ends_with("}:"));
                self.fields.push(field);
                if ends_span {
                    self.end_span();
                }
                return Some(());
            }
            // A word of the message, or the name of a span before its fields.
            let end = bytes.iter().position(|byte| is_space(*byte) || *byte == b'{');
            self.at += match end {
                Some(end) => end + usize::from(bytes[end] == b'{'),
                None => word.len(),
            };
            if end.is_some_and(|end| bytes[end] == b'{') {
                self.span = self.fields.len();
            }
            if bytes[0] == b'}' {
                self.end_span();
            }
        }
    }

    /// The fields so far were those of a span; the message comes after them.
    fn end_span(&mut self) {
        self.fields[self.span..].iter_mut().for_each(|field| field.in_span = true);
        self.span = self.fields.len();
        self.words = self.at;
        self.first_key = None;
    }

    /// Past a value that starts here; what follows must be where a writer leaves off.
    fn value(&mut self, key: &'a str) -> Field<'a> {
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
                    return Field { is_quoted: true, ..Field::text(key, &rest[..end]) };
                }
                self.bare(key)
            }
            _ => self.bare(key),
        }
    }

    fn bare(&mut self, key: &'a str) -> Field<'a> {
        let rest = self.rest();
        let end = rest.bytes().position(is_space).unwrap_or(rest.len());
        self.at += end;
        let value = &rest[..end];
        Field {
            value: (value != "<nil>").then_some(Cow::Borrowed(value)),
            is_damaged: value.contains(['"', '\\']),
            ..Field::text(key, "")
        }
    }

    fn quoted(&mut self, key: &'a str) -> Field<'a> {
        let rest = self.rest();
        let Some(end) = closing_quote(rest.as_bytes()) else {
            return Field { is_damaged: true, ..self.bare(key) };
        };
        let after = end + 1;
        self.at += after;
        Field {
            value: Some(unquote(&rest[1..end])),
            is_quoted: true,
            is_damaged: !ends_value(&rest[after..]),
            ..Field::text(key, "")
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
    let next = rest.chars().next();
    next.is_none_or(|c| c.is_whitespace() || matches!(c, '}' | ',' | ']'))
}
