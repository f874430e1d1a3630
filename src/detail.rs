//! Bounded, escaped free text.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// The longest detail, in bytes: what fits a log line beside the other fields.
const MAX_LEN: usize = 256;

/// Ends a text that was cut.
const CUT_MARK: &str = "…";

/// One line of text that no logger can be tricked with.
///
/// Whatever goes in, at most [`MAX_LEN`] bytes come out, in one line. A detail that goes in again
/// (a log line read back) comes out unchanged, which is why the backslash itself is not escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Detail(Cow<'static, str>);

impl Detail {
    /// Keeps a clean text as it is, borrowed or owned; writes any other anew. Blank text is none.
    #[inline]
    pub(crate) fn new(text: Cow<'static, str>) -> Option<Self> {
        if is_clean(&text) {
            Self(text).unless_blank()
        } else {
            Self::from_display(&text).unless_blank()
        }
    }

    /// Copies a borrowed text.
    pub(crate) fn copy(text: &str) -> Self {
        if is_clean(text) {
            Self(Cow::Owned(text.to_owned()))
        } else {
            Self::from_display(&text)
        }
    }

    /// Takes as much of a value's text as fits, and never holds more of it than that.
    pub(crate) fn from_display(value: &dyn fmt::Display) -> Self {
        let mut text = Escaper::default();
        // An error says that the text is full, or that the value could not be printed: either way
        // what came before it stays.
        let _ = write!(text, "{value}");
        Self(Cow::Owned(text.buffer))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    #[inline]
    pub(crate) fn unless_blank(self) -> Option<Self> {
        if self.0.chars().all(char::is_whitespace) {
            None
        } else {
            Some(self)
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_clean(text: &str) -> bool {
    // No early exit, so that the compiler can look at many bytes at once.
    let printable_ascii = || {
        text.bytes()
            .fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
    };
    text.len() <= MAX_LEN && (printable_ascii() || !text.chars().any(must_be_escaped))
}

/// Whether a character can end a line, drive a terminal, or make a line read as another one.
///
/// Control characters (ASCII and C1), the line and paragraph separators, and Unicode's
/// bidirectional formatting characters (UAX #9; the "Trojan Source" trick).
fn must_be_escaped(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{2028}' | '\u{2029}'
            | '\u{061c}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}')
}

#[derive(Default)]
struct Escaper {
    buffer: String,
    /// Where the text can be cut so that the mark still fits.
    cut_at: usize,
    full: bool,
}

impl Escaper {
    /// Appends one unit: a character, or an escape that is never split.
    fn push(&mut self, unit: &str) -> fmt::Result {
        if self.full {
            // A value's `Display` may go on after an error.
            return Err(fmt::Error);
        }
        if self.buffer.len() + unit.len() > MAX_LEN {
            self.full = true;
            self.buffer.truncate(self.cut_at);
            self.buffer.push_str(CUT_MARK);
            return Err(fmt::Error);
        }
        self.buffer.push_str(unit);
        if self.buffer.len() + CUT_MARK.len() <= MAX_LEN {
            self.cut_at = self.buffer.len();
        }
        Ok(())
    }
}

impl Write for Escaper {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if must_be_escaped(c) {
                self.push(&c.escape_default().to_string())?;
            } else {
                self.push(c.encode_utf8(&mut [0; 4]))?;
            }
        }
        Ok(())
    }
}
