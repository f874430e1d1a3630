//! The report as text, for a terminal or a file.

use std::fmt::{self, Write};
use std::io::{self, IsTerminal};

use console::{Term, style, truncate_str};

use super::tables::{estimate, kinds_table, write_away, write_by, write_more, write_timelines};
use super::text::{bar, counted, grouped, percent, span, sparks, time};
use super::{MOST, warning};
use crate::arguments::Arguments;
use crate::clean::clean;
use crate::tally::histogram::{BINS, Histogram};
use crate::tally::top::Top;
use crate::tally::{Skipped, Tally};

/// The widest bar that still reads as one.
pub(super) const WIDEST_BAR: usize = 40;

/// Where the report is looked at.
pub(crate) struct Look {
    pub(super) width: usize,
    pub(super) colour: bool,
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

    pub(super) fn grey(&self, text: &str) -> String {
        style(text).force_styling(self.colour).black().bright().to_string()
    }

    pub(super) fn yellow(&self, text: &str) -> String {
        style(text).force_styling(self.colour).yellow().to_string()
    }

    pub(super) fn bold(&self, text: &str) -> String {
        style(text).force_styling(self.colour).bold().to_string()
    }

    pub(super) fn fit<'a>(&self, text: &'a str, indent: usize) -> std::borrow::Cow<'a, str> {
        truncate_str(text, self.width.saturating_sub(indent), "…")
    }
}

pub(crate) fn for_people(tally: &Tally, arguments: &Arguments, look: &Look) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_report(&mut out, tally, arguments, look);
    out.truncate(out.trim_end().len());
    out
}

fn write_report(out: &mut String, tally: &Tally, arguments: &Arguments, look: &Look) -> fmt::Result {
    let of = if arguments.expected { "expected ends" } else { "ends to investigate" };
    write_summary(out, tally, look)?;
    if tally.ends() > 0 {
        writeln!(out, "{}\n", kinds_table(tally, look))?;
    }
    if let Some(key) = &arguments.by {
        let title = format!("Ends by {}", if key == "msg" { "message" } else { key });
        write_by(out, &clean(&title), key, &tally.by, look)?;
        if arguments.away {
            write_away(out, key, &tally.away, look)?;
        }
    }
    if arguments.when {
        write_timelines(out, tally, look)?;
        write_by(out, "Seconds with the most ends", "second", &tally.seconds, look)?;
    }
    write_timeline(out, tally, of, look)?;
    let open = format!("How long the connections of {of} had been open");
    write_histogram(out, &open, &tally.lifetimes, look, false)?;
    let silent = format!("How long the peer had been silent before {of}");
    write_histogram(out, &silent, &tally.silences, look, true)?;
    write_top(out, &format!("Details of the {of}"), &tally.details, look)?;
    write_top(out, &format!("Close codes of the {of}"), &tally.codes, look)?;
    write_rest(out, tally, of, look)
}

fn write_summary(out: &mut String, tally: &Tally, look: &Look) -> fmt::Result {
    let ends = tally.ends();
    let (in_all, lines) = (counted(ends, "end"), counted(tally.lines, "line"));
    write!(out, "{in_all} in {lines}")?;
    if let (Some(first), Some(last)) = (tally.first, tally.last) {
        write!(out, ", {} to {}", time(first), time(last))?;
    }
    writeln!(out, "\n")?;
    if let Some(warning) = warning(tally) {
        let sign = style("!").force_styling(look.colour).red().bold();
        writeln!(out, "{sign} {}\n", style(warning).force_styling(look.colour).red())?;
    }
    let width = grouped(ends).len();
    let mut row = |count: u64, name: &str, tail: &str, attention: bool| {
        let number = format!("{:>width$}", grouped(count));
        let number = if attention { look.bold(&look.yellow(&number)) } else { number };
        writeln!(out, "  {number} {name:<15}  {}{tail}", percent(count, ends))
    };
    row(tally.expected, "expected", "", false)?;
    row(tally.unexpected, "to investigate", "", tally.unexpected > 0)?;
    if tally.inherited() > 0 {
        row(tally.inherited(), "inherited", "  another line reports their cause", false)?;
    }
    writeln!(out)
}

fn write_timeline(out: &mut String, tally: &Tally, of: &str, look: &Look) -> fmt::Result {
    let columns = i64::try_from(look.width - 4).unwrap_or(60);
    let (seconds, columns) = tally.timeline.columns(columns);
    let Some(peak) = columns.iter().max_by_key(|column| column.count) else {
        return Ok(());
    };
    let line = sparks(columns.iter().map(|column| column.count), peak.count);
    let title = format!("{}{} over time", of[..1].to_uppercase(), &of[1..]);
    let title = look.bold(&title);
    writeln!(out, "{title}, a column for {}\n", span(seconds.unsigned_abs()))?;
    writeln!(out, "  {}", look.yellow(&line))?;
    writeln!(out, "  peak: {} from {}\n", grouped(peak.count), time(peak.start))
}

fn write_histogram(
    out: &mut String,
    title: &str,
    values: &Histogram,
    look: &Look,
    silence: bool,
) -> fmt::Result {
    let used = |(_, count): &(&(u64, &str), &u64)| **count > 0;
    let bins: Vec<_> = BINS.iter().zip(values.bins()).collect();
    let (Some(first), Some(last)) = (bins.iter().position(used), bins.iter().rposition(used)) else {
        return Ok(());
    };
    let bins = &bins[first..=last];
    let most = bins.iter().map(|(_, count)| **count).max().unwrap_or(1);
    let digits = grouped(most).len();
    let cells = (look.width / 2 - 18).min(WIDEST_BAR);
    let mut hints: Vec<_> = values.clusters().iter().map(|cluster| (*cluster, "at")).collect();
    let floor = values.floor().filter(|_| silence && hints.is_empty());
    hints.extend(floor.map(|floor| (floor, "none before")));
    writeln!(out, "{}\n", look.bold(title))?;
    for (index, ((from, name), count)) in bins.iter().enumerate() {
        let to = bins.get(index + 1).map_or(u64::MAX, |((to, _), _)| *to);
        let bar = bar(**count, most, cells);
        let line = format!("  {name:<13} {:>digits$}  {}", grouped(**count), look.yellow(&bar));
        writeln!(out, "{}", line.trim_end())?;
        for (cluster, place) in &hints {
            let start = cluster.seconds * 1000;
            if start >= *from && start < to {
                let hint = if silence && !cluster.suggests.is_empty() { cluster.suggests } else { "a timer" };
                let hint = format!("{} {place} {}: {hint}?", grouped(cluster.count), span(cluster.seconds));
                writeln!(out, "    ↳ {}", look.bold(&look.fit(&hint, 6)))?;
            }
        }
    }
    writeln!(out)
}

fn write_top<const N: usize>(out: &mut String, title: &str, values: &Top<N>, look: &Look) -> fmt::Result {
    let most = values.most(MOST);
    if most.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}\n", look.bold(title))?;
    let counts: Vec<_> = most.iter().map(|shown| estimate(shown.at_least, shown.at_most)).collect();
    let width = counts.iter().map(|count| count.chars().count()).max().unwrap_or(0);
    for (shown, count) in most.iter().zip(counts) {
        writeln!(out, "  {count:>width$}  {}", look.fit(shown.text, width + 4))?;
    }
    write_more(out, values, width)?;
    writeln!(out)
}

fn write_rest(out: &mut String, tally: &Tally, of: &str, look: &Look) -> fmt::Result {
    let mut note = |count: u64, noun: &str, text: &str| match count {
        0 => Ok(()),
        count => writeln!(out, "{}", look.fit(&format!("{} {text}", counted(count, noun)), 0)),
    };
    let (before, after) = of.split_once("ends").unwrap_or_default();
    let of = |text: &str| {
        format!("{}{text}", after.trim_start().to_owned() + if after.is_empty() { "" } else { " " })
    };
    let noun = format!("{before}end");
    note(tally.before_a_byte, &noun, &of("before a byte was received"))?;
    note(tally.clock_jumps, &noun, &of("after a jump of the clock: the machine slept?"))?;
    note(tally.left_out, "end", "left out, as asked")?;
    if let Some(first) = &tally.without_time {
        let text = format!("without a usable time, first {}", first.place);
        note(first.count, "end", &text)?;
    }
    for (why, first) in &tally.skipped {
        let (noun, text) = match why {
            // At the top.
            Skipped::Unreadable => continue,
            Skipped::NoEnd => ("line", "about something else"),
            Skipped::TooLong => ("line", "longer than 1 MiB, not read"),
            Skipped::WithoutTime => ("end", "without a usable time, not counted"),
            Skipped::ReadError => ("file", "not read to the end"),
            Skipped::SameFile => ("file", "named twice, read once"),
            Skipped::WithoutMessage => {
                ("line", "whose message journald left out (journalctl --all shows it)")
            }
            Skipped::Replaced => ("file", "replaced by another since it was named: rotated?"),
            Skipped::Cut => ("file", "cut while it was read, so that its end is missing"),
        };
        note(first.count, noun, &format!("{text}, first {}", first.place))?;
    }
    Ok(())
}
