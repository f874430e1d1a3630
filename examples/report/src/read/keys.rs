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
const PATTERNS: [(&str, usize, Hit); 10] = [
    ("disconnect_reason", 9, Hit::Key),
    ("DISCONNECT_REASON", 9, Hit::Key),
    // With a small or a capital letter.
    ("isconnectReason", 8, Hit::Key),
    ("disconnectreason", 9, Hit::Key),
    ("disconnect-reason", 9, Hit::Key),
    // As Markdown has it.
    (r"disconnect\_reason", 10, Hit::Key),
    ("d\0i\0s\0c\0o\0n\0n\0e\0c\0t\0_\0r\0e\0a\0s\0o\0n", 20, Hit::Utf16),
    ("\"MESSAGE\":null", 6, Hit::NoMessage),
    ("\"MESSAGE\": null", 6, Hit::NoMessage),
    ("\"MESSAGE\" : null", 6, Hit::NoMessage),
];

/// journald writes a text with colours as the numbers of its bytes. What stands between them differs: now, in older
/// ones, in its pretty form, and in jq's.
const BETWEEN_BYTES: [&str; 4] = [",", ", ", ",\n\t\t", ",\n    "];

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
pub(super) struct Finder {
    searcher: Searcher,
    patterns: Vec<(String, usize, Hit)>,
}

impl Finder {
    pub(super) fn new() -> Self {
        let bytes: Vec<_> = keys::DISCONNECT_REASON.bytes().map(|byte| byte.to_string()).collect();
        let of_bytes = BETWEEN_BYTES.map(|between| {
            let pattern = bytes.join(between);
            let rare = pattern.find("114").unwrap_or_default();
            (pattern, rare, Hit::Key)
        });
        let patterns = PATTERNS.map(|(pattern, rare, hit)| (pattern.to_owned(), rare, hit));
        let patterns: Vec<_> = patterns.into_iter().chain(of_bytes).collect();
        let needles = patterns.iter().map(|(pattern, rare, _)| &pattern.as_bytes()[*rare..rare + 3]);
        Self { searcher: Searcher::new(needles).expect("a few short patterns"), patterns }
    }

    /// The first at an offset or later.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, Hit)> {
        let mut at = from;
        loop {
            let found = self.searcher.find_in(bytes, (at..bytes.len()).into())?;
            at = found.start() + 1;
            let of_needle = |(pattern, rare, hit): &(String, usize, Hit)| {
                let start = found.start().checked_sub(*rare).filter(|start| *start >= from)?;
                bytes[start..].starts_with(pattern.as_bytes()).then_some((start, *hit))
            };
            if let Some(found) = self.patterns.iter().find_map(of_needle) {
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
