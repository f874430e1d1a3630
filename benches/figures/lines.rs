//! One log line: ways to write it down, drains across.

use std::fmt;
use std::hint::black_box;
use std::io;
use std::sync::Mutex;

use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectReason, Initiator, disconnect_event,
};
use slog::{
    Discard, Drain, FnValue, KV, Key, Level, LevelFilter, Logger, Never, OwnedKVList, PushFnValue,
    Record, Serializer, info, o,
};
use slog_async::AsyncRecord;
use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing::level_filters::LevelFilter as TracingLevel;
use tracing_subscriber::fmt::format::Writer;

use crate::case::{Case, each};
use crate::own;
use crate::table::{Row, Table};

/// What a call site knows when a connection ends; it decides for each line.
struct Site {
    shutting_down: bool,
    result: Result<(), ()>,
    detail: &'static str,
}

static SITE: Site = Site {
    shutting_down: false,
    result: Err(()),
    detail: "read failed: Connection reset by peer (os error 104)",
};

impl Site {
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
    fn as_own(&self) -> own::End {
        let (reason, side) = if self.shutting_down {
            (own::Reason::ServerShutdown, own::Side::Agent)
        } else {
            match self.result {
                Ok(()) => (own::Reason::Graceful, own::Side::Server),
                Err(()) => (own::Reason::NetworkError, own::Side::Network),
            }
        };
        own::End {
            layer: own::Layer::ServerToAgent,
            reason,
            side,
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

    #[inline]
    fn as_record(&self) -> Disconnect {
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

/// What slog-async does with a line, without its second thread: box each field, and serialize it from there.
struct Boxed;

impl Drain for Boxed {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        AsyncRecord::from(record, values).log_to(&DoNothing)
    }
}

/// How many instructions a time takes to print depends on its digits.
const FIXED_TIME: &str = "2026-01-02T03:04:05.678901234Z";

/// What slog-json writes by default, with a fixed time.
pub(crate) fn json() -> impl Drain<Ok = (), Err = Never> {
    let json = slog_json::Json::new(io::sink()).add_key_value(o!(
        "ts" => FIXED_TIME,
        "level" => FnValue(|record: &Record<'_>| record.level().as_short_str()),
        "msg" => PushFnValue(|record: &Record<'_>, serializer| serializer.emit(record.msg())),
    ));
    Mutex::new(json.build()).fuse()
}

fn term() -> impl Drain<Ok = (), Err = Never> {
    let decorator = slog_term::PlainSyncDecorator::new(io::sink());
    let term = slog_term::FullFormat::new(decorator)
        .use_custom_timestamp(|writer| writer.write_all(FIXED_TIME.as_bytes()));
    term.build().fuse()
}

type Drains = [(&'static str, fn() -> Logger); 6];

const DRAINS: Drains = [
    (NO_OP, || Logger::root(DoNothing.fuse(), o!())),
    ("slog-json", || Logger::root(json(), o!())),
    ("slog-term", || Logger::root(term(), o!())),
    ("boxed", || Logger::root(Boxed.fuse(), o!())),
    ("filtered out", || {
        Logger::root(LevelFilter::new(json(), Level::Warning).fuse(), o!())
    }),
    ("discarded", || Logger::root(Discard, o!())),
];

const NO_OP: &str = "no-op";

const PAIRS: &str = "pairs by hand";
const ELSEWHERE: &str = "pairs, words from elsewhere";
const OWN: &str = "own enums and `KV`";
const ENUMS: &str = "ours, as enums";
const RECORD: &str = "ours, as a record";
const PAIRS_DETAIL: &str = "pairs with a detail";
const OWN_DETAIL: &str = "own `KV` with a detail";
const RECORD_DETAIL: &str = "our record with a detail";

fn row(name: &str, write: impl Fn(&Logger, &Site) + Copy + 'static) -> Row {
    let case = |&(_, drain): &(&str, fn() -> Logger)| {
        Case::new(move || {
            let log = drain();
            each(move || write(&log, black_box(&SITE)))
        })
    };
    Row::new(name, DRAINS.iter().map(case))
}

fn slog_table() -> Table {
    let rows = vec![
        row("bare line", |log, _| {
            info!(log, "disconnected from coordination RPC");
        }),
        row(PAIRS, |log, site| {
            let (reason, expected, initiator) = site.by_hand();
            info!(log, "disconnected from coordination RPC";
                "connect_type" => "server_to_agent",
                "disconnect_reason" => reason,
                "disconnect_expected" => expected,
                "disconnect_initiator" => initiator);
        }),
        // Nothing is decided here, and the compiler can't see the words: they came in a message.
        row(ELSEWHERE, |log, _| {
            info!(log, "disconnected from coordination RPC";
                "connect_type" => black_box("server_to_agent"),
                "disconnect_reason" => black_box("network_error"),
                "disconnect_expected" => black_box(false),
                "disconnect_initiator" => black_box("network"));
        }),
        row(OWN, |log, site| {
            info!(log, "disconnected from coordination RPC"; site.as_own());
        }),
        row(ENUMS, |log, site| {
            let (reason, initiator) = site.as_enums();
            info!(log, "disconnected from coordination RPC";
                ConnectType::ServerToAgent, reason, initiator);
        }),
        row(RECORD, |log, site| {
            info!(log, "disconnected from coordination RPC"; site.as_record());
        }),
        row(PAIRS_DETAIL, |log, site| {
            let (reason, expected, initiator) = site.by_hand();
            info!(log, "disconnected from coordination RPC";
                "connect_type" => "server_to_agent",
                "disconnect_reason" => reason,
                "disconnect_expected" => expected,
                "disconnect_initiator" => initiator,
                "disconnect_detail" => site.detail);
        }),
        row(OWN_DETAIL, |log, site| {
            let end = own::DetailedEnd {
                end: site.as_own(),
                detail: site.detail,
            };
            info!(log, "disconnected from coordination RPC"; end);
        }),
        row(RECORD_DETAIL, |log, site| {
            info!(log, "disconnected from coordination RPC"; site.as_record().with_detail(site.detail));
        }),
    ];
    let columns = DRAINS.map(|(name, _)| name);
    Table::new("A line in slog", "line", columns, rows)
        .with_ratios([
            (RECORD, PAIRS),
            (RECORD, OWN),
            (ENUMS, PAIRS),
            (RECORD_DETAIL, PAIRS_DETAIL),
            (RECORD_DETAIL, OWN_DETAIL),
        ])
        // Drains are not held against each other, and in turns with fewer cases each finds its code in the caches.
        .with_columns_apart()
}

struct FixedTime;

impl tracing_subscriber::fmt::time::FormatTime for FixedTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(FIXED_TIME)
    }
}

fn tracing_row(name: &str, write: impl Fn(&Site) + Copy + 'static) -> Row {
    let case = |level: TracingLevel| {
        Case::new(move || {
            let subscriber = tracing_subscriber::fmt()
                .json()
                .with_timer(FixedTime)
                .with_max_level(level)
                .with_writer(io::sink);
            let subscriber = Dispatch::new(subscriber.finish());
            let mut batch = each(move || write(black_box(&SITE)));
            Box::new(move |count| with_default(&subscriber, || batch(count)))
        })
    };
    Row::new(name, [TracingLevel::INFO, TracingLevel::WARN].map(case))
}

fn tracing_table() -> Table {
    use tracing::{Level, info};
    const BY_HAND: &str = "fields by hand";
    const EVENT: &str = "`disconnect_event!`";
    const BY_HAND_DETAIL: &str = "fields with a detail";
    const EVENT_DETAIL: &str = "the macro with a detail";

    let rows = vec![
        tracing_row("bare line", |_| info!("disconnected from coordination RPC")),
        tracing_row(BY_HAND, |site| {
            let (reason, expected, initiator) = site.by_hand();
            info!(
                connect_type = "server_to_agent",
                disconnect_reason = reason,
                disconnect_expected = expected,
                disconnect_initiator = initiator,
                "disconnected from coordination RPC"
            );
        }),
        tracing_row(EVENT, |site| {
            disconnect_event!(
                Level::INFO,
                site.as_record(),
                "disconnected from coordination RPC"
            );
        }),
        tracing_row(BY_HAND_DETAIL, |site| {
            let (reason, expected, initiator) = site.by_hand();
            info!(
                connect_type = "server_to_agent",
                disconnect_reason = reason,
                disconnect_expected = expected,
                disconnect_initiator = initiator,
                disconnect_detail = site.detail,
                "disconnected from coordination RPC"
            );
        }),
        tracing_row(EVENT_DETAIL, |site| {
            let end = || site.as_record().with_detail(site.detail);
            disconnect_event!(Level::INFO, end(), "disconnected from coordination RPC");
        }),
    ];
    Table::new("A line in tracing", "line", ["JSON", "filtered out"], rows)
        .with_ratios([(EVENT, BY_HAND), (EVENT_DETAIL, BY_HAND_DETAIL)])
        // A subscriber that lives raises the level that is asked for before all others.
        .with_columns_apart()
}

pub(crate) fn tables() -> Vec<Table> {
    vec![slog_table(), tracing_table()]
}
