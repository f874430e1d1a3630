//! What the end of a connection costs, beside what its user would write otherwise.
//!
//! `cargo bench --all-features` prints the tables of `benches/README.md`. A filter runs a part, `--counts` only the
//! instructions, `--times` only the times:
//!
//! ```text
//! cargo bench --all-features -- --counts 'Reading a line'
//! ```

mod count;
mod lines;
mod parts;
mod streams;
mod time;
mod whole;

use std::collections::BTreeMap;
use std::process::ExitCode;

/// Runs a case so often.
pub(crate) type Batch = Box<dyn FnMut(u32)>;

/// Whether its instructions are the same in each run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Exactly,
    /// It reads a clock, and how two readings are subtracted depends on their values: now and then an instruction
    /// more or less.
    Nearly,
    /// The kernel's part is not counted.
    Never,
}

pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) make: Box<dyn Fn() -> Batch>,
    pub(crate) counted: Counted,
    /// The row of the same table that this one is held against.
    beside: Option<&'static str>,
}

impl Row {
    /// What `make` sets up is not measured.
    pub(crate) fn new(name: &str, counted: Counted, make: impl Fn() -> Batch + 'static) -> Self {
        let (name, make) = (name.to_owned(), Box::new(make));
        Self { name, make, counted, beside: None }
    }

    pub(crate) fn beside(self, other: &'static str) -> Self {
        Self { beside: Some(other), ..self }
    }
}

pub(crate) fn each(mut run: impl FnMut() + 'static) -> Batch {
    Box::new(move |count| (0..count).for_each(|_| run()))
}

pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<Row>,
}

fn tables() -> Vec<Table> {
    vec![
        lines::slog(),
        lines::filtered_out(),
        lines::tracing(),
        lines::reading(),
        parts::parts(),
        parts::accept_to_line(),
        streams::memory(),
        streams::loopback(),
    ]
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let filter = filter.map_or("", String::as_str);
    let tables = tables();
    if has(count::CHILD) {
        return count::run_in_child(&tables, filter);
    }
    if has(whole::CHILD) {
        return whole::run_in_child(filter);
    }
    if !has("--bench") {
        // `cargo test --benches`: each once, to see that it works.
        let rows = tables.iter().flat_map(|table| &table.rows);
        rows.for_each(|row| (row.make)()(1));
        whole::run_small();
        return ExitCode::SUCCESS;
    }
    if !has("--times")
        && let Err(error) = count::find_valgrind()
    {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    for table in &tables {
        let id = |row: &Row| format!("{}/{}", table.title, row.name);
        let rows = table.rows.iter().filter(|row| id(row).contains(filter));
        // A table that is never counted has times alone.
        let rows = rows.filter(|row| !has("--counts") || row.counted != Counted::Never);
        let rows: Vec<(String, &Row)> = rows.map(|row| (id(row), row)).collect();
        if rows.is_empty() {
            continue;
        }
        let counts = if has("--times") { BTreeMap::new() } else { count::all(&rows) };
        let times = if has("--counts") { BTreeMap::new() } else { time::all(&rows) };
        print(table, &rows, &counts, &times);
    }
    if !has("--counts") {
        whole::print(filter);
    }
    ExitCode::SUCCESS
}

/// Prints a table as Markdown: instructions, time, and the ratio to the row that one is held against, of the
/// instructions or else of the time.
fn print(
    table: &Table,
    rows: &[(String, &Row)],
    counts: &BTreeMap<String, u64>,
    times: &BTreeMap<String, f64>,
) {
    println!("\n### {}\n", table.title);
    println!("| what | instructions | time | of |\n|---|--:|--:|---|");
    for (id, row) in rows {
        let count = counts.get(id).map(u64::to_string).unwrap_or_default();
        let time = times.get(id).map(|&time| nanoseconds(time));
        let time = time.unwrap_or_default();
        let ratio = row.beside.and_then(|other| {
            let other_id = format!("{}/{other}", table.title);
            #[allow(clippy::cast_precision_loss)] // far below 2^52
            let value = |id| {
                let count = counts.get(id).map(|&count| count as f64);
                count.or_else(|| times.get(id).copied())
            };
            Some(format!("{:.2} of {other}", value(id)? / value(&other_id)?))
        });
        let ratio = ratio.unwrap_or_default();
        println!("| {} | {count} | {time} | {ratio} |", row.name);
    }
}

/// With two digits: a second run gives no more.
fn nanoseconds(value: f64) -> String {
    let unit = 10_f64.powf(value.log10().floor() - 1.0);
    let decimals = usize::from(unit < 0.95);
    format!("{:.decimals$} ns", (value / unit).round() * unit)
}
