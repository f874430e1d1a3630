//! The report as one JSON object.

use serde_json::{Map, Value, json};

use super::{MOST, kinds};
use crate::tally::histogram::{BINS, Histogram};
use crate::tally::top::{Shown, Top};
use crate::tally::{EXPECTED, First, INHERITED, Tally, UNEXPECTED};

/// How wide the timeline is.
const COLUMNS: i64 = 60;

pub(crate) fn for_machines(tally: &Tally) -> String {
    let counts = &tally.counts;
    let mut report = json!({
        "lines": counts.lines,
        "ends": tally.ends(),
        "expected": counts.expected,
        "unexpected": counts.unexpected,
        "inherited": {
            "expected": counts.inherited_expected,
            "unexpected": counts.inherited_unexpected,
        },
        "first": counts.first,
        "last": counts.last,
        "kinds": kinds_of(tally),
        "unexpected_timeline": timeline(tally),
        "unexpected_details": values(&tally.details, "disconnect_detail"),
        "unexpected_details_more": more(&tally.details),
        "unexpected_codes": values(&tally.codes, "disconnect_code"),
        "unexpected_codes_more": more(&tally.codes),
        "unexpected_lifetimes": histogram(&tally.lifetimes),
        "unexpected_silences": histogram(&tally.silences),
        "unexpected_before_a_byte": counts.before_a_byte,
        "unexpected_clock_jumps": counts.clock_jumps,
        "without_time": tally.without_time.as_ref().map_or_else(|| json!({"count": 0}), first),
        "left_out": counts.left_out,
        "skipped": tally
            .skipped
            .iter()
            .map(|(why, noted)| (why.key().to_owned(), first(noted)))
            .collect::<Map<_, _>>(),
    });
    if tally.messages.total() > 0 {
        report["messages"] = messages(&tally.messages).into();
        report["messages_more"] = more(&tally.messages);
    }
    report.to_string()
}

fn kinds_of(tally: &Tally) -> Vec<Value> {
    let kinds = kinds(tally).into_iter().map(|(kind, ends)| {
        json!({
            "connect_type": kind.connect_type,
            "disconnect_reason": kind.reason,
            "disconnect_expected": kind.reason.expected(),
            "disconnect_initiator": kind.initiator,
            "disconnect_trigger": kind.trigger,
            "count": ends.original,
            "inherited": ends.inherited,
        })
    });
    kinds.collect()
}

fn timeline(tally: &Tally) -> Value {
    let (seconds, columns) = tally.counts.timeline.columns(COLUMNS);
    let columns: Vec<_> = columns
        .iter()
        .filter(|column| column.count > 0)
        .map(|column| json!({"start": column.start, "count": column.count}))
        .collect();
    json!({"seconds": seconds, "columns": columns})
}

fn values<const N: usize>(top: &Top<N>, key: &str) -> Vec<Value> {
    let most = top.most(MOST).into_iter();
    most.map(|shown| {
        let mut value = json!({key: shown.text, "count": shown.at_most});
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

fn messages(top: &Top<3>) -> Vec<Value> {
    let most = top.most(MOST).into_iter();
    most.map(
        |Shown {
             text,
             counted,
             at_least,
             at_most,
         }| {
            let mut value = json!({
                "msg": text,
                "count": at_most,
                "expected": counted[EXPECTED],
                "unexpected": counted[UNEXPECTED],
                "inherited": counted[INHERITED],
            });
            if at_least < at_most {
                value["at_least"] = json!(at_least);
            }
            value
        },
    )
    .collect()
}

fn histogram(histogram: &Histogram) -> Value {
    let bins: Vec<_> = BINS
        .iter()
        .zip(histogram.bins())
        .filter(|(_, count)| **count > 0)
        .map(|((from, _), count)| json!({"from_ms": from, "count": count}))
        .collect();
    let clusters: Vec<_> = histogram
        .clusters()
        .into_iter()
        .map(|cluster| {
            let suggests = Some(cluster.suggests).filter(|suggests| !suggests.is_empty());
            json!({"seconds": cluster.seconds, "count": cluster.count, "suggests": suggests})
        })
        .collect();
    json!({"count": histogram.count(), "bins": bins, "clusters": clusters})
}

fn first(first: &First) -> Value {
    let mut value = json!({"count": first.count, "first": first.place});
    if let Some(likely) = &first.likely {
        value["likely"] = json!(likely);
    }
    value
}
