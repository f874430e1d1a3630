//! The fault matrix: real faults against real peers, each with the line that the docs promise.
//!
//! The table in the docs of `disconnect_attribution::faults` is the expectation itself: a test names
//! its row, and the row's text must be what the record prints.
#![cfg(unix)]

mod agent;
mod grpc;
mod ssh;
#[path = "../../../../tests/support/mod.rs"]
mod support;
mod websocket;

use disconnect_attribution::Disconnect;

const PAGE: &str = include_str!("../../../../src/pages/faults.md");

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
    let rows = rows();
    let row = rows.iter().find(|(name, _)| *name == fault);
    let (_, line) = row.unwrap_or_else(|| panic!("no row {fault:?} for {end}"));
    assert_eq!(end.to_string(), *line, "{fault}");
}

/// Holds the record of a peer that was killed against its row, or against the row for one that had
/// not read everything: its kernel then resets the connection, and which of the two is a race.
#[track_caller]
fn check_killed(fault: &str, with_bytes_unread: &str, end: &Disconnect) {
    let reset = end
        .detail()
        .is_some_and(|detail| detail.contains("reset by peer"));
    check(if reset { with_bytes_unread } else { fault }, end);
}

#[test]
fn every_row_is_tested() {
    let tests = [
        include_str!("ssh.rs"),
        include_str!("websocket.rs"),
        include_str!("grpc.rs"),
    ];
    for (fault, _) in rows() {
        let quoted = format!("\"{fault}\"");
        assert!(
            tests.iter().any(|test| test.contains(&quoted)),
            "no test for {fault:?}"
        );
    }
    assert!(rows().len() > 30);
}
