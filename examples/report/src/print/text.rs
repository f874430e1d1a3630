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

/// A line of bars, one for each count.
pub(crate) fn sparks(counts: impl Iterator<Item = u64>, peak: u64) -> String {
    let levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let spark = |count: u64| match count {
        0 => ' ',
        count => {
            let level = (u128::from(count) * 7).div_ceil(u128::from(peak.max(1)));
            levels[usize::try_from(level).unwrap_or(7).min(7)]
        }
    };
    counts.map(spark).collect()
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
