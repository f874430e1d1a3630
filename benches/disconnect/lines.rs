//! One log line, through each kind of drain: bare, with the fields written by hand, and with ours.

use std::fmt;
use std::hint::black_box;
use std::io;
use std::sync::Mutex;

use criterion::Criterion;
use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectReason, Initiator, disconnect_event,
};
use slog::{
    Discard, Drain, KV, Key, Level, LevelFilter, Logger, Never, OwnedKVList, Record, Serializer,
    info, o,
};

use crate::table;

/// What a call site knows when a connection ends; it decides again for each line.
struct Site {
    shutting_down: bool,
    result: Result<(), ()>,
    detail: &'static str,
}

const SITE: Site = Site {
    shutting_down: false,
    result: Err(()),
    detail: "read failed: Connection reset by peer (os error 104)",
};

impl Site {
    /// The decision as users write it without this crate.
    #[inline]
    fn by_hand(&self) -> (&'static str, bool, &'static str) {
        if self.shutting_down {
            ("server_shutdown", true, "agent")
        } else {
            match self.result {
                Ok(()) => ("graceful", true, "server"),
                Err(()) => ("network_error", false, "network"),
            }
        }
    }

    #[inline]
    fn as_enums(&self) -> (DisconnectReason, Initiator) {
        if self.shutting_down {
            (DisconnectReason::ServerShutdown, Initiator::Agent)
        } else {
            match self.result {
                Ok(()) => (DisconnectReason::Graceful, Initiator::Server),
                Err(()) => (DisconnectReason::NetworkError, Initiator::Network),
            }
        }
    }
}

impl Site {
    #[inline]
    fn record(&self) -> Disconnect {
        let (reason, initiator) = self.as_enums();
        Disconnect::new(ConnectType::ServerToAgent, reason).with_initiator(initiator)
    }
}

/// Serializes every field and keeps nothing: what is left is the cost of the fields themselves.
struct DoNothing;

impl Drain for DoNothing {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        let _ = record.kv().serialize(record, &mut DoNothing);
        Ok(())
    }
}

macro_rules! keep_nothing {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(&mut self, key: Key, value: $type) -> slog::Result {
            black_box((key, value));
            Ok(())
        }
    )*};
}

impl Serializer for DoNothing {
    keep_nothing!(emit_str: &str, emit_bool: bool, emit_i32: i32, emit_arguments: &fmt::Arguments<'_>);
}

fn drains() -> Vec<(&'static str, Logger)> {
    let json = || Mutex::new(slog_json::Json::default(io::sink())).fuse();
    let term = slog_term::FullFormat::new(slog_term::PlainSyncDecorator::new(io::sink()));
    let asynchronous = slog_async::Async::new(DoNothing.fuse())
        .chan_size(1 << 16)
        .overflow_strategy(slog_async::OverflowStrategy::Drop)
        .build();
    vec![
        (
            "serializer that does nothing",
            Logger::root(DoNothing.fuse(), o!()),
        ),
        ("slog-json", Logger::root(json(), o!())),
        ("slog-term", Logger::root(term.build().fuse(), o!())),
        ("async drain", Logger::root(asynchronous.fuse(), o!())),
        (
            "filtered out",
            Logger::root(LevelFilter::new(json(), Level::Warning).fuse(), o!()),
        ),
        ("discarded", Logger::root(Discard, o!())),
    ]
}

const BARE: &str = "bare line";
const BY_HAND: &str = "by hand";
const OPAQUE: &str = "by hand, words from elsewhere";
const ENUMS: &str = "ours, as enums";
const RECORD: &str = "ours, as a record";
const BY_HAND_DETAIL: &str = "by hand, with detail";
const RECORD_DETAIL: &str = "ours, with detail";
const TRACING_BARE: &str = "tracing, bare line";
const TRACING: &str = "tracing, by hand";
const TRACING_EVENT: &str = "tracing, disconnect_event!";

pub(crate) fn bench(criterion: &mut Criterion) {
    for (drain, log) in drains() {
        let mut group = criterion.benchmark_group(drain);
        group.bench_function(BARE, |bench| {
            bench.iter(|| info!(log, "disconnected from coordination RPC"));
        });
        group.bench_function(BY_HAND, |bench| {
            bench.iter(|| {
                let (reason, expected, initiator) = black_box(&SITE).by_hand();
                info!(log, "disconnected from coordination RPC";
                    "connect_type" => "server_to_agent",
                    "disconnect_reason" => reason,
                    "disconnect_expected" => expected,
                    "disconnect_initiator" => initiator);
            });
        });
        // Nothing is decided here, and the compiler can't see the words: they came in a message, say.
        group.bench_function(OPAQUE, |bench| {
            bench.iter(|| {
                info!(log, "disconnected from coordination RPC";
                    "connect_type" => black_box("server_to_agent"),
                    "disconnect_reason" => black_box("network_error"),
                    "disconnect_expected" => black_box(false),
                    "disconnect_initiator" => black_box("network"));
            });
        });
        group.bench_function(ENUMS, |bench| {
            bench.iter(|| {
                let (reason, initiator) = black_box(&SITE).as_enums();
                info!(log, "disconnected from coordination RPC";
                    ConnectType::ServerToAgent, reason, initiator);
            });
        });
        group.bench_function(RECORD, |bench| {
            bench.iter(|| {
                let site = black_box(&SITE);
                info!(log, "disconnected from coordination RPC";
                    site.record());
            });
        });
        group.bench_function(BY_HAND_DETAIL, |bench| {
            bench.iter(|| {
                let site = black_box(&SITE);
                let (reason, expected, initiator) = site.by_hand();
                info!(log, "disconnected from coordination RPC";
                    "connect_type" => "server_to_agent",
                    "disconnect_reason" => reason,
                    "disconnect_expected" => expected,
                    "disconnect_initiator" => initiator,
                    "disconnect_detail" => site.detail);
            });
        });
        group.bench_function(RECORD_DETAIL, |bench| {
            bench.iter(|| {
                let site = black_box(&SITE);
                info!(log, "disconnected from coordination RPC";
                    site.record()
                        .with_detail(site.detail));
            });
        });
        group.finish();
    }
    tracing(criterion);
}

/// For scale: the same event through `tracing` and its JSON formatter, and with its level off.
fn tracing(criterion: &mut Criterion) {
    use tracing::Level;
    for (drain, level) in [("slog-json", Level::INFO), ("filtered out", Level::WARN)] {
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(level)
            .with_writer(io::sink)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut group = criterion.benchmark_group(drain);
            group.bench_function(TRACING_BARE, |bench| {
                bench.iter(|| tracing::info!("disconnected from coordination RPC"));
            });
            group.bench_function(TRACING, |bench| {
                bench.iter(|| {
                    let (reason, expected, initiator) = black_box(&SITE).by_hand();
                    tracing::info!(
                        connect_type = "server_to_agent",
                        disconnect_reason = reason,
                        disconnect_expected = expected,
                        disconnect_initiator = initiator,
                        "disconnected from coordination RPC"
                    );
                });
            });
            group.bench_function(TRACING_EVENT, |bench| {
                bench.iter(|| {
                    let site = black_box(&SITE);
                    disconnect_event!(
                        Level::INFO,
                        site.record(),
                        "disconnected from coordination RPC"
                    );
                });
            });
            group.finish();
        });
    }
}

pub(crate) fn report() {
    let mut rows = Vec::new();
    for (drain, _) in drains() {
        for (row, bare, by_hand) in [
            (BARE, BARE, None),
            (BY_HAND, BARE, None),
            (OPAQUE, BARE, None),
            (ENUMS, BARE, Some(BY_HAND)),
            (RECORD, BARE, Some(BY_HAND)),
            (BY_HAND_DETAIL, BARE, None),
            (RECORD_DETAIL, BARE, Some(BY_HAND_DETAIL)),
            (TRACING_BARE, TRACING_BARE, None),
            (TRACING, TRACING_BARE, None),
            (TRACING_EVENT, TRACING_BARE, Some(TRACING)),
        ] {
            let overhead =
                |row| Some(table::nanoseconds(drain, row)? - table::nanoseconds(drain, bare)?);
            // Below half a nanosecond there is nothing left to compare with.
            let ratio = |by_hand: Option<&'static str>| {
                let by_hand = overhead(by_hand?).filter(|by_hand| *by_hand > 0.5)?;
                Some(overhead(row)? / by_hand)
            };
            let Some(time) = table::nanoseconds(drain, row) else {
                continue;
            };
            rows.push([
                format!("{drain}: {row}"),
                table::time(Some(time)),
                table::time(overhead(row)),
                table::ratio(ratio(by_hand)),
                table::ratio(ratio((by_hand == Some(BY_HAND)).then_some(OPAQUE))),
            ]);
        }
    }
    table::print(
        "A log line",
        [
            "drain: line",
            "time",
            "above the bare line",
            "of by hand",
            "of words from elsewhere",
        ],
        rows,
    );
}
