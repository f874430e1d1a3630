//! What people and machines get to see.

use std::fmt::{self, Write};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Color, Table};
use console::style;
use disconnect_attribution::Initiator;
use jiff::fmt::friendly::{Designator, SpanPrinter};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::tally::{Kind, Tally, Top};

/// How many of the most frequent values are shown.
const MOST: usize = 10;

/// How wide the timeline may be.
const COLUMNS: i64 = 60;

fn kinds(tally: &Tally) -> Vec<(Kind, u64)> {
    let mut kinds: Vec<_> = tally
        .kinds
        .iter()
        .map(|(kind, count)| (*kind, *count))
        .collect();
    // What has to be looked at first, then the most frequent.
    kinds.sort_by_key(|((connect_type, reason, initiator), count)| {
        let initiator = initiator.map(Initiator::as_str);
        let names = (connect_type.as_str(), reason.as_str(), initiator);
        (reason.expected(), std::cmp::Reverse(*count), names)
    });
    kinds
}

pub(crate) fn for_machines(tally: &Tally) -> String {
    let most = |top: &Top, key: &str| -> Value {
        top.most(MOST)
            .into_iter()
            .map(|(text, count)| json!({key: text, "count": count}))
            .collect()
    };
    let (seconds, columns) = tally.timeline.columns(COLUMNS);
    let report = json!({
        "lines": tally.lines,
        "ends": tally.expected + tally.unexpected,
        "expected": tally.expected,
        "unexpected": tally.unexpected,
        "first": tally.first,
        "last": tally.last,
        "kinds": kinds(tally)
            .into_iter()
            .map(|((connect_type, reason, initiator), count)| json!({
                "connect_type": connect_type,
                "disconnect_reason": reason,
                "disconnect_expected": reason.expected(),
                "disconnect_initiator": initiator,
                "count": count,
            }))
            .collect::<Vec<_>>(),
        "unexpected_timeline": {
            "seconds": seconds,
            "columns": columns
                .iter()
                .filter(|column| column.count > 0)
                .map(|column| json!({"start": column.start, "count": column.count}))
                .collect::<Vec<_>>(),
        },
        "unexpected_details": most(&tally.details, "disconnect_detail"),
        "unexpected_codes": most(&tally.codes, "disconnect_code"),
        "left_out": tally.left_out,
        "skipped": tally
            .skipped
            .iter()
            .map(|(why, (count, first))| {
                (why.key().to_owned(), json!({"count": count, "first": first}))
            })
            .collect::<serde_json::Map<_, _>>(),
    });
    report.to_string()
}

pub(crate) fn for_people(tally: &Tally, terminal: bool) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_report(&mut out, tally, terminal && console::colors_enabled());
    out.truncate(out.trim_end().len());
    out
}

fn write_report(out: &mut String, tally: &Tally, colour: bool) -> fmt::Result {
    let ends = tally.expected + tally.unexpected;
    write!(
        out,
        "{} ends in {} lines",
        grouped(ends),
        grouped(tally.lines)
    )?;
    if let (Some(first), Some(last)) = (tally.first, tally.last) {
        write!(out, ", {first:.0} to {last:.0}")?;
    }
    writeln!(out, "\n")?;

    let width = grouped(ends).len();
    let unexpected = style(grouped(tally.unexpected))
        .force_styling(colour)
        .yellow()
        .bold();
    writeln!(
        out,
        "  {:>width$} expected        {}",
        grouped(tally.expected),
        percent(tally.expected, ends),
    )?;
    let padding = " ".repeat(width - grouped(tally.unexpected).len());
    writeln!(
        out,
        "  {padding}{unexpected} to investigate  {}\n",
        percent(tally.unexpected, ends)
    )?;

    if ends > 0 {
        writeln!(out, "{}\n", kinds_table(tally, colour))?;
    }
    write_timeline(out, tally, colour)?;
    write_top(out, "Details of the ends to investigate", &tally.details)?;
    write_top(out, "Close codes of the ends to investigate", &tally.codes)?;
    write_skipped(out, tally)
}

fn kinds_table(tally: &Tally, colour: bool) -> Table {
    let kinds = kinds(tally);
    let most = kinds.iter().map(|(_, count)| *count).max().unwrap_or(1);
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header([
        "connect type",
        "reason",
        "initiator",
        "ends",
        "",
    ]);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for ((connect_type, reason, initiator), count) in kinds {
        let mut cells = [
            Cell::new(connect_type),
            Cell::new(reason),
            Cell::new(initiator.map_or("", Initiator::as_str)),
            Cell::new(grouped(count)).set_alignment(CellAlignment::Right),
            Cell::new(bar(count, most)),
        ];
        if !reason.expected() {
            cells = cells.map(|cell| cell.fg(Color::Yellow));
        }
        table.add_row(cells);
    }
    table
}

fn write_timeline(out: &mut String, tally: &Tally, colour: bool) -> fmt::Result {
    let (seconds, columns) = tally.timeline.columns(COLUMNS);
    let Some(peak) = columns.iter().max_by_key(|column| column.count) else {
        return Ok(());
    };
    let levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let line: String = columns
        .iter()
        .map(|column| match column.count {
            0 => ' ',
            count => levels[usize::try_from((count * 7).div_ceil(peak.count)).unwrap_or(7)],
        })
        .collect();
    let span = SpanPrinter::new()
        .designator(Designator::Compact)
        .duration_to_string(&SignedDuration::from_secs(seconds));
    writeln!(out, "Ends to investigate over time, {span} a column")?;
    writeln!(out, "\n  {}", style(line).force_styling(colour).yellow())?;
    writeln!(
        out,
        "  peak: {} from {}\n",
        grouped(peak.count),
        short(peak.start)
    )
}

fn write_top(out: &mut String, title: &str, values: &Top) -> fmt::Result {
    let most = values.most(MOST);
    if most.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title}\n")?;
    let width = most
        .iter()
        .map(|(_, count)| grouped(*count).len())
        .max()
        .unwrap_or(0);
    for (value, count) in most {
        writeln!(out, "  {:>width$}  {value}", grouped(count))?;
    }
    if values.others > 0 {
        writeln!(
            out,
            "  {:>width$}  of too many distinct others",
            grouped(values.others)
        )?;
    }
    writeln!(out)
}

fn write_skipped(out: &mut String, tally: &Tally) -> fmt::Result {
    if tally.left_out > 0 {
        writeln!(out, "Left out as asked: {} ends", grouped(tally.left_out))?;
    }
    for (why, (count, first)) in &tally.skipped {
        writeln!(
            out,
            "Not counted: {} {}, first {first}",
            grouped(*count),
            why.text()
        )?;
    }
    Ok(())
}

fn short(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
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

/// One decimal, rounded; exact for any count.
fn percent(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2).checked_div(u128::from(whole));
    let tenths = tenths.unwrap_or_default();
    format!("{:>3}.{} %", tenths / 10, tenths % 10)
}

/// A bar of at most 20 cells, in eighths; never empty.
fn bar(count: u64, most: u64) -> String {
    let eighths = usize::try_from((count * 160).div_ceil(most)).unwrap_or(160);
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + part
}
