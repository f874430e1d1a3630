//! The report as one JSON object.

use serde_json::{Map, Value, json};

use super::{MOST, kinds};
use crate::arguments::Arguments;
use crate::tally::histogram::{BINS, Cluster, Histogram};
use crate::tally::timeline::Timeline;
use crate::tally::top::Top;
use crate::tally::{EXPECTED, First, INHERITED, Tally, UNEXPECTED};

/// How wide the timeline is.
const COLUMNS: i64 = 60;

pub(crate) fn for_machines(tally: &Tally, arguments: &Arguments) -> String {
    let of = if arguments.expected { "expected" } else { "unexpected" };
    let mut report = json!({
        "lines": tally.lines,
        "ends": tally.ends(),
        "expected": tally.expected,
        "unexpected": tally.unexpected,
        "inherited": {
            "expected": tally.inherited_expected,
            "unexpected": tally.inherited_unexpected,
        },
        "first": tally.first,
        "last": tally.last,
        "kinds": kinds_of(tally),
        "without_time": tally.without_time.as_ref().map_or_else(|| json!({"count": 0}), first),
        "left_out": tally.left_out,
        "skipped": tally
            .skipped
            .iter()
            .map(|(why, noted)| (why.key().to_owned(), first(noted)))
            .collect::<Map<_, _>>(),
    });
    for (name, value) in [
        ("timeline", timeline(&tally.timeline)),
        ("details", values(&tally.details, "disconnect_detail")),
        ("details_more", more(&tally.details)),
        ("codes", values(&tally.codes, "disconnect_code")),
        ("codes_more", more(&tally.codes)),
        ("lifetimes", histogram(&tally.lifetimes)),
        ("silences", histogram(&tally.silences)),
        ("before_a_byte", tally.before_a_byte.into()),
        ("clock_jumps", tally.clock_jumps.into()),
    ] {
        report[format!("{of}_{name}")] = value;
    }
    report[format!("{of}_silences")]["floor"] = tally.silences.floor().map(|floor| cluster(&floor)).into();
    if let Some(key) = &arguments.by {
        report["by"] = values(&tally.by, key);
        report["by_more"] = more(&tally.by);
    }
    if arguments.when {
        report["seconds"] = values(&tally.seconds, "second");
        report["seconds_more"] = more(&tally.seconds);
    }
    if let Some(key) = arguments.by.as_deref().filter(|_| arguments.away) {
        let machines = tally.away.machines();
        let machines = machines.iter().take(MOST).map(|machine| {
            json!({key: machine.name, "ends": machine.ends, "known": machine.known,
                "away_ms": machine.total, "longest_away_ms": machine.longest})
        });
        report["away"] = machines.collect();
    }
    report.to_string()
}

fn kinds_of(tally: &Tally) -> Vec<Value> {
    let kinds = kinds(tally).into_iter().map(|(kind, ends)| {
        let mut value = json!({
            "connect_type": kind.connect_type,
            "disconnect_reason": kind.reason,
            "disconnect_expected": kind.reason.expected(),
            "disconnect_initiator": kind.initiator,
            "disconnect_trigger": kind.trigger,
            "disconnect_peer": kind.peer,
            "count": ends.original,
            "inherited": ends.inherited,
        });
        if !ends.timeline.is_empty() {
            value["timeline"] = timeline(&ends.timeline);
        }
        value
    });
    kinds.collect()
}

fn timeline(timeline: &Timeline) -> Value {
    let (seconds, columns) = timeline.columns(COLUMNS);
    let columns: Vec<_> = columns
        .iter()
        .filter(|column| column.count > 0)
        .map(|column| json!({"start": column.start, "count": column.count}))
        .collect();
    json!({"seconds": seconds, "columns": columns})
}

fn values<const N: usize>(top: &Top<N>, key: &str) -> Value {
    let most = top.most(MOST).into_iter();
    most.map(|shown| {
        let mut value = json!({key: shown.text, "count": shown.at_most});
        for (name, column) in [("expected", EXPECTED), ("unexpected", UNEXPECTED), ("inherited", INHERITED)] {
            if let Some(count) = shown.counted.get(column).filter(|_| N > 1) {
                value[name] = json!(count);
            }
        }
        if shown.at_least < shown.at_most {
            value["at_least"] = json!(shown.at_least);
        }
        value
    })
    .collect()
}

/// What the list of the most frequent leaves out.
fn more<const N: usize>(top: &Top<N>) -> Value {
    let most = top.most(MOST);
    let shown: u64 = most.iter().map(|shown| shown.at_least).sum();
    json!({
        "distinct": top.distinct().map(|distinct| distinct - most.len()),
        "count": top.total().saturating_sub(shown),
        "error_at_most": top.error_at_most(),
    })
}

fn histogram(histogram: &Histogram) -> Value {
    let bins: Vec<_> = BINS
        .iter()
        .zip(histogram.bins())
        .filter(|(_, count)| **count > 0)
        .map(|((from, _), count)| json!({"from_ms": from, "count": count}))
        .collect();
    let clusters: Vec<_> = histogram.clusters().iter().map(cluster).collect();
    json!({"count": histogram.count(), "bins": bins, "clusters": clusters})
}

fn cluster(cluster: &Cluster) -> Value {
    let suggests = Some(cluster.suggests).filter(|suggests| !suggests.is_empty());
    json!({"seconds": cluster.seconds, "count": cluster.count, "suggests": suggests})
}

fn first(first: &First) -> Value {
    let mut value = json!({"count": first.count, "first": first.place});
    if let Some(likely) = &first.likely {
        value["likely"] = json!(likely);
    }
    value
}
