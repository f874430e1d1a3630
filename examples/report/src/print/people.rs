//! The report as text, for a terminal or a file.

use super::look::Look;
use super::text::{bar, counted, estimate, grouped, percent, span, sparks, time};
use super::{MOST, table, warning};
use crate::clean::clean;
use crate::tally::histogram::Histogram;
use crate::tally::top::Top;
use crate::tally::{Skipped, Tally};

/// The widest bar that still reads as one.
pub(super) const WIDEST_BAR: usize = 40;

pub(crate) fn for_people(tally: &Tally, look: &Look) -> String {
    let mut page = Page { text: String::new(), tally, look };
    page.write();
    page.text.truncate(page.text.trim_end().len());
    page.text
}

struct Page<'a> {
    text: String,
    tally: &'a Tally,
    look: &'a Look,
}

impl Page<'_> {
    fn write(&mut self) {
        let (tally, look, arguments) = (self.tally, self.look, &self.tally.arguments);
        let of = if arguments.expected { "expected ends" } else { "ends to investigate" };
        self.summary();
        if tally.ends() > 0 {
            self.line(&(table::kinds(tally, look) + "\n"));
        }
        if let Some(key) = &arguments.by {
            let name = clean(key);
            self.by(&format!("Ends by {}", if key == "msg" { "message" } else { &name }), &name, &tally.by);
            if arguments.away {
                self.title("Connections to the server that ended, and how long a machine was away", "");
                self.line(&(table::away(&name, &tally.away, look) + "\n"));
            }
        }
        if arguments.when {
            self.timelines();
            self.by("Seconds with the most ends", "second", &tally.seconds);
        }
        self.timeline(&format!("{}{} over time", of[..1].to_uppercase(), &of[1..]));
        let open = format!("How long the connections of {of} had been open");
        self.histogram(&open, &tally.lifetimes, false);
        let silent = format!("How long the peer had been silent before {of}");
        self.histogram(&silent, &tally.silences, true);
        self.top(&format!("Details of the {of}"), &tally.details);
        self.top(&format!("Close codes of the {of}"), &tally.codes);
        self.rest();
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A headline and what stands behind it.
    fn title(&mut self, title: &str, rest: &str) {
        self.line(&format!("{}{rest}\n", self.look.paint("bold", title)));
    }

    fn summary(&mut self) {
        let (tally, look, ends) = (self.tally, self.look, self.tally.ends());
        let span = tally.first.zip(tally.last);
        let span = span.map(|(first, last)| format!(", {} to {}", time(first), time(last)));
        let span = span.unwrap_or_default();
        self.line(&format!("{} in {}{span}\n", counted(ends, "end"), counted(tally.lines, "line")));
        if let Some(warning) = warning(tally) {
            self.line(&format!("{} {}\n", look.paint("red.bold", "!"), look.paint("red", &warning)));
        }
        let [[expected, one], [unexpected, other]] = [true, false].map(|expected| tally.count(expected));
        let width = grouped(ends).len();
        let rows = [
            (expected, "expected", "", false),
            (unexpected, "to investigate", "", unexpected > 0),
            (one + other, "inherited", "  another line reports their cause", false),
        ];
        for (count, name, tail, is_bad) in &rows[..if one + other > 0 { 3 } else { 2 }] {
            let number = format!("{:>width$}", grouped(*count));
            let number = if *is_bad { look.paint("yellow.bold", &number) } else { number };
            self.line(&format!("  {number} {name:<15}  {}{tail}", percent(*count, ends)));
        }
        self.line("");
    }

    fn by(&mut self, title: &str, name: &str, by: &Top) {
        if by.most(1).is_empty() {
            return;
        }
        self.title(title, "");
        self.line(&table::by(name, by, self.look));
        self.more(by, 2);
    }

    /// A line of bars for each row of the table above.
    fn timelines(&mut self) {
        let Some((first, last)) = self.tally.first.zip(self.tally.last) else {
            return;
        };
        let kinds = self.tally.kinds();
        for (index, (kind, ends)) in kinds.iter().filter(|(_, ends)| !ends.timeline.is_empty()).enumerate() {
            // All rows have the same columns.
            let (seconds, columns) = ends.timeline.columns(Some([first, last]), self.look.columns());
            if index == 0 {
                self.title("The rows of the table over time", &each(seconds));
            }
            let words: Vec<_> = kind.words().into_iter().filter(|word| !word.is_empty()).collect();
            let (line, peak) = sparks(&columns);
            let peak = grouped(peak.map_or(0, |(_, count)| count));
            self.line(&format!("  {}, at most {peak}\n  {}", words.join(" "), line.trim_end()));
        }
        self.line("");
    }

    fn timeline(&mut self, title: &str) {
        let (seconds, columns) = self.tally.timeline.columns(None, self.look.columns());
        let (line, Some((start, peak))) = sparks(&columns) else {
            return;
        };
        self.title(title, &each(seconds));
        self.line(&format!("  {}", self.look.paint("yellow", &line)));
        self.line(&format!("  peak: {} from {}\n", grouped(peak), time(start)));
    }

    fn histogram(&mut self, title: &str, values: &Histogram, is_silence: bool) {
        let used = |(_, _, count): &(_, _, u64)| *count > 0;
        let bins: Vec<_> = values.bins().collect();
        let (Some(first), Some(last)) = (bins.iter().position(used), bins.iter().rposition(used)) else {
            return;
        };
        let bins = &bins[first..=last];
        let most = bins.iter().map(|(_, _, count)| *count).max().unwrap_or(1);
        let digits = grouped(most).len();
        let cells = (self.look.width / 2 - 18).min(WIDEST_BAR);
        let mut hints: Vec<_> = values.clusters().into_iter().map(|cluster| (cluster, "at")).collect();
        let floor = values.floor().filter(|_| is_silence && hints.is_empty());
        hints.extend(floor.map(|floor| (floor, "none before")));
        self.title(title, "");
        for (range, name, count) in bins {
            let bar = self.look.paint("yellow", &bar(*count, most, cells));
            self.line(format!("  {name:<13} {:>digits$}  {bar}", grouped(*count)).trim_end());
            for (cluster, place) in hints.iter().filter(|(cluster, _)| range.contains(&cluster.seconds)) {
                let hint = cluster.suggests.filter(|_| is_silence).unwrap_or("a timer");
                let hint = format!("{} {place} {}: {hint}?", grouped(cluster.count), span(cluster.seconds));
                self.line(&format!("    ↳ {}", self.look.paint("bold", &self.look.fit(&hint, 6))));
            }
        }
        self.line("");
    }

    fn top(&mut self, title: &str, values: &Top) {
        let most = values.most(MOST);
        if most.is_empty() {
            return;
        }
        self.title(title, "");
        let counts = most.iter().map(|(text, count)| (estimate(count.at_least(), count.at_most()), text));
        let counts: Vec<_> = counts.collect();
        let width = counts.iter().map(|(count, _)| count.chars().count()).max().unwrap_or(0);
        for (count, text) in counts {
            self.line(&format!("  {count:>width$}  {}", self.look.fit(text, width + 4)));
        }
        self.more(values, width);
    }

    /// What the list above leaves out.
    fn more(&mut self, values: &Top, width: usize) {
        let (left, distinct) = values.more(MOST);
        let left = grouped(left);
        let others = match distinct {
            Some(0) => return self.line(""),
            Some(distinct) => format!("{} others", grouped(distinct as u64)),
            None => {
                let times = values.most(MOST).last().map_or(0, |(_, count)| count.at_most());
                format!("others, of which none was there more than {} times", grouped(times))
            }
        };
        self.line(&format!("  {left:>width$}  with {others}\n"));
    }

    fn rest(&mut self) {
        let (tally, is_expected) = (self.tally, self.tally.arguments.expected);
        let (noun, of) = if is_expected { ("expected end", "") } else { ("end", "to investigate ") };
        let slept = "after a jump of the clock: the machine slept?";
        self.note(tally.before_a_byte, noun, &format!("{of}before a byte was received"), "");
        self.note(tally.clock_jumps, noun, &format!("{of}{slept}"), "");
        self.note(tally.left_out, "end", "left out, as asked", "");
        self.note(tally.without_time.count, "end", "without a usable time", &tally.without_time.place);
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
            self.note(first.count, noun, text, &first.place);
        }
    }

    /// A count, if there is one, and where it begins.
    fn note(&mut self, count: u64, noun: &str, text: &str, first: &str) {
        let first = if first.is_empty() { String::new() } else { format!(", first {first}") };
        if count > 0 {
            self.line(&self.look.fit(&format!("{} {text}{first}", counted(count, noun)), 0));
        }
    }
}

/// What a column stands for.
fn each(seconds: i64) -> String {
    format!(", a column for {}", span(seconds.unsigned_abs()))
}
