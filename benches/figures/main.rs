//! What the end of a connection costs, beside what its user would write otherwise.
//!
//! `cargo bench --all-features` prints the tables of `benches/README.md`. A filter runs a part, `--counts` only the
//! instructions, `--times` only the times:
//!
//! ```text
//! cargo bench --all-features -- --counts reading
//! ```

mod case;
mod connection;
mod count;
mod lines;
mod own;
mod parts;
mod print;
mod reading;
mod streams;
mod table;
mod time;

use std::process::ExitCode;

use print::Measure;
use table::Table;

fn tables() -> Vec<Table> {
    let mut tables = lines::tables();
    tables.extend([
        parts::table(),
        parts::contended(),
        connection::table(),
        streams::table(),
        reading::table(),
    ]);
    tables
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
    if !has("--bench") {
        // `cargo test --benches`: each once, to see that it works.
        for (_, case) in tables.iter().flat_map(Table::cases) {
            case.make()(1);
        }
        return ExitCode::SUCCESS;
    }
    if !has("--times")
        && let Err(error) = count::find_valgrind()
    {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    for table in &tables {
        let cases = table.cases().filter(|(id, _)| id.contains(filter));
        let cases: Vec<_> = cases.collect();
        if cases.is_empty() {
            continue;
        }
        let mut measures = Vec::new();
        if !has("--times") {
            measures.push(Measure::Instructions(count::all(&cases)));
        }
        if !has("--counts") {
            measures.push(Measure::Time(time::all(table, &cases)));
        }
        print::print(table, &measures);
    }
    ExitCode::SUCCESS
}
