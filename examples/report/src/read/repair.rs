//! JSON whose texts hold what JSON must not.

use std::fmt::Write;

/// Replaces in texts what serde_json refuses: half of a surrogate pair, or a raw control character.
pub(crate) fn repair(line: &str) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let (mut changed, mut in_text) = (false, false);
    let mut rest = line;
    while let Some(found) = rest.find(|c: char| matches!(c, '"' | '\\') || c.is_ascii_control()) {
        text.push_str(&rest[..found]);
        rest = &rest[found..];
        let (instead, length) = match rest.as_bytes()[0] {
            b'\\' => escape_unit(&rest[1..]),
            b'"' => {
                in_text = !in_text;
                ("", 1)
            }
            control if in_text => {
                let _ = write!(text, "\\u{control:04x}");
                rest = &rest[1..];
                changed = true;
                continue;
            }
            _ => ("", 1),
        };
        changed |= !instead.is_empty();
        let (kept, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        text.push_str(if instead.is_empty() { kept } else { instead });
        rest = after;
    }
    text.push_str(rest);
    changed.then_some(text)
}

const REPLACEMENT: &str = "\u{fffd}";

/// What takes the place of an escape (nothing: it stays), and how long it is with its backslash.
fn escape_unit(escaped: &str) -> (&'static str, usize) {
    let surrogate = |text: &str| {
        let digits = text.strip_prefix('u')?.get(..4)?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        (0xd800..0xe000).contains(&number).then_some(number)
    };
    match surrogate(escaped) {
        None => ("", 1 + escaped.chars().next().map_or(0, char::len_utf8)),
        Some(0xd800..0xdc00) => {
            let low = escaped.get(5..).and_then(|rest| surrogate(rest.strip_prefix('\\')?));
            match low {
                Some(0xdc00..) => ("", 12),
                _ => (REPLACEMENT, 6),
            }
        }
        Some(_) => (REPLACEMENT, 6),
    }
}
