//! Tables as Markdown.

use std::iter;

use crate::count::Counts;
use crate::table::Table;
use crate::time::Times;

/// More columns than these have no room for both measures beside one another.
const NARROW: usize = 2;

pub(crate) enum Measure {
    Instructions(Counts),
    Time(Times),
}

impl Measure {
    const fn name(&self) -> &'static str {
        match self {
            Self::Instructions(_) => "instructions",
            Self::Time(_) => "time",
        }
    }

    #[allow(clippy::cast_precision_loss)] // far below 2^52
    fn of(&self, id: &str) -> Option<f64> {
        match self {
            Self::Instructions(counts) => Some((*counts.get(id)?)? as f64),
            Self::Time(times) => Some(least(*times.get(id)?)),
        }
    }

    fn show(&self, value: f64, table: &Table) -> String {
        match self {
            Self::Instructions(_) => format!("{value:.0}"),
            // A second run gives no more digits.
            Self::Time(_) => nanoseconds(value, if table.is_typical { 1 } else { 2 }),
        }
    }
}

pub(crate) fn print(table: &Table, measures: &[Measure]) {
    if table.columns.len() > NARROW {
        for measure in measures {
            println!("\n### {}: {}\n", table.title, measure.name());
            print_values(table, std::slice::from_ref(measure));
        }
    } else {
        println!("\n### {}\n", table.title);
        print_values(table, measures);
    }
    for measure in measures {
        if let Measure::Time(times) = measure {
            print_agreement(times);
        }
    }
    if let [measure, ..] = measures
        && !table.ratios.is_empty()
    {
        print_ratios(table, measure);
    }
}

fn print_values(table: &Table, measures: &[Measure]) {
    let mut lines = vec![vec![table.what.to_owned()]];
    lines.extend(table.rows.iter().map(|row| vec![row.name.clone()]));
    for measure in measures {
        for (column, name) in table.columns.iter().enumerate() {
            let values: Vec<_> = table
                .rows
                .iter()
                .map(|row| measure.of(&table.id(&row.name, column)))
                .collect();
            if values.iter().all(Option::is_none) {
                continue;
            }
            lines[0].push(match table.columns.len() {
                1 => measure.name().to_owned(),
                2..=NARROW => format!("{name}, {}", measure.name()),
                _ => (*name).to_owned(),
            });
            for (line, value) in lines[1..].iter_mut().zip(&values) {
                line.push(value.map_or_else(String::new, |value| measure.show(value, table)));
            }
            if table.has_steps {
                lines[0].push("more".to_owned());
                let before = iter::once(&None).chain(&values);
                for ((line, value), before) in lines[1..].iter_mut().zip(&values).zip(before) {
                    let more = value.zip(*before).filter(|_| line[0].starts_with('+'));
                    line.push(more.map_or_else(String::new, |(value, before)| {
                        measure.show(value - before, table)
                    }));
                }
            }
        }
    }
    markdown(&lines);
}

/// What the first row of each pair takes of the second.
fn print_ratios(table: &Table, measure: &Measure) {
    let head = iter::once("ratio").chain(table.columns.iter().copied());
    let mut lines: Vec<Vec<String>> = vec![head.map(str::to_owned).collect()];
    lines.extend(table.ratios.iter().map(|(of, to)| {
        let ratio = |column| {
            let value = |row| measure.of(&table.id(row, column));
            Some(format!("{:.2}", value(of)? / value(to)?))
        };
        let ratios = (0..table.columns.len()).map(|column| ratio(column).unwrap_or_default());
        iter::once(format!("{of} / {to}")).chain(ratios).collect()
    }));
    println!();
    markdown(&lines);
}

fn nanoseconds(value: f64, digits: i32) -> String {
    let unit = 10_f64.powf(value.log10().floor()) / 10_f64.powi(digits - 1);
    let decimals = usize::from(unit < 0.95);
    format!("{:.decimals$} ns", (value / unit).round() * unit)
}

fn least(passes: impl IntoIterator<Item = f64>) -> f64 {
    passes.into_iter().fold(f64::INFINITY, f64::min)
}

/// How far the passes are apart.
fn print_agreement(times: &Times) {
    let apart = times.iter().map(|(id, passes)| {
        let most = passes.iter().copied().fold(0.0, f64::max);
        ((most / least(*passes) - 1.0) * 100.0, id)
    });
    let mut apart: Vec<_> = apart.collect();
    apart.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    if let (Some((most, id)), Some((half, _))) = (apart.last(), apart.get(apart.len() / 2)) {
        println!(
            "\nTwo passes differ by {half:.0} % in the median, by {most:.0} % at most ({id})."
        );
    }
}

/// Prints lines of which the first is the head, without those that have no value.
fn markdown(lines: &[Vec<String>]) {
    let has_value = |line: &&Vec<String>| line[1..].iter().any(|cell| !cell.is_empty());
    let lines: Vec<_> = lines.iter().filter(has_value).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<_> = (0..lines[0].len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let print = |line: &[String]| {
        print!("| {:<width$} |", line[0], width = widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            print!(" {cell:>width$} |");
        }
        println!();
    };
    print(lines[0]);
    let rules = widths
        .iter()
        .skip(1)
        .map(|width| format!("{}:|", "-".repeat(width + 1)));
    println!(
        "|{}|{}",
        "-".repeat(widths[0] + 2),
        rules.collect::<String>()
    );
    lines[1..].iter().for_each(|line| print(line));
}
