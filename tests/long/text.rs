//! Text, a record, every adapter.

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, Evidence, disconnect_event,
};
use proptest::prelude::*;
use proptest::sample::select;
use tracing::{Level, subscriber::with_default};

use crate::long;
use crate::strategies::{any_end, any_text};
use crate::support::{Sink, term_text};
use crate::words::words;
use crate::worlds::{KEYS, ours, through_slog, through_tracing};

/// A record with any of the fields, the origin too, which a guard alone can set.
fn any_line() -> impl Strategy<Value = Disconnect> {
    let layer = select(ConnectType::VARIANTS);
    (any_end(), prop::option::of(layer)).prop_map(|(end, layer)| match layer {
        None => end,
        Some(layer) => inherited(layer, end),
    })
}

/// The line of a guard below the record.
fn inherited(layer: ConnectType, end: Disconnect) -> Disconnect {
    let parent = Cause::default();
    parent.record(Evidence::Local, end.clone());
    let mut line = None;
    let guard = DisconnectGuard::new(layer, |end| line = Some(end)).with_cause(parent.child());
    guard.close(end); // refused, but for its facts
    line.expect("one line")
}

fn tracing_text(end: &Disconnect, is_compact: bool) -> String {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_writer(sink.clone());
    let log = || disconnect_event!(Level::INFO, end, peer = "ws", "closed");
    if is_compact {
        with_default(subscriber.compact().finish(), log);
    } else {
        with_default(subscriber.finish(), log);
    }
    sink.text()
}

fn check(text: &str, end: &Disconnect) -> Result<(), TestCaseError> {
    let end = &end.clone().with_detail(text.to_owned());
    let json = serde_json::to_string(end).expect("written");
    let expected = ours(&json, false);
    let lines = [
        (json, false),
        (through_slog(end), false),
        (through_tracing(end, true), false),
        (through_tracing(end, false), true),
    ];
    for (line, is_nested) in &lines {
        prop_assert_eq!(&ours(line, *is_nested), &expected);
        let read: Disconnect = serde_json::from_str(line).expect("accepted");
        prop_assert_eq!(&read, end);
    }
    let term = term_text(|log| slog::info!(log, "closed"; "peer" => "ws", end));
    let plain = tracing_text(end, false);
    for line in [term, plain, tracing_text(end, true), end.to_string() + "\n"] {
        prop_assert_eq!(line.matches('\n').count(), 1, "{}", line);
        prop_assert!(
            !line.trim_end_matches('\n').contains(char::is_control),
            "{line:?}"
        );
    }
    let shown = words(end);
    prop_assert!(end.detail().is_none_or(|detail| shown.ends_with(detail)));
    Ok(())
}

#[test]
#[ignore = "long"]
fn any_text_is_one_line_and_one_record_through_every_adapter() {
    long::run(&(any_text(), any_line()), |(text, end)| {
        check(&text, &end)?;
        let keys = ours(&serde_json::to_string(&end).expect("written"), false).len();
        Ok(keys == KEYS.len() && end.detail().is_some())
    });
}
