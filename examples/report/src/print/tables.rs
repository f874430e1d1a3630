//! The tables: kinds of ends, and ends by message.

use std::fmt::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table};
use console::measure_text_width;
use disconnect_attribution::Initiator;

use super::people::{Look, WIDEST_BAR};
use super::text::{bar, grouped};
use super::{MOST, kinds};
use crate::tally::top::Top;
use crate::tally::{EXPECTED, INHERITED, Tally, UNEXPECTED};

pub(super) fn kinds_table(tally: &Tally, look: &Look) -> String {
    let kinds = kinds(tally);
    let most = kinds
        .iter()
        .map(|(_, ends)| ends.original)
        .max()
        .unwrap_or(1);
    let has_triggers = kinds.iter().any(|(kind, _)| kind.trigger.is_some());
    let has_inherited = tally.inherited() > 0;
    let build = |tight: bool, bar_cells: Option<usize>| {
        let mut table = plain_table(look);
        let mut header = vec!["connect type", "reason"];
        header.push(if tight { "by" } else { "initiator" });
        header.extend(has_triggers.then_some("trigger"));
        header.push(if has_inherited { "own" } else { "ends" });
        header.extend(has_inherited.then_some("inherited"));
        header.extend(bar_cells.map(|_| ""));
        table.set_header(
            header
                .iter()
                .map(|name| Cell::new(name).fg(Color::DarkGrey)),
        );
        for (kind, ends) in &kinds {
            let mut cells = vec![
                Cell::new(kind.connect_type),
                Cell::new(kind.reason),
                Cell::new(kind.initiator.map_or("", Initiator::as_str)),
            ];
            cells.extend(has_triggers.then(|| Cell::new(kind.trigger.unwrap_or(""))));
            cells.push(number(ends.original));
            cells.extend(has_inherited.then(|| number(ends.inherited)));
            cells.extend(bar_cells.map(|cells| Cell::new(bar(ends.original, most, cells))));
            if !kind.reason.expected() {
                cells = cells
                    .into_iter()
                    .map(|cell| cell.fg(Color::Yellow))
                    .collect();
            }
            table.add_row(cells);
        }
        if tight {
            for column in table.column_iter_mut().skip(1) {
                column.set_padding((0, 1));
            }
        }
        trimmed(&table)
    };
    // The bars take what the words leave, and the words what they need.
    let words = build(false, None);
    let width = words.lines().map(measure_text_width).max().unwrap_or(0);
    match look.width.saturating_sub(width + 2).min(WIDEST_BAR) {
        left @ 4.. => build(false, Some(left)),
        _ if width <= look.width => words,
        _ => build(true, None),
    }
}

fn number(count: u64) -> Cell {
    let text = if count == 0 {
        String::new()
    } else {
        grouped(count)
    };
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn plain_table(look: &Look) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if look.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

fn trimmed(table: &Table) -> String {
    let lines: Vec<_> = table
        .lines()
        .map(|line| format!(" {}", line.trim_end()))
        .collect();
    lines.join("\n")
}

pub(super) fn write_messages(out: &mut String, messages: &Top<3>, look: &Look) -> fmt::Result {
    let most = messages.most(MOST);
    if most.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}\n", look.bold("Ends by message"))?;
    let mut table = plain_table(look);
    let header = ["ends", "expected", "to investigate", "inherited", "message"];
    table.set_header(header.map(|name| Cell::new(name).fg(Color::DarkGrey)));
    for shown in most {
        let [expected, unexpected, inherited] =
            [EXPECTED, UNEXPECTED, INHERITED].map(|column| shown.counted[column]);
        table.add_row([
            Cell::new(estimate(shown.at_least, shown.at_most)).set_alignment(CellAlignment::Right),
            number(expected),
            number(unexpected),
            number(inherited),
            Cell::new(look.fit(shown.text, 48)),
        ]);
    }
    writeln!(out, "{}", trimmed(&table))?;
    write_more(out, messages, 2)?;
    writeln!(out)
}

/// A count, as a range where it may be too high.
pub(super) fn estimate(at_least: u64, at_most: u64) -> String {
    if at_least == at_most {
        grouped(at_most)
    } else {
        format!("{} to {}", grouped(at_least), grouped(at_most))
    }
}

/// What the list above leaves out.
pub(super) fn write_more<const N: usize>(
    out: &mut String,
    values: &Top<N>,
    width: usize,
) -> fmt::Result {
    let most = values.most(MOST);
    let shown: u64 = most.iter().map(|shown| shown.at_least).sum();
    let left = values.total().saturating_sub(shown);
    match values.distinct() {
        Some(distinct) if distinct > most.len() => {
            let more = grouped((distinct - most.len()) as u64);
            writeln!(out, "  {:>width$}  with {more} others", grouped(left))
        }
        Some(_) => Ok(()),
        None => writeln!(
            out,
            "  {:>width$}  with others, of which none was there more than {} times",
            grouped(left),
            grouped(most.last().map_or(0, |last| last.at_most)),
        ),
    }
}
