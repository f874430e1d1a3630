//! The report as one JSON object.

use serde_json::{Value, json};

use super::MOST;
use crate::tally::Tally;
use crate::tally::histogram::Histogram;
use crate::tally::timeline::Timeline;
use crate::tally::top::{EXPECTED, INHERITED, Top, UNEXPECTED};

/// How wide the timeline is.
const COLUMNS: i64 = 60;

pub(crate) fn for_machines(tally: &Tally) -> String {
    let arguments = &tally.arguments;
    let [[expected, inherited_expected], [unexpected, inherited_unexpected]] =
        [true, false].map(|expected| tally.count(expected));
    let kinds = tally.kinds().into_iter().map(|(kind, ends)| {
        let mut value = json!(kind);
        value["count"] = ends.original.into();
        value["inherited"] = ends.inherited.into();
        if !ends.timeline.is_empty() {
            value["timeline"] = timeline(&ends.timeline);
        }
        value
    });
    let mut report = json!({
        "lines": tally.lines,
        "ends": tally.ends(),
        "expected": expected,
        "unexpected": unexpected,
        "inherited": {"expected": inherited_expected, "unexpected": inherited_unexpected},
        "first": tally.first,
        "last": tally.last,
        "kinds": kinds.collect::<Value>(),
        "without_time": tally.without_time,
        "left_out": tally.left_out,
        "skipped": tally.skipped,
    });
    let mut silences = histogram(&tally.silences);
    silences["floor"] = json!(tally.silences.floor());
    let of = if arguments.expected { "expected" } else { "unexpected" };
    for (name, value) in [
        ("timeline", timeline(&tally.timeline)),
        ("lifetimes", histogram(&tally.lifetimes)),
        ("silences", silences),
        ("before_a_byte", tally.before_a_byte.into()),
        ("clock_jumps", tally.clock_jumps.into()),
    ] {
        report[format!("{of}_{name}")] = value;
    }
    let mut tops = vec![
        (format!("{of}_details"), &tally.details, "disconnect_detail", false),
        (format!("{of}_codes"), &tally.codes, "disconnect_code", false),
    ];
    if arguments.when {
        tops.push(("seconds".to_owned(), &tally.seconds, "second", true));
    }
    if let Some(key) = &arguments.by {
        tops.push(("by".to_owned(), &tally.by, key, true));
        if arguments.away {
            let machines = tally.away.machines();
            let machines = machines.iter().take(MOST).map(|machine| {
                json!({key: machine.name, "ends": machine.ends, "known": machine.known,
                    "away_ms": machine.total, "longest_away_ms": machine.longest})
            });
            report["away"] = machines.collect();
        }
    }
    for (name, top, key, with_columns) in tops {
        report[&name] = values(top, key, with_columns);
        report[name + "_more"] = more(top);
    }
    report.to_string()
}

fn timeline(timeline: &Timeline) -> Value {
    let (seconds, columns) = timeline.columns(None, COLUMNS);
    let columns = columns.iter().filter(|(_, count)| *count > 0);
    let columns: Value = columns.map(|(start, count)| json!({"start": start, "count": count})).collect();
    json!({"seconds": seconds, "columns": columns})
}

fn values(top: &Top, key: &str, with_columns: bool) -> Value {
    let most = top.most(MOST).into_iter();
    most.map(|(text, count)| {
        let mut value = json!({key: text, "count": count.at_most()});
        for (name, column) in [("expected", EXPECTED), ("unexpected", UNEXPECTED), ("inherited", INHERITED)] {
            if with_columns {
                value[name] = count.columns[column].into();
            }
        }
        if count.at_least() < count.at_most() {
            value["at_least"] = count.at_least().into();
        }
        value
    })
    .collect()
}

/// What the list of the most frequent leaves out.
fn more(top: &Top) -> Value {
    let (count, distinct) = top.more(MOST);
    json!({"distinct": distinct, "count": count, "error_at_most": top.error_at_most()})
}

fn histogram(histogram: &Histogram) -> Value {
    let bins = histogram.bins().filter(|(_, _, count)| *count > 0);
    let bins: Value =
        bins.map(|(range, _, count)| json!({"from_ms": range.start * 1000, "count": count})).collect();
    json!({"count": histogram.count(), "bins": bins, "clusters": histogram.clusters()})
}
