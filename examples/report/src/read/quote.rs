//! Quoted values as Go's `strconv.Quote` and Rust's `Debug` write them.

use std::borrow::Cow;

/// Where a literal that starts with a quote ends.
pub(super) fn closing_quote(literal: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', literal.get(at..)?)?;
        if literal[found] == b'"' {
            return Some(found);
        }
        at = found + 2;
    }
}

/// Reads the escapes of Go's `strconv.Quote` and of Rust's `Debug`; keeps what is neither.
pub(super) fn unquote(literal: &str) -> Cow<'_, str> {
    if !literal.contains('\\') {
        return Cow::Borrowed(literal);
    }
    let mut bytes = Vec::with_capacity(literal.len());
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        rest = escape(after, &mut bytes);
    }
    bytes.extend_from_slice(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes what the escape after a backslash stands for, and gives back what follows it.
fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> &'a str {
    let Some(c) = text.chars().next() else {
        return text;
    };
    let rest = &text[c.len_utf8()..];
    let simple = match c {
        'n' => b'\n',
        't' => b'\t',
        'r' => b'\r',
        '0' => 0,
        'a' => 7,
        'b' => 8,
        'v' => 11,
        'f' => 12,
        '"' | '\'' | '\\' => text.as_bytes()[0],
        'x' | 'u' | 'U' => return hexadecimal(c, rest, bytes),
        _ => {
            bytes.push(b'\\');
            return text;
        }
    };
    bytes.push(simple);
    rest
}

/// `xNN` is a byte in Go; `uNNNN`, `UNNNNNNNN` and Rust's `u{N}` are characters.
fn hexadecimal<'a>(kind: char, text: &'a str, bytes: &mut Vec<u8>) -> &'a str {
    let digits = match kind {
        'x' => text.get(..2).map(|digits| (digits, &text[2..])),
        'u' if text.starts_with('{') => text[1..].split_once('}'),
        'u' => text.get(..4).map(|digits| (digits, &text[4..])),
        _ => text.get(..8).map(|digits| (digits, &text[8..])),
    };
    let Some((number, rest)) =
        digits.and_then(|(digits, rest)| Some((u32::from_str_radix(digits, 16).ok()?, rest)))
    else {
        bytes.extend([b'\\', kind as u8]);
        return text;
    };
    match u8::try_from(number) {
        Ok(byte) if kind == 'x' => bytes.push(byte),
        _ => {
            let c = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    rest
}
