//! The fault matrix: real faults against real peers, each with the line that the docs promise.
//!
//! The table in the docs of `disconnect_attribution::faults` is the expectation itself: a test names
//! its row, and the row's text must be what the record prints, but for the numbers.
#![cfg(unix)]

mod agent;
mod client;
mod connections;
mod limits;
mod logins;
mod network;
#[path = "../../../../tests/support/respawned.rs"]
mod respawned;
mod ssh;
mod stalls;
mod websocket;
#[path = "../../../../tests/support/words.rs"]
mod words;

use disconnect_attribution::Disconnect;
use words::words;

const PAGE: &str = include_str!("../../../../src/pages/faults_agent.md");

/// Fault and line of each row of the table.
fn rows() -> Vec<(&'static str, &'static str)> {
    let cells = |row: &'static str| -> Option<(&str, &str)> {
        let mut cells = row.strip_prefix("| ")?.split(" | ");
        let (fault, line) = (cells.next()?, cells.next()?);
        Some((fault, line.strip_prefix('`')?.strip_suffix('`')?))
    };
    PAGE.lines().filter_map(cells).collect()
}

/// Holds a record against its row.
#[track_caller]
fn check(fault: &str, end: &Disconnect) {
    check_any(&[fault], end);
}

/// Holds a record against several rows, for a race between kernels. One of a peer that is killed with
/// bytes unread resets the connection, for example, in place of a FIN.
#[track_caller]
fn check_any(faults: &[&str], end: &Disconnect) {
    let rows = rows();
    let line = |fault: &&str| {
        let row = rows.iter().find(|(name, _)| name == fault);
        row.unwrap_or_else(|| panic!("no row {fault:?} for {end}")).1
    };
    let lines: Vec<&str> = faults.iter().map(line).collect();
    let words = words(end);
    assert!(lines.contains(&&*words), "{faults:?}:\n{words}\nis not in\n{lines:#?}");
}

#[test]
fn every_row_is_tested() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults")).expect("sources");
    let read = |file: std::fs::DirEntry| std::fs::read_to_string(file.path()).expect("text");
    let tests: String = files.flatten().map(read).collect();
    for (fault, _) in rows() {
        let quoted = format!("\"{fault}\"");
        assert!(tests.contains(&quoted), "no test for {fault:?}");
    }
    assert!(rows().len() > 30);
}
