//! The keys of a record, however a logger or a collector spells them.

use aho_corasick::packed::Searcher;
use disconnect_attribution::keys;

macro_rules! keys_of_a_record {
    ($($key:ident)*) => {
        /// Every key of a record, `disconnect_expected` left out: it follows from the reason.
        pub(super) const ALL: [&str; 15] = [$(keys::$key),*];

        /// The key that is spelled as loggers do.
        pub(super) fn exactly(written: &str) -> Option<&'static str> {
            match written {
                $(keys::$key => Some(keys::$key),)*
                _ => None,
            }
        }
    };
}
keys_of_a_record!(
    CONNECT_TYPE DISCONNECT_REASON DISCONNECT_INITIATOR DISCONNECT_TRIGGER DISCONNECT_PEER DISCONNECT_CODE
    DISCONNECT_DETAIL DISCONNECT_ORIGIN EXIT_CODE CONNECTION_METHOD CONNECTION_DURATION_MS PEER_SILENCE_MS
    BYTES_RECEIVED BYTES_SENT CLOCK_JUMP_MS
);

/// What to look for, where the three bytes of it are that are searched for, since they are rare, and what it is.
const PATTERNS: [(&[u8], usize, Hit); 11] = [
    (b"disconnect_reason", 9, Hit::Key),
    (b"DISCONNECT_REASON", 9, Hit::Key),
    // With a small or a capital letter.
    (b"isconnectReason", 8, Hit::Key),
    (b"disconnectreason", 9, Hit::Key),
    (b"disconnect-reason", 9, Hit::Key),
    // journald writes a text with colours as the numbers of its bytes, each version in its way.
    (b"100,105,115,99,111,110,110,101,99,116,95,114,101,97,115,111,110", 41, Hit::Key),
    (b"100, 105, 115, 99, 111, 110, 110, 101, 99, 116, 95, 114, 101, 97, 115", 52, Hit::Key),
    (b"100,\n\t\t105,\n\t\t115,\n\t\t99,\n\t\t111,\n\t\t110,\n\t\t110,\n\t\t101,\n\t\t99,\n\t\t116,\n\t\t95,\n\t\t114", 74, Hit::Key),
    (b"d\0i\0s\0c\0o\0n\0n\0e\0c\0t\0_\0r\0e\0a\0s\0o\0n", 20, Hit::Utf16),
    (b"\"MESSAGE\":null", 6, Hit::NoMessage),
    (b"\"MESSAGE\" : null", 6, Hit::NoMessage),
];

/// What is found in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hit {
    Key,
    /// The key in UTF-16, of whichever order.
    Utf16,
    /// journald left the message of a line out.
    NoMessage,
}

/// Finds the key of the reason in all its spellings, in one pass.
pub(super) struct Finder(Searcher);

impl Finder {
    pub(super) fn new() -> Self {
        let needles = PATTERNS.map(|(pattern, at, _)| &pattern[at..at + 3]);
        Self(Searcher::new(needles).expect("a few short patterns"))
    }

    /// The first at an offset or later.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, Hit)> {
        let mut at = from;
        loop {
            let found = self.0.find_in(bytes, (at..bytes.len()).into())?;
            at = found.start() + 1;
            let of_needle = |(pattern, offset, hit): &(&[u8], usize, Hit)| {
                let start = found.start().checked_sub(*offset).filter(|start| *start >= from)?;
                bytes[start..].starts_with(pattern).then_some((start, *hit))
            };
            if let Some(found) = PATTERNS.iter().find_map(of_needle) {
                return Some(found);
            }
        }
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        matches!(self.next(text.as_bytes(), 0), Some((_, Hit::Key)))
    }
}

/// What stands before a key in one of a line: `conn.` in `conn.disconnect_reason`, `F_` in `F_DISCONNECT_REASON`,
/// nothing in `disconnectReason`, and in `disconnect_reason_s`, as Azure writes the key of a text.
pub(super) fn group<'a>(written: &'a str, key: &str) -> Option<&'a str> {
    if written == key {
        return Some("");
    }
    // Most keys are too short, and no name has more than two underscores.
    if written.len() + 2 < key.len() {
        return None;
    }
    let bytes = written.as_bytes();
    let mut at = match bytes {
        [rest @ .., b'_', b'b' | b'd' | b's'] => rest.len(),
        _ => bytes.len(),
    };
    for byte in key.bytes().rev().filter(|byte| *byte != b'_') {
        while at > 0 && matches!(bytes[at - 1], b'_' | b'-' | b'.' | b' ') {
            at -= 1;
        }
        if at == 0 || !bytes[at - 1].eq_ignore_ascii_case(&byte) {
            return None;
        }
        at -= 1;
    }
    let (group, key) = written.split_at_checked(at)?;
    let last = group.as_bytes().last();
    let starts_word = last.is_none_or(|last| {
        !last.is_ascii_alphanumeric()
            || last.is_ascii_lowercase() && key.starts_with(|c: char| c.is_ascii_uppercase())
    });
    starts_word.then_some(group)
}

/// A key in small letters and without what separates its words.
pub(super) fn squashed(key: &str) -> String {
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether the value of a key is a number, which collectors write as a text or a fraction.
pub(super) fn is_number(key: &str) -> bool {
    key.ends_with("_ms") || key == keys::EXIT_CODE || key.starts_with("bytes_")
}

/// Whether the key of the layer is in a line, however it is spelled.
pub(super) fn has_layer(line: &str) -> bool {
    line.contains(keys::CONNECT_TYPE) || squashed(line).contains(&squashed(keys::CONNECT_TYPE))
}

/// A number as a text, perhaps with a fraction of nothing or an exponent.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.contains(['e', 'E']) {
        return integer(&text.parse::<f64>().ok()?.to_string());
    }
    let whole = text.split_once('.').map_or(text, |(whole, fraction)| {
        if fraction.bytes().all(|byte| byte == b'0') { whole } else { text }
    });
    whole.parse().ok()
}
