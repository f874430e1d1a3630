//! Criterion's own estimates, as tables of ratios.

use std::path::PathBuf;

/// The median of a benchmark's last run in nanoseconds, as criterion left it on disk.
pub(crate) fn nanoseconds(group: &str, benchmark: &str) -> Option<f64> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    let estimates = target
        .join("criterion")
        .join(group)
        .join(benchmark)
        .join("new/estimates.json");
    let estimates = std::fs::read_to_string(estimates).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&estimates).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

pub(crate) fn print<const N: usize>(
    title: &str,
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.fold(header[column].chars().count(), usize::max)
    });
    println!("\n### {title}\n");
    line(&header.map(str::to_owned), &widths);
    println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
    for row in &rows {
        line(row, &widths);
    }
}

/// Prints a row of a Markdown table, numbers to the right of the first column.
fn line(cells: &[String], widths: &[usize]) {
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        if column == 0 {
            print!("| {cell:<width$} ");
        } else {
            print!("| {cell:>width$} ");
        }
    }
    println!("|");
}

pub(crate) fn time(nanoseconds: Option<f64>) -> String {
    nanoseconds.map_or_else(|| "-".to_owned(), |time| format!("{time:.1} ns"))
}

pub(crate) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
}
