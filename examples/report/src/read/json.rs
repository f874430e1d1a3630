//! JSON as loggers write it, and as it is when it was damaged: raw control characters and halves of surrogate pairs,
//! which serde_json refuses, lose no record. What can be is borrowed.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::quote::quoted;
use super::value::Value;

/// No value stands in more lists and maps.
const DEEPEST: u8 = 127;

/// The value at the start of a text, and where it ends.
pub(super) fn first(text: &str) -> Result<(Value<'_>, usize), String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0);
    value.map(|value| (value, parser.at)).ok_or_else(|| format!("no JSON from its byte {} on", parser.at))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let next = *self.text.as_bytes().get(self.at)?;
            if !next.is_ascii_whitespace() {
                return Some(next);
            }
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: u8) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Value::Text),
            b'{' if depth < DEEPEST => {
                let mut map = Vec::with_capacity(24);
                self.items(b'}', |parser| {
                    let key = parser.string()?;
                    let value = parser.take(b':').then(|| parser.value(depth + 1))??;
                    map.push((key, value));
                    Some(())
                })?;
                Some(Value::Map(map))
            }
            b'[' if depth < DEEPEST => {
                let mut list = Vec::new();
                self.items(b']', |parser| parser.value(depth + 1).map(|item| list.push(item)))?;
                Some(Value::List(list))
            }
            _ => self.word(),
        }
    }

    fn items(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        if self.take(end) {
            return Some(());
        }
        loop {
            item(self)?;
            let next = self.peek()?;
            self.at += 1;
            if next != b',' {
                return (next == end).then_some(());
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.peek().filter(|first| *first == b'"')?;
        let rest = &self.text[self.at + 1..];
        let end = memchr2(b'"', b'\\', rest.as_bytes())?;
        if rest.as_bytes()[end] == b'"' {
            self.at += end + 2;
            return Some(Cow::Borrowed(&rest[..end]));
        }
        let (text, length) = quoted(&self.text[self.at..])?;
        if !has_escapes_of_json(&rest[..length - 2]) {
            return None;
        }
        self.at += length;
        Some(text)
    }

    fn word(&mut self) -> Option<Value<'a>> {
        let rest = &self.text[self.at..];
        let is_end = |byte: u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
        let word = &rest[..rest.bytes().position(is_end).unwrap_or(rest.len())];
        let value = match word.as_bytes() {
            b"null" => Value::Nothing,
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            // Rust knows more words for numbers.
            [b'-' | b'0'..=b'9', rest @ ..] if !rest.contains(&b'n') => {
                let integer = word.parse().map(Value::Integer);
                integer.or_else(|_| word.parse().map(Value::Fraction)).ok()?
            }
            _ => return None,
        };
        self.at += word.len();
        Some(value)
    }
}

/// Whether all escapes are JSON's: others are damage.
fn has_escapes_of_json(literal: &str) -> bool {
    let mut rest = literal.as_bytes();
    while let Some(at) = memchr(b'\\', rest) {
        let length = match &rest[at + 1..] {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 1,
            [b'u', digits @ ..]
                if digits.iter().take(4).filter(|digit| digit.is_ascii_hexdigit()).count() == 4 =>
            {
                5
            }
            _ => return false,
        };
        rest = &rest[at + 1 + length..];
    }
    true
}
