//! The log of the example agent's walk, reported on: what the agent writes is what the report reads.
//!
//! The log is the agent's own golden one, which its tests hold against the agent.

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use serde_json::{Value, json};

use support::{holds, json_of_input, report, text};

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

#[test]
fn each_kind_is_counted_as_often_as_it_is_in_the_log() {
    let lines: Vec<Value> = LOG.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let report = json_of_input(&[], LOG.as_bytes());
    let mut ends = 0;
    for kind in report["kinds"].as_array().expect("an array") {
        let fields = kind.as_object().expect("an object").iter();
        let fields: Vec<_> =
            fields.filter(|(key, _)| !["count", "inherited"].contains(&key.as_str())).collect();
        assert_eq!(fields.len(), 6);
        let of_kind = lines.iter().filter(|line| fields.iter().all(|(key, value)| line[key] == **value));
        let (inherited, own): (Vec<_>, Vec<_>) =
            of_kind.partition(|line| line.get("disconnect_origin").is_some());
        assert_eq!(
            (&kind["count"], &kind["inherited"]),
            (&json!(own.len()), &json!(inherited.len())),
            "{kind}"
        );
        ends += own.len() + inherited.len();
    }
    // A dial that failed is the one line that is no end.
    let dial = json!({"no_end": {"count": 1, "first": "standard input:1"}});
    holds(&report, &json!({"/ends": ends, "/skipped": dial}), "the walk");
    assert_eq!(lines.len(), ends + 1);
}
