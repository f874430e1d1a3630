//! The tables: kinds of ends, ends by a field or by the second, machines.

use std::fmt::{self, Write};

use super::people::{Look, WIDEST_BAR};
use super::text::{bar, counted, grouped, span, sparks};
use super::{MOST, kinds};
use crate::clean::clean;
use crate::tally::away::Away;
use crate::tally::top::Top;
use crate::tally::{EXPECTED, INHERITED, Tally, UNEXPECTED};
use console::measure_text_width;

/// A table of texts. A column whose name starts with `>` is aligned to the right, and an empty name leaves it out;
/// rows that need a look come in colour.
fn table(names: &[&str], rows: &[(bool, Vec<String>)], gap: &str, look: &Look) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|(_, row)| measure_text_width(&row[column]));
        cells.chain([measure_text_width(names[column].trim_start_matches('>'))]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..names.len()).map(width).collect();
    let line = |row: &mut dyn Iterator<Item = &str>| {
        let cells = row.enumerate().filter(|(column, _)| !names[*column].is_empty());
        let cells = cells.map(|(column, text)| {
            let space = " ".repeat(widths[column] - measure_text_width(text));
            if names[column].starts_with('>') { space + text } else { text.to_owned() + &space }
        });
        cells.collect::<Vec<_>>().join(gap).trim_end().to_owned()
    };
    let header = line(&mut names.iter().map(|name| name.trim_start_matches('>')));
    let mut lines = vec![format!("  {}", look.grey(&header))];
    lines.extend(rows.iter().map(|(look_at, row)| {
        let line = line(&mut row.iter().map(String::as_str));
        format!("  {}", if *look_at { look.yellow(&line) } else { line })
    }));
    lines.join("\n")
}

fn number(count: u64) -> String {
    if count == 0 { String::new() } else { grouped(count) }
}

pub(super) fn kinds_table(tally: &Tally, look: &Look) -> String {
    let kinds = kinds(tally);
    let most = kinds.iter().map(|(_, ends)| ends.original).max().unwrap_or(1);
    let has = |has: bool, name| if has { name } else { "" };
    let has_inherited = tally.inherited() > 0;
    let build = |is_tight: bool, cells: usize| {
        let names = [
            "connect type",
            "reason",
            if is_tight { "by" } else { "initiator" },
            has(kinds.iter().any(|(kind, _)| kind.trigger.is_some()), "trigger"),
            has(kinds.iter().any(|(kind, _)| kind.peer.is_some()), "peer"),
            if has_inherited { ">own" } else { ">ends" },
            has(has_inherited, ">inherited"),
            has(cells > 0, " "),
        ];
        let rows: Vec<_> = kinds
            .iter()
            .map(|(kind, ends)| {
                let [layer, reason, initiator, trigger, peer] = kind.words().map(str::to_owned);
                let (own, inherited) = (number(ends.original), number(ends.inherited));
                let bar = bar(ends.original, most, cells);
                (!kind.reason.expected(), vec![layer, reason, initiator, trigger, peer, own, inherited, bar])
            })
            .collect();
        table(&names, &rows, if is_tight { " " } else { "  " }, look)
    };
    // The bars take what the words leave, and the words what they need.
    let words = build(false, 0);
    let width = words.lines().map(measure_text_width).max().unwrap_or(0);
    match look.width.saturating_sub(width + 2).min(WIDEST_BAR) {
        left @ 4.. => build(false, left),
        _ if width <= look.width => words,
        _ => build(true, 0),
    }
}

/// Ends by what their lines have under a key, or by the second.
pub(super) fn write_by(out: &mut String, title: &str, name: &str, by: &Top<3>, look: &Look) -> fmt::Result {
    let most = by.most(MOST);
    let rows: Vec<_> = most
        .iter()
        .map(|shown| {
            let counts = [EXPECTED, UNEXPECTED, INHERITED].map(|column| number(shown.counted[column]));
            let [expected, unexpected, inherited] = counts;
            let ends = estimate(shown.at_least, shown.at_most);
            (false, vec![ends, expected, unexpected, inherited, look.fit(shown.text, 48).into_owned()])
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let names = [">ends", ">expected", ">to investigate", ">inherited", &clean(name)];
    writeln!(out, "{}\n\n{}", look.bold(title), table(&names, &rows, "  ", look))?;
    write_more(out, by, 2)?;
    writeln!(out)
}

/// How often machines lost their server, and how long they were away.
pub(super) fn write_away(out: &mut String, name: &str, away: &Away, look: &Look) -> fmt::Result {
    let machines = away.machines();
    let rows = machines.iter().take(MOST).map(|machine| {
        let time = |milliseconds: u64| {
            if machine.known > 0 { span(milliseconds.div_ceil(1000)) } else { String::new() }
        };
        let (all, longest) = (time(machine.total), time(machine.longest));
        (
            false,
            vec![
                number(machine.ends),
                number(machine.known),
                all,
                longest,
                look.fit(machine.name, 48).into_owned(),
            ],
        )
    });
    let rows: Vec<_> = rows.collect();
    let title = look.bold("Connections to the server that ended, and how long a machine was away");
    let names = [">ends", ">times away", ">away in all", ">longest", &clean(name)];
    writeln!(out, "{title}\n\n{}", table(&names, &rows, "  ", look))?;
    if machines.len() > MOST {
        writeln!(out, "  and {}", counted((machines.len() - MOST) as u64, "other"))?;
    }
    writeln!(out)
}

/// A line of bars for each row of the table above.
pub(super) fn write_timelines(out: &mut String, tally: &Tally, look: &Look) -> fmt::Result {
    let (Some(first), Some(last)) = (tally.first, tally.last) else {
        return Ok(());
    };
    let width = i64::try_from(look.width - 4).unwrap_or(60);
    let kinds = kinds(tally);
    for (index, (kind, ends)) in kinds.iter().filter(|(_, ends)| !ends.timeline.is_empty()).enumerate() {
        // All rows have the same columns.
        let (seconds, columns) = ends.timeline.between(first, last, width);
        if index == 0 {
            let title = look.bold("The rows of the table over time");
            writeln!(out, "{title}, a column for {}\n", span(seconds.unsigned_abs()))?;
        }
        let words: Vec<_> = kind.words().into_iter().filter(|word| !word.is_empty()).collect();
        let peak = columns.iter().map(|column| column.count).max().unwrap_or(0);
        let line = sparks(columns.iter().map(|column| column.count), peak);
        writeln!(out, "  {}, at most {}\n  {}", words.join(" "), grouped(peak), line.trim_end())?;
    }
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
pub(super) fn write_more<const N: usize>(out: &mut String, values: &Top<N>, width: usize) -> fmt::Result {
    let most = values.most(MOST);
    let shown: u64 = most.iter().map(|shown| shown.at_least).sum();
    let left = grouped(values.total().saturating_sub(shown));
    match values.distinct() {
        Some(distinct) if distinct > most.len() => {
            let more = grouped((distinct - most.len()) as u64);
            writeln!(out, "  {left:>width$}  with {more} others")
        }
        Some(_) => Ok(()),
        None => {
            let times = grouped(most.last().map_or(0, |last| last.at_most));
            writeln!(out, "  {left:>width$}  with others, of which none was there more than {times} times")
        }
    }
}
