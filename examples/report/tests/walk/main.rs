//! The log of the example agent's walk, reported on: what the agent writes is what the report reads.
//!
//! The log is the agent's own golden one, which its tests hold against the agent.

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use support::{report, text};

const LOG: &str = include_str!("../../../agent/tests/golden/walk.jsonl");

/// The report of it. `UPDATE_GOLDEN=1` writes it.
const GOLDEN: &str = include_str!("report.txt");

#[test]
fn the_walk_gives_the_golden_report() {
    let output = report(&["--by", "msg"], Path::new("."), LOG.as_bytes());
    let printed = text(&output);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/walk/report.txt");
        std::fs::write(path, &printed).expect("written");
        return;
    }
    assert_eq!(printed, GOLDEN);
}
