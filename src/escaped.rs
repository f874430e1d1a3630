//! Free text that can neither forge a line nor flood it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write};

use crate::error::sources;

/// The longest text, in bytes: what fits a log line beside the other fields.
const MAX_LEN: usize = 256;

/// Ends a text that was cut.
const CUT_MARK: &str = "…";

/// How many characters of white space are left out before a text counts as full, so that a value that
/// writes nothing else comes to an end.
const MAX_LEFT_OUT: usize = 4096;

/// How many combining marks one character may carry.
const MAX_MARKS: u8 = 8;

/// One line of text, at most [`MAX_LEN`] bytes, in which every character can be seen.
///
/// A text that goes in again (a log line that is read back) comes out unchanged, which is why the
/// backslash itself is not escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Escaped(Cow<'static, str>);

impl Escaped {
    /// Keeps a clean text as it is, borrowed or owned, and rewrites any other. Blank text is none.
    #[inline]
    pub(crate) fn new(text: Cow<'static, str>) -> Option<Self> {
        let holds_too_much = matches!(&text, Cow::Owned(text) if text.capacity() > MAX_LEN);
        if !holds_too_much && is_tidy(&text) {
            Some(Self(text))
        } else {
            Self::copy_trimmed(&text)
        }
    }

    /// Copies a text without the white space around it. Blank text is none.
    pub(crate) fn copy_trimmed(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self::copy(text))
    }

    /// Copies a text with the white space around it, which is escaped unless it is a plain space.
    pub(crate) fn copy(text: &str) -> Self {
        let mut escaper = Escaper::default();
        // An error means that the text is full.
        let _ = escaper.write_str(text);
        escaper.finish()
    }

    /// Takes as much of a value's text as fits, and never holds more of it than that.
    pub(crate) fn from_display(value: &dyn fmt::Display) -> Option<Self> {
        let mut escaper = Escaper::trimming();
        // An error means that the text is full, or that the value could not be printed: either way
        // what came before it stays.
        let _ = write!(escaper, "{value}");
        escaper.finish().unless_empty()
    }

    /// The text of an error, and of each of its sources that adds something, joined by `: `.
    pub(crate) fn from_error(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut text = Escaper::trimming();
        for error in sources(error) {
            let mut part = Escaper::trimming();
            let _ = write!(part, "{error}");
            let part = part.trimmed();
            if !text.trimmed().contains(part) {
                let separator = if text.end == 0 { "" } else { ": " };
                if write!(text, "{separator}{part}").is_err() {
                    break;
                }
            }
        }
        text.finish().unless_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn unless_empty(self) -> Option<Self> {
        (!self.0.is_empty()).then_some(self)
    }
}

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text can stay as it is: neither long nor blank, without white space around it, and clean.
#[inline]
fn is_tidy(text: &str) -> bool {
    match text.as_bytes() {
        [] | [b' ', ..] | [.., b' '] => false,
        bytes if bytes.len() > MAX_LEN => false,
        bytes => are_printable(bytes) || is_clean_and_trimmed(text),
    }
}

/// The slow way, for a text without plain spaces around it.
fn is_clean_and_trimmed(text: &str) -> bool {
    let mut marks = Marks::default();
    let is_clean = |c| !must_be_escaped(c) && !marks.is_one_too_many(c);
    text.chars().all(is_clean) && text.trim().len() == text.len()
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Looks at all bytes: one loop without a branch is faster than one that stops early.
fn are_printable(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .fold(true, |all, &byte| all & is_printable(byte))
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

/// Counts the combining marks in a row.
#[derive(Default)]
struct Marks(u8);

impl Marks {
    fn is_one_too_many(&mut self, c: char) -> bool {
        let is_mark = c >= '\u{300}'
            && matches!(c,
            '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}' | '\u{fe0e}' | '\u{fe0f}' | '\u{fe20}'..='\u{fe2f}');
        self.0 = if is_mark { self.0.saturating_add(1) } else { 0 };
        self.0 > MAX_MARKS
    }
}

/// Writes escaped text into a buffer on the stack, so that one heap allocation is enough.
struct Escaper {
    buffer: [u8; MAX_LEN],
    len: usize,
    /// After the last unit that is not white space.
    end: usize,
    /// Where the text can be cut so that the mark still fits.
    cut_at: usize,
    full: bool,
    /// White space came that does not fit any more.
    spilled: bool,
    /// How many characters of white space were left out.
    left_out: usize,
    /// Leave out white space at both ends.
    trim: bool,
    marks: Marks,
}

impl Default for Escaper {
    fn default() -> Self {
        Self {
            buffer: [0; MAX_LEN],
            len: 0,
            end: 0,
            cut_at: 0,
            full: false,
            spilled: false,
            left_out: 0,
            trim: false,
            marks: Marks::default(),
        }
    }
}

impl Escaper {
    fn trimming() -> Self {
        Self {
            trim: true,
            ..Self::default()
        }
    }

    fn trimmed(&self) -> &str {
        let end = if self.trim { self.end } else { self.len };
        // Only whole characters went in, so there is no error.
        std::str::from_utf8(&self.buffer[..end]).unwrap_or_default()
    }

    fn finish(&self) -> Escaped {
        Escaped(Cow::Owned(self.trimmed().to_owned()))
    }

    /// Appends one unit: a character, or an escape that is never split.
    fn push(&mut self, unit: &str, is_space: bool) -> fmt::Result {
        if self.full {
            // A value's `Display` may go on after an error.
            return Err(fmt::Error);
        }
        let spills = self.spilled || self.len + unit.len() > MAX_LEN;
        if self.trim && is_space && (spills || self.end == 0) {
            // Nothing of it stays unless more text follows.
            self.spilled = spills;
            self.left_out += 1;
            self.full = self.left_out > MAX_LEFT_OUT;
            return if self.full { Err(fmt::Error) } else { Ok(()) };
        }
        self.full = spills;
        if self.full {
            self.len = self.cut_at;
            self.append(CUT_MARK);
            self.end = self.len;
            return Err(fmt::Error);
        }
        self.append(unit);
        if self.len + CUT_MARK.len() <= MAX_LEN {
            self.cut_at = self.len;
        }
        if !is_space {
            self.end = self.len;
        }
        Ok(())
    }

    fn append(&mut self, unit: &str) {
        let end = self.len + unit.len();
        self.buffer[self.len..end].copy_from_slice(unit.as_bytes());
        self.len = end;
    }

    /// Appends text in which nothing is escaped, as a whole where it fits with room for the mark.
    fn push_clean(&mut self, text: &str) -> fmt::Result {
        let is_short = self.len + text.len() + CUT_MARK.len() <= MAX_LEN;
        if self.full || self.spilled || !is_short {
            let mut units = text.split_inclusive(|_| true);
            return units.try_for_each(|unit| self.push(unit, unit == " "));
        }
        let is_blank_yet = self.trim && self.end == 0;
        let body = text.trim_start_matches(|c| is_blank_yet && c == ' ');
        for _ in body.len()..text.len() {
            self.push(" ", true)?;
        }
        self.append(body);
        self.cut_at = self.len;
        let spaces = body.len() - body.trim_end_matches(' ').len();
        if spaces < body.len() {
            self.end = self.len - spaces;
        }
        Ok(())
    }
}

impl Write for Escaper {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= MAX_LEN && are_printable(text.as_bytes()) {
            self.marks = Marks::default();
            return self.push_clean(text);
        }
        let mut rest = text;
        loop {
            // More would not fit.
            let ahead = &rest.as_bytes()[..rest.len().min(MAX_LEN)];
            let printable = ahead.iter().take_while(|byte| is_printable(**byte));
            let at = printable.count();
            if at > 0 {
                self.marks = Marks::default();
                self.push_clean(&rest[..at])?;
            }
            let Some(c) = rest[at..].chars().next() else {
                return Ok(());
            };
            if must_be_escaped(c) {
                self.marks = Marks::default();
                let mut escape = [0; 10];
                let escaped = c.escape_default();
                let len = escaped.len();
                for (byte, unit) in escape.iter_mut().zip(escaped) {
                    *byte = unit as u8; // an escape is ASCII
                }
                let unit = std::str::from_utf8(&escape[..len]).unwrap_or_default();
                self.push(unit, c.is_whitespace())?;
            } else if !self.marks.is_one_too_many(c) {
                self.push(c.encode_utf8(&mut [0; 4]), c.is_whitespace())?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_is_not_printable_ascii_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for (len, at) in (1..40).flat_map(|len| (0..len).map(move |at| (len, at))) {
                let mut bytes = vec![b'x'; len];
                bytes[at] = byte;
                let expected = (b' '..=b'~').contains(&byte);
                assert_eq!(are_printable(&bytes), expected, "{bytes:x?}");
            }
        }
    }
}
