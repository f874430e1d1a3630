//! Text for people: 80 columns, and colour where a terminal shows it.

use std::fmt::Write;
use std::io::{IsTerminal, stderr, stdout};

const WIDTH: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\u{1b}[1m",
            Self::Dim => "\u{1b}[2m",
            Self::Green => "\u{1b}[1;32m",
            Self::Yellow => "\u{1b}[1;33m",
        }
    }
}

/// Whether standard output shows colour; <https://no-color.org> has the rule for `NO_COLOR`.
pub(crate) fn is_colourful() -> bool {
    stdout().is_terminal() && wants_colour()
}

/// Whether standard error does.
pub(crate) fn is_error_colourful() -> bool {
    stderr().is_terminal() && wants_colour()
}

fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Words that stay on one line, to be copied.
pub(crate) fn bold(text: &str, colour: bool) -> String {
    if colour { format!("{}{text}\u{1b}[0m", Style::Bold.code()) } else { text.to_owned() }
}

/// A paragraph that wraps between its words.
#[derive(Debug)]
pub(crate) struct Paragraph {
    text: String,
    indent: usize,
    column: usize,
    colour: bool,
}

impl Paragraph {
    /// Starts one whose lines but the first are indented.
    pub(crate) fn new(indent: usize, colour: bool) -> Self {
        Self { text: String::new(), indent, column: 0, colour }
    }

    /// Adds words, each after a space or a line break.
    pub(crate) fn add(mut self, text: &str, style: Style) -> Self {
        for word in text.split(' ') {
            self.space(word.chars().count());
            self.put(word, style);
        }
        self
    }

    /// Adds a key and its value; they stay together where the value is one word.
    pub(crate) fn add_pair(mut self, key: &str, value: &str, style: Style) -> Self {
        let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
        self.space(key.len() + 1 + first.chars().count());
        self.put(&format!("{key}="), Style::Dim);
        self.put(first, style);
        if rest.is_empty() { self } else { self.add(rest, style) }
    }

    pub(crate) fn break_line(mut self) -> Self {
        self.new_line();
        self
    }

    fn space(&mut self, width: usize) {
        if self.column + 1 + width > WIDTH && self.column > self.indent {
            self.new_line();
        } else if self.column > 0 && self.column != self.indent {
            self.text.push(' ');
            self.column += 1;
        }
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', self.indent));
        self.column = self.indent;
    }

    fn put(&mut self, text: &str, style: Style) {
        if self.colour && style != Style::Plain {
            let _ = write!(self.text, "{}{text}\u{1b}[0m", style.code());
        } else {
            self.text.push_str(text);
        }
        self.column += text.chars().count();
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
