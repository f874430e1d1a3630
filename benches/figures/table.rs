//! Cases in rows and columns, and the Markdown that they are printed as.

use std::collections::BTreeMap;
use std::iter;
use std::time::Duration;

use crate::case::Case;
use crate::time::Times;

pub(crate) type Counts = BTreeMap<String, Option<u64>>;

type Value<'a> = &'a dyn Fn(&str) -> Option<f64>;

/// Up to so many columns of cases stand beside one another with their times.
const NARROW: usize = 2;

pub(crate) struct Row {
    name: String,
    cases: Vec<Case>,
}

impl Row {
    pub(crate) fn new(name: &str, cases: impl IntoIterator<Item = Case>) -> Self {
        Self {
            name: name.to_owned(),
            cases: cases.into_iter().collect(),
        }
    }
}

pub(crate) struct Table {
    title: &'static str,
    what: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
    ratios: Vec<(&'static str, &'static str)>,
    /// How often each case takes its turn, and for how long at least.
    pub(crate) rounds: u32,
    pub(crate) batch: Duration,
    columns_apart: bool,
}

impl Table {
    pub(crate) fn new(
        title: &'static str,
        what: &'static str,
        columns: impl Into<Vec<&'static str>>,
        rows: Vec<Row>,
    ) -> Self {
        Self {
            title,
            what,
            columns: columns.into(),
            rows,
            ratios: Vec::new(),
            rounds: 1000,
            // Long enough for a reading of the clock not to show, short enough to run between interruptions.
            batch: Duration::from_micros(50),
            columns_apart: false,
        }
    }

    /// Prints how many of the second row the first one takes.
    pub(crate) fn with_ratios(
        mut self,
        ratios: impl Into<Vec<(&'static str, &'static str)>>,
    ) -> Self {
        self.ratios = ratios.into();
        self
    }

    pub(crate) fn with_columns_apart(mut self) -> Self {
        self.columns_apart = true;
        self
    }

    fn id(&self, row: &str, column: usize) -> String {
        format!("{}/{row}/{}", self.title, self.columns[column])
    }

    /// For what takes a while to start.
    pub(crate) fn with_batches_of(mut self, batch: Duration, rounds: u32) -> Self {
        (self.batch, self.rounds) = (batch, rounds);
        self
    }

    /// Each case under its name, column by column.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (String, &Case)> {
        let cell = move |column| {
            let rows = self.rows.iter();
            rows.map(move |row| (self.id(&row.name, column), &row.cases[column]))
        };
        (0..self.columns.len()).flat_map(cell)
    }

    /// What is timed in one loop: each column on its own, or all.
    pub(crate) fn taking_turns<'c, 'a>(
        &self,
        cases: &'c [(String, &'a Case)],
    ) -> Vec<&'c [(String, &'a Case)]> {
        let column = |id: &str| id.rsplit('/').next().map(str::to_owned);
        if self.columns_apart {
            cases
                .chunk_by(|(one, _), (other, _)| column(one) == column(other))
                .collect()
        } else {
            vec![cases]
        }
    }

    pub(crate) fn print(&self, counts: Option<&Counts>, times: Option<&Times>) {
        let count = |id: &str| Some((*counts?.get(id)?)? as f64);
        let time = |id: &str| {
            Some(
                times?
                    .get(id)?
                    .iter()
                    .copied()
                    .fold(f64::INFINITY, f64::min),
            )
        };
        let measures: [(&str, bool, &dyn Fn(&str) -> Option<f64>); 2] = [
            ("instructions", counts.is_some(), &count),
            ("time", times.is_some(), &time),
        ];
        let measures = measures.iter().filter(|(_, is_taken, _)| *is_taken);
        if self.columns.len() > NARROW {
            for (name, _, value) in measures {
                println!("\n### {}: {name}\n", self.title);
                let columns = self.columns.iter().map(|&column| column.to_owned());
                self.print_values(columns, &[(name, *value)]);
            }
        } else {
            println!("\n### {}\n", self.title);
            let measures: Vec<_> = measures.map(|(name, _, value)| (*name, *value)).collect();
            let columns = measures.iter().flat_map(|(name, _)| {
                self.columns
                    .iter()
                    .map(move |column| match self.columns.len() {
                        1 => (*name).to_owned(),
                        _ => format!("{column}, {name}"),
                    })
            });
            self.print_values(columns, &measures);
        }
        if let Some(times) = times {
            print_agreement(times);
        }
        if !self.ratios.is_empty() {
            self.print_ratios(if counts.is_some() { &count } else { &time });
        }
    }

    fn print_values(&self, columns: impl Iterator<Item = String>, measures: &[(&str, Value<'_>)]) {
        let rows = self.rows.iter().map(|row| {
            let values = measures.iter().flat_map(|(name, value)| {
                (0..self.columns.len()).map(move |column| {
                    let value = value(&self.id(&row.name, column));
                    match *name {
                        "time" => value.map_or_else(String::new, nanoseconds),
                        _ => value.map_or_else(String::new, |value| format!("{value:.0}")),
                    }
                })
            });
            iter::once(row.name.clone()).chain(values).collect()
        });
        let head = iter::once(self.what.to_owned()).chain(columns).collect();
        markdown(head, rows.collect());
    }

    /// Of the whole line; where there is a bare one, of what the fields add to it, too.
    fn print_ratios(&self, value: Value<'_>) {
        let columns = 0..self.columns.len();
        let rows = self.ratios.iter().map(|(of, to)| {
            let ratio = |column| {
                let (of, to) = (value(&self.id(of, column))?, value(&self.id(to, column))?);
                Some(format!("{:.2}", of / to))
            };
            let ratios = columns
                .clone()
                .map(|column| ratio(column).unwrap_or_default());
            iter::once(format!("{of} / {to}")).chain(ratios).collect()
        });
        println!();
        let head = iter::once("ratio").chain(self.columns.iter().copied());
        markdown(head.map(str::to_owned).collect(), rows.collect());
    }
}

/// Two digits: a second run gives no more.
fn nanoseconds(value: f64) -> String {
    let decimals = if value < 9.95 { 1 } else { 0 };
    let unit = if value < 99.5 {
        1.0
    } else {
        10_f64.powf(value.log10().floor() - 1.0)
    };
    if value < 99.5 {
        format!("{value:.decimals$} ns")
    } else {
        format!("{:.0} ns", (value / unit).round() * unit)
    }
}

/// How far the passes are apart.
fn print_agreement(times: &Times) {
    let apart = times.iter().map(|(id, passes)| {
        let (least, most) = (
            passes.iter().copied().fold(f64::INFINITY, f64::min),
            passes.iter().copied().fold(0.0, f64::max),
        );
        ((most / least - 1.0) * 100.0, id)
    });
    let mut apart: Vec<_> = apart.collect();
    apart.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let (Some((most, id)), (half, _)) = (apart.last(), apart[apart.len() / 2]) else {
        return;
    };
    println!("\nTwo passes differ by {half:.0} % in the median, by {most:.0} % at most ({id}).");
}

fn markdown(head: Vec<String>, rows: Vec<Vec<String>>) {
    let filled = rows
        .into_iter()
        .filter(|row| row[1..].iter().any(|cell| !cell.is_empty()));
    let rows: Vec<Vec<String>> = filled.collect();
    let width = |column: usize| {
        let cells = iter::once(&head)
            .chain(&rows)
            .map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &[String]| {
        print!("| {:<width$} |", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            print!(" {cell:>width$} |");
        }
        println!();
    };
    line(&head);
    let rules = widths
        .iter()
        .enumerate()
        .map(|(column, width)| match column {
            0 => "-".repeat(width + 2),
            _ => format!("{}:", "-".repeat(width + 1)),
        });
    println!("|{}|", rules.collect::<Vec<_>>().join("|"));
    rows.iter().for_each(|row| line(row));
}
