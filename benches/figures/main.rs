//! What the end of a connection costs, beside what its user would write otherwise.
//!
//! `cargo bench --all-features` prints the tables of `benches/README.md`. A filter runs a part, `--counts` only tables of
//! instructions, `--times` only the others:
//!
//! ```text
//! cargo bench --all-features -- --counts 'Reading a line'
//! ```

use std::time::Instant;

mod count;
mod lines;
mod parts;
mod streams;
mod whole;

/// Runs a case so often.
pub(crate) type Batch = Box<dyn FnMut(u32)>;

pub(crate) struct Row {
    name: String,
    make: Box<dyn Fn() -> Batch>,
    /// The row of the same table that this one is held against.
    beside: Option<&'static str>,
}

impl Row {
    /// What `make` sets up is not measured.
    pub(crate) fn new(name: &str, make: impl Fn() -> Batch + 'static) -> Self {
        Self { name: name.to_owned(), make: Box::new(make), beside: None }
    }

    pub(crate) fn beside(self, other: &'static str) -> Self {
        Self { beside: Some(other), ..self }
    }
}

pub(crate) fn each(mut run: impl FnMut() + 'static) -> Batch {
    Box::new(move |count| (0..count).for_each(|_| run()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Instructions,
    /// If the kernel's part is most of it, which is not counted.
    Nanoseconds,
}

pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) rows: Vec<Row>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let filter = filter.map_or("", String::as_str);
    let tables = [
        lines::slog(),
        lines::tracing(),
        lines::reading(),
        parts::parts(),
        parts::accept_to_line(),
        streams::memory(),
        streams::loopback(),
    ];
    let id = |table: &Table, row: &Row| format!("{}/{}", table.title, row.name);
    let all = || tables.iter().flat_map(|table| table.rows.iter().map(move |row| (id(table, row), row)));
    if has(count::CHILD) {
        all().filter(|(id, _)| id == filter).for_each(|(_, row)| count::run((row.make)()));
    } else if has(whole::CHILD) {
        whole::run(filter);
    } else if !has("--bench") {
        // `cargo test --benches`: each once, to see that it works.
        all().for_each(|(_, row)| (row.make)()(1));
        whole::run_small();
    } else {
        for table in &tables {
            let is_counted = table.unit == Unit::Instructions;
            let rows = table.rows.iter().map(|row| (id(table, row), row));
            let rows: Vec<(String, &Row)> = rows.filter(|(id, _)| id.contains(filter)).collect();
            if !(rows.is_empty() || has(if is_counted { "--times" } else { "--counts" })) {
                print(table, &rows);
            }
        }
        if !has("--counts") {
            whole::print(filter);
        }
    }
}

/// Prints a table as Markdown, with the ratio to the row that one is held against.
fn print(table: &Table, rows: &[(String, &Row)]) {
    let values = match table.unit {
        Unit::Instructions => rows.iter().map(|(id, _)| count::instructions(id)).collect(),
        Unit::Nanoseconds => times(rows),
    };
    println!("\n### {}\n\n| what | {:?} | of |\n|---|--:|---|", table.title, table.unit);
    for ((_, row), value) in rows.iter().zip(&values) {
        let beside = row.beside.and_then(|other| {
            let index = rows.iter().position(|(_, row)| row.name == other)?;
            Some(format!("{:.2} of {other}", value / values[index]))
        });
        println!("| {} | {value:.0} | {} |", row.name, beside.unwrap_or_default());
    }
}

/// The nanoseconds of each case, the least of all rounds. They take turns, so that what else the machine does hits all of
/// them alike.
fn times(rows: &[(String, &Row)]) -> Vec<f64> {
    const ROUNDS: usize = 2_000;
    // Short enough to run between interruptions.
    const COUNT: u32 = 8;

    let mut cases: Vec<_> = rows.iter().map(|(_, row)| ((row.make)(), f64::INFINITY)).collect();
    for _ in 0..ROUNDS {
        for (batch, least) in &mut cases {
            let start = Instant::now();
            batch(COUNT);
            *least = least.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(COUNT));
        }
    }
    cases.into_iter().map(|(_, least)| least).collect()
}
