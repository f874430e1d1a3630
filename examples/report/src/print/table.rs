//! The tables: kinds of ends, ends by a field or by the second, machines.

use console::measure_text_width;

use super::MOST;
use super::look::Look;
use super::people::WIDEST_BAR;
use super::text::{bar, estimate, grouped, span};
use crate::tally::Tally;
use crate::tally::away::Away;
use crate::tally::top::{EXPECTED, INHERITED, Top, UNEXPECTED};

/// A row of cells, and whether it needs a look.
type Row = (bool, Vec<String>);

/// A table of texts. A column whose name starts with `>` is aligned to the right, and an empty name leaves it out;
/// rows that need a look come in colour.
fn table(names: &[&str], rows: &[Row], gap: &str, look: &Look) -> String {
    let titles = || names.iter().map(|name| name.trim_start_matches('>'));
    let cells = |column: usize| rows.iter().map(move |(_, row)| row[column].as_str());
    let width = |(column, title)| cells(column).chain([title]).map(measure_text_width).max();
    let widths: Vec<_> = titles().enumerate().map(|cell| width(cell).unwrap_or(0)).collect();
    let line = |row: Vec<&str>| {
        let cells = row.iter().enumerate().filter(|(column, _)| !names[*column].is_empty());
        let cells = cells.map(|(column, text)| {
            let space = " ".repeat(widths[column] - measure_text_width(text));
            if names[column].starts_with('>') { space + text } else { (*text).to_owned() + &space }
        });
        format!("  {}", cells.collect::<Vec<_>>().join(gap).trim_end())
    };
    let rows = rows.iter().map(|(is_bad, row)| {
        let line = line(row.iter().map(String::as_str).collect());
        if *is_bad { look.paint("yellow", &line) } else { line }
    });
    let lines: Vec<_> =
        [look.paint("black.bright", &line(titles().collect()))].into_iter().chain(rows).collect();
    lines.join("\n")
}

fn number(count: u64) -> String {
    if count == 0 { String::new() } else { grouped(count) }
}

/// Kinds of ends.
pub(super) fn kinds(tally: &Tally, look: &Look) -> String {
    let kinds = tally.kinds();
    let most = kinds.iter().map(|(_, ends)| ends.original).max().unwrap_or(1);
    let has = |has: bool, name| if has { name } else { "" };
    let has_word = |column: usize| kinds.iter().any(|(kind, _)| !kind.words()[column].is_empty());
    let has_inherited = kinds.iter().any(|(_, ends)| ends.inherited > 0);
    let build = |is_tight: bool, cells: usize| {
        let names = [
            "connect type",
            "reason",
            if is_tight { "by" } else { "initiator" },
            has(has_word(3), "trigger"),
            has(has_word(4), "peer"),
            if has_inherited { ">own" } else { ">ends" },
            has(has_inherited, ">inherited"),
            has(cells > 0, " "),
        ];
        let rows: Vec<_> = kinds
            .iter()
            .map(|(kind, ends)| {
                let words = kind.words().map(str::to_owned);
                let counts = [ends.original, ends.inherited].map(number);
                let bar = bar(ends.original, most, cells);
                (!kind.expected, words.into_iter().chain(counts).chain([bar]).collect())
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
pub(super) fn by(name: &str, by: &Top, look: &Look) -> String {
    let row = |(text, count): (&str, crate::tally::top::Count)| {
        let [expected, unexpected, inherited] =
            [EXPECTED, UNEXPECTED, INHERITED].map(|column| number(count.columns[column]));
        let ends = estimate(count.at_least(), count.at_most());
        (false, vec![ends, expected, unexpected, inherited, look.fit(text, 48).into_owned()])
    };
    let rows: Vec<_> = by.most(MOST).into_iter().map(row).collect();
    table(&[">ends", ">expected", ">to investigate", ">inherited", name], &rows, "  ", look)
}

/// How often machines lost their server, and how long they were away.
pub(super) fn away(name: &str, away: &Away, look: &Look) -> String {
    let machines = away.machines();
    let rows = machines.iter().take(MOST).map(|machine| {
        let time = |milliseconds: u64| {
            if machine.known > 0 { span(milliseconds.div_ceil(1000)) } else { String::new() }
        };
        let name = look.fit(machine.name, 48).into_owned();
        let times = [machine.total, machine.longest].map(time);
        let [ends, known] = [machine.ends, machine.known].map(number);
        (false, [ends, known].into_iter().chain(times).chain([name]).collect())
    });
    let rows: Vec<_> = rows.collect();
    let names = [">ends", ">times away", ">away in all", ">longest", name];
    let more = machines.len().saturating_sub(MOST) as u64;
    let more =
        if more > 0 { format!("\n  and {}", super::text::counted(more, "other")) } else { String::new() };
    table(&names, &rows, "  ", look) + &more
}
