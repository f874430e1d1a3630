//! The log of the example agent's walk, reported on: what the agent writes is what the report reads.
//!
//! The log is the agent's own golden one, which its tests hold against the agent.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use support::{json_of_input, report, text};

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

/// What makes ends one kind.
const KIND: [&str; 6] = [
    "connect_type",
    "disconnect_reason",
    "disconnect_expected",
    "disconnect_initiator",
    "disconnect_trigger",
    "disconnect_peer",
];

#[test]
fn each_kind_is_counted_as_often_as_it_is_in_the_log() {
    let key = |line: &Value| KIND.map(|key| line[key].to_string());
    // Own ends and inherited ones, counted from the lines as JSON alone.
    let mut expected: BTreeMap<_, [u64; 2]> = BTreeMap::new();
    for line in LOG.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        if line.get("disconnect_reason").is_some() {
            let is_inherited = line.get("disconnect_origin").is_some();
            expected.entry(key(&line)).or_default()[usize::from(is_inherited)] += 1;
        }
    }
    let report = json_of_input(&[], LOG.as_bytes());
    let kinds = report["kinds"].as_array().expect("an array");
    let counts = |kind: &Value| ["count", "inherited"].map(|key| kind[key].as_u64().expect(key));
    let reported: BTreeMap<_, _> = kinds.iter().map(|kind| (key(kind), counts(kind))).collect();
    assert_eq!(reported, expected);
    assert_eq!(kinds.len(), expected.len(), "each kind once");

    let ends: u64 = expected.values().flatten().sum();
    assert_eq!(report["ends"], ends);
    // A dial that failed is the one line that is no end.
    assert_eq!(LOG.lines().count() as u64, ends + 1);
    let dial = json!({"no_end": {"count": 1, "first": "standard input:1"}});
    assert_eq!(report["skipped"], dial);
}
