//! Numbers, bars and times as people read them.

use jiff::fmt::friendly::{Designator, SpanPrinter};
use jiff::{Span, SpanRound, Timestamp, Unit};

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 line`, `2 lines`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// One decimal, rounded; exact for any count.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2).checked_div(u128::from(whole));
    let tenths = tenths.unwrap_or_default();
    format!("{:>3}.{} %", tenths / 10, tenths % 10)
}

/// A bar of at most so many cells, in eighths; empty for nothing, and for nothing else.
pub(crate) fn bar(count: u64, most: u64, cells: usize) -> String {
    let eighths = u128::from(count) * 8 * cells as u128;
    let eighths = eighths.div_ceil(u128::from(most.max(1)));
    let eighths = usize::try_from(eighths).unwrap_or(0).min(cells * 8);
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + part
}

/// A line of bars, one for each count, and the highest.
pub(crate) fn sparks(columns: &[(Timestamp, u64)]) -> (String, Option<(Timestamp, u64)>) {
    let levels = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let peak = columns.iter().max_by_key(|(_, count)| *count).copied();
    let most = u128::from(peak.map_or(1, |(_, count)| count.max(1)));
    let level = |count: u64| (u128::from(count) * 7).div_ceil(most) + u128::from(count > 0);
    let spark = |(_, count): &(_, u64)| levels[usize::try_from(level(*count)).unwrap_or(8).min(8)];
    (columns.iter().map(spark).collect(), peak)
}

/// A count, as a range if it may be too high.
pub(crate) fn estimate(at_least: u64, at_most: u64) -> String {
    if at_least == at_most {
        grouped(at_most)
    } else {
        format!("{} to {}", grouped(at_least), grouped(at_most))
    }
}

/// `350 s` as timers are set, then `4d 7h` with days of 24 hours.
pub(crate) fn span(seconds: u64) -> String {
    if seconds < 1000 {
        return format!("{seconds} s");
    }
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let span = Span::new().try_seconds(seconds).unwrap_or_default();
    let round = SpanRound::new().largest(Unit::Day).days_are_24_hours();
    let printer = SpanPrinter::new().designator(Designator::Compact);
    printer.span_to_string(&span.round(round).unwrap_or(span))
}

pub(crate) fn time(time: Timestamp) -> String {
    format!("{time:.0}")
}
