//! Free text that can neither forge a line nor flood it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write};

use crate::error::sources;

/// The longest text, in bytes: what fits a log line beside the other fields.
const MAX_LEN: usize = 256;

/// The most that is taken of a value that prints itself, which may never come to an end.
const MAX_PRINTED: usize = 4096;

/// Ends a text that was cut.
const CUT_MARK: char = '…';

/// How many combining marks one character may carry.
const MAX_MARKS: usize = 8;

/// One line of text, at most [`MAX_LEN`] bytes, in which every character can be seen.
///
/// A text that goes in again (a log line that is read back) comes out unchanged, which is why the
/// backslash itself is not escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Escaped(Cow<'static, str>);

impl Escaped {
    /// The text without the white space around it; `None` if nothing is left.
    pub(crate) fn new(text: Cow<'static, str>) -> Option<Self> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return None;
        }
        let stays = trimmed.len() == text.len() && text.len() <= MAX_LEN && is_clean(&text);
        Some(Self(match text {
            Cow::Borrowed(text) if stays => text.into(),
            // A text that fits may still hold more memory than it shows.
            Cow::Owned(text) if stays && text.capacity() <= MAX_LEN => text.into(),
            text => escape(text.trim(), false).into(),
        }))
    }

    /// The text with the white space around it, as an error shows it.
    pub(crate) fn copy(text: &str) -> Self {
        Self(escape(text, false).into())
    }

    pub(crate) fn from_display(value: &dyn fmt::Display) -> Option<Self> {
        Printed::of(value).escaped()
    }

    /// The text of an error and of each source that adds something.
    pub(crate) fn from_error(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut joined = Printed::default();
        for error in sources(error) {
            let part = Printed::of(&error);
            let part = part.text.trim();
            if !joined.text.contains(part) {
                let separator = if joined.text.is_empty() { "" } else { ": " };
                let _ = write!(joined, "{separator}{part}"); // an error means that it is full
            }
        }
        joined.escaped()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text that a value prints, as it is, and as far as it is taken.
pub(crate) fn printed(value: &dyn fmt::Display) -> String {
    Printed::of(value).text
}

/// What a value prints, as far as it is taken.
#[derive(Default)]
struct Printed {
    text: String,
    is_cut: bool,
}

impl Printed {
    fn of(value: &dyn fmt::Display) -> Self {
        let mut printed = Self::default();
        // An error means that the text is full, or that the value could not be printed: either way
        // what came before it stays.
        let _ = write!(printed, "{value}");
        printed
    }

    fn escaped(self) -> Option<Escaped> {
        let text = self.text.trim();
        if self.is_cut && !text.is_empty() {
            Some(Escaped(escape(text, true).into()))
        } else {
            Escaped::new(self.text.into())
        }
    }
}

impl Write for Printed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (MAX_PRINTED - self.text.len()).min(text.len());
        let end = (0..=room).rfind(|&at| text.is_char_boundary(at)).unwrap_or(0);
        self.text.push_str(&text[..end]);
        self.is_cut |= end < text.len();
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Escapes a text, and cuts it if it is too long, or if more of it `was_cut` before.
fn escape(text: &str, was_cut: bool) -> String {
    let mut escaped = String::with_capacity(text.len().min(MAX_LEN));
    let (mut cut_at, mut marks) = (0, 0);
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if must_be_escaped(c) {
            escaped.extend(c.escape_default());
        } else if marks <= MAX_MARKS {
            escaped.push(c);
        }
        if escaped.len() + CUT_MARK.len_utf8() <= MAX_LEN {
            cut_at = escaped.len();
        }
        if escaped.len() > MAX_LEN {
            break;
        }
    }
    if was_cut || escaped.len() > MAX_LEN {
        escaped.truncate(cut_at);
        escaped.push(CUT_MARK);
    }
    escaped.shrink_to_fit();
    escaped
}

/// Whether nothing of a text has to be escaped.
fn is_clean(text: &str) -> bool {
    // Not `all`, which stops early and so takes one byte after the other.
    let is_printable = |all, byte: &u8| all & matches!(byte, b' '..=b'~');
    text.as_bytes().iter().fold(true, is_printable) || {
        let mut marks = 0;
        text.chars().all(|c| {
            marks = if is_mark(c) { marks + 1 } else { 0 };
            !must_be_escaped(c) && marks <= MAX_MARKS
        })
    }
}

/// Whether a character can end a line, drive a terminal, reorder text, or not be seen at all.
///
/// Control characters (ASCII and C1), the line and paragraph separators, bidirectional formatting
/// (UAX #9; the "Trojan Source" trick), and what Unicode 16 lists as `Default_Ignorable_Code_Point`,
/// except the two variation selectors that emoji need; annotation marks, and letters that are blank.
fn must_be_escaped(c: char) -> bool {
    if c < '\u{300}' {
        return c.is_control() || c == '\u{ad}';
    }
    match c {
        // Separators, interlinear annotation, blank Braille and hieroglyphs, a blank note head, a filler.
        '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{2800}' | '\u{1d159}'
        // Default-ignorable, the bidirectional characters among them.
        | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{13441}'..='\u{13442}' | '\u{16fe4}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

/// A combining mark, or a variation selector.
fn is_mark(c: char) -> bool {
    c >= '\u{300}'
        && matches!(c,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe0e}' | '\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}
