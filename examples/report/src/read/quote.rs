//! Quoted values as Go's `strconv.Quote` and Rust's `Debug` write them.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// The text in quotes at the start of a text, and where what follows it starts.
pub(super) fn quoted(text: &str) -> Option<(Cow<'_, str>, usize)> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        let end = at + memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[end] == b'"' {
            let inner = &text[1..end];
            return Some((
                if at == 1 { Cow::Borrowed(inner) } else { Cow::Owned(unescaped(inner)) },
                end + 1,
            ));
        }
        at = end + 2;
    }
}

/// Reads the escapes of JSON, of Go's `strconv.Quote` and of Rust's `Debug`; keeps what is none.
pub(super) fn unescaped(literal: &str) -> String {
    let mut bytes = Vec::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = escape(&rest[at + 1..], &mut bytes);
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Writes what the escape after a backslash stands for, and gives back what follows it.
fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> &'a str {
    let simple = match text.bytes().next() {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'0') => 0,
        Some(b'a') => 7,
        Some(b'b') => 8,
        Some(b'v') => 11,
        Some(b'f') => 12,
        Some(c @ (b'"' | b'\'' | b'\\' | b'/')) => c,
        _ => {
            return hexadecimal(text, bytes).unwrap_or_else(|| {
                bytes.push(b'\\');
                text
            });
        }
    };
    bytes.push(simple);
    &text[1..]
}

/// `xNN` is a byte in Go; `uNNNN`, of which JSON writes two for some, `UNNNNNNNN` and Rust's `u{N}` are characters.
fn hexadecimal<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let number = |digits: &str| u32::from_str_radix(digits, 16).ok();
    let (digits, rest) = match text.as_bytes() {
        [b'x', ..] => text[1..].split_at_checked(2)?,
        [b'u', b'{', ..] => text[2..].split_once('}')?,
        [b'u', ..] => text[1..].split_at_checked(4)?,
        [b'U', ..] => text[1..].split_at_checked(8)?,
        _ => return None,
    };
    let mut code = number(digits)?;
    if text.starts_with('x') {
        bytes.extend(u8::try_from(code));
        return Some(rest);
    }
    let low = rest.strip_prefix("\\u").and_then(|low| number(low.get(..4)?));
    let mut rest = rest;
    if let (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) = (code, low) {
        code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        rest = &rest[6..];
    }
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}
