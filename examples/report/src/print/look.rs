//! Where the report is looked at.

use std::borrow::Cow;
use std::io::{self, IsTerminal};

use console::{Style, Term, truncate_str};

/// Its width, and whether it shows colours.
pub(crate) struct Look {
    pub(super) width: usize,
    colour: bool,
}

impl Look {
    /// A terminal has a width; `COLUMNS` is that of what shows a pipe.
    pub(crate) fn of_standard_output() -> Self {
        let terminal = io::stdout().is_terminal();
        let size = Term::stdout().size_checked().filter(|_| terminal);
        let set = || std::env::var("COLUMNS").ok()?.parse().ok();
        let width = size.map(|(_, columns)| usize::from(columns)).or_else(set);
        Self { width: width.unwrap_or(80).clamp(60, 200), colour: terminal && console::colors_enabled() }
    }

    /// The width without so much around it, for what counts in 64 bits.
    pub(super) fn columns(&self) -> i64 {
        i64::try_from(self.width - 4).unwrap_or(60)
    }

    /// A text in a style such as `red.bold`.
    pub(super) fn paint(&self, style: &str, text: &str) -> String {
        Style::from_dotted_str(style).force_styling(self.colour).apply_to(text).to_string()
    }

    pub(super) fn fit<'a>(&self, text: &'a str, indent: usize) -> Cow<'a, str> {
        truncate_str(text, self.width.saturating_sub(indent), "…")
    }
}
