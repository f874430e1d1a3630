//! A line of a log: ways to write it, and to read it again.

use std::fmt;
use std::hint::black_box;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectReason, Initiator, Trigger, disconnect_event,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use slog::{
    Drain, FnValue, KV, Key, Level, LevelFilter, Logger, Never, PushFnValue, Record, Serializer, info, o,
};
use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing_subscriber::fmt::format::Writer;

use crate::{Row, Table, Unit, each};

const DETAIL: &str = "read failed: Connection reset by peer (os error 104)";
/// How many instructions a time takes to print depends on its digits.
const FIXED_TIME: &str = "2026-01-02T03:04:05.678901234Z";
const FIXED_TIMER: fn(&mut Writer<'_>) -> fmt::Result = |writer| writer.write_str(FIXED_TIME);

/// What slog-json writes by default, with a fixed time.
pub(crate) fn json() -> impl Drain<Ok = (), Err = Never> {
    let json = slog_json::Json::new(io::sink()).add_key_value(o!(
        "ts" => FIXED_TIME,
        "level" => FnValue(|record: &Record<'_>| record.level().as_short_str()),
        "msg" => PushFnValue(|record: &Record<'_>, serializer| serializer.emit(record.msg())),
    ));
    Mutex::new(json.build()).fuse()
}

/// What a good engineer writes in this crate's place: enums, and one `KV` for all of them.
#[derive(Clone, Copy)]
struct Own<'a> {
    layer: Layer,
    reason: Reason,
    side: Side,
    /// Goes out as it came.
    detail: Option<&'a str>,
}

macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal,)* }) => {
        #[derive(Clone, Copy, serde_derive::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(dead_code)] // read from a line, or never
        enum $name { $($variant,)* }

        impl $name {
            const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}
words!(Layer {
    ServerToAgent => "server_to_agent",
    AgentToClient => "agent_to_client",
    ClientToServer => "client_to_server",
});
words!(Reason {
    Graceful => "graceful",
    ClientClosed => "client_closed",
    ServerShutdown => "server_shutdown",
    WorkspaceStopped => "workspace_stopped",
    NetworkError => "network_error",
    ProtocolError => "protocol_error",
    ControlPlaneLost => "control_plane_lost",
    ProcessExited => "process_exited",
    Rejected => "rejected",
    Unknown => "unknown",
});
words!(Side {
    Client => "client",
    Agent => "agent",
    Server => "server",
    Network => "network",
    Unknown => "unknown",
});

impl KV for Own<'_> {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        if let Some(detail) = self.detail {
            serializer.emit_str(Key::from("disconnect_detail"), detail)?;
        }
        let expected =
            matches!(self.reason, Reason::Graceful | Reason::ClientClosed | Reason::ServerShutdown);
        serializer.emit_str(Key::from("disconnect_initiator"), self.side.as_str())?;
        serializer.emit_bool(Key::from("disconnect_expected"), expected)?;
        serializer.emit_str(Key::from("disconnect_reason"), self.reason.as_str())?;
        serializer.emit_str(Key::from("connect_type"), self.layer.as_str())
    }
}

/// What a site decides for each line.
#[inline]
fn own(detail: Option<&str>) -> Own<'_> {
    let (reason, side) = black_box((Reason::NetworkError, Side::Network));
    Own { layer: Layer::ServerToAgent, reason, side, detail }
}

#[inline]
fn ours() -> Disconnect {
    let (reason, side) = black_box((DisconnectReason::NetworkError, Initiator::Network));
    Disconnect::new(ConnectType::ServerToAgent, reason).with_initiator(side)
}

const OWN: &str = "own enums and `KV`";
const OWN_OFF: &str = "own enums and `KV`, filtered out";
const OWN_DETAIL: &str = "own `KV` with a detail";
const NINE: &str = "nine pairs by hand";

pub(crate) fn slog() -> Table {
    let to = |name: &str, log: fn() -> Logger, write: fn(&Logger)| {
        Row::new(name, move || {
            let log = log();
            each(move || write(black_box(&log)))
        })
    };
    let row = |name, write| to(name, || Logger::root(json(), o!()), write);
    let off =
        |name, write| to(name, || Logger::root(LevelFilter::new(json(), Level::Warning).fuse(), o!()), write);
    let own_line = |log: &Logger| info!(log, "ssh session closed"; own(None));
    let our_line = |log: &Logger| info!(log, "ssh session closed"; ours());
    let rows = vec![
        row("bare line", |log| info!(log, "ssh session closed")),
        row(OWN, own_line),
        row("our record", our_line).beside(OWN),
        row(OWN_DETAIL, |log| info!(log, "ssh session closed"; own(Some(black_box(DETAIL))))),
        row("our record with a detail", |log| {
            info!(log, "ssh session closed"; ours().with_detail(black_box(DETAIL)));
        })
        .beside(OWN_DETAIL),
        row(NINE, |log| {
            info!(log, "ssh session closed";
                "connect_type" => "server_to_agent",
                "disconnect_reason" => black_box("network_error"),
                "disconnect_expected" => black_box(false),
                "disconnect_initiator" => black_box("network"),
                "disconnect_trigger" => black_box("end_of_file"),
                "connection_duration_ms" => black_box(61_234_u64),
                "peer_silence_ms" => black_box(60_000_u64),
                "bytes_received" => black_box(256_u64),
                "bytes_sent" => black_box(256_u64));
        }),
        row("our record with the nine of a guard's line", |log| {
            let end = ours()
                .with_trigger(black_box(Trigger::EndOfFile))
                .with_connection_duration(black_box(Duration::from_millis(61_234)))
                .with_peer_silence(black_box(Duration::from_secs(60)))
                .with_bytes(black_box(256), black_box(256));
            info!(log, "ssh session closed"; end);
        })
        .beside(NINE),
        off(OWN_OFF, own_line),
        off("our record, filtered out", our_line).beside(OWN_OFF),
    ];
    Table { title: "A line of slog-json", unit: Unit::Instructions, rows }
}

pub(crate) fn tracing() -> Table {
    use tracing::{Level, info};
    const FIELDS: &str = "fields by hand";
    const FIELDS_OFF: &str = "fields by hand, filtered out";
    let row = |name, most, write: fn()| {
        Row::new(name, move || {
            let subscriber = tracing_subscriber::fmt().json().with_timer(FIXED_TIMER);
            let subscriber = subscriber.with_max_level(most).with_writer(io::sink);
            let subscriber = Dispatch::new(subscriber.finish());
            Box::new(move |count| with_default(&subscriber, || (0..count).for_each(|_| write())))
        })
    };
    let by_hand = || {
        let own = own(None);
        info!(
            connect_type = own.layer.as_str(),
            disconnect_reason = own.reason.as_str(),
            disconnect_expected = black_box(false),
            disconnect_initiator = own.side.as_str(),
            "ssh session closed"
        );
    };
    let event = || disconnect_event!(Level::INFO, ours(), "ssh session closed");
    let rows = vec![
        row("bare line", Level::INFO, || info!("ssh session closed")),
        row(FIELDS, Level::INFO, by_hand),
        row("`disconnect_event!`", Level::INFO, event).beside(FIELDS),
        row(FIELDS_OFF, Level::WARN, by_hand),
        row("`disconnect_event!`, filtered out", Level::WARN, event).beside(FIELDS_OFF),
    ];
    Table { title: "A line of tracing's JSON", unit: Unit::Instructions, rows }
}

const LINE: &str = r#"{"msg":"ssh session closed","level":"INFO","ts":"2026-01-02T03:04:05.678901234Z","exit_code":255,"disconnect_code":"ssh:11","disconnect_detail":"process exited with signal: 9 (SIGKILL)","disconnect_initiator":"agent","disconnect_expected":false,"disconnect_reason":"process_exited","connect_type":"agent_to_client"}"#;

#[derive(serde_derive::Deserialize)]
#[allow(dead_code)]
struct Read<L, R, S> {
    connect_type: L,
    disconnect_reason: R,
    disconnect_expected: bool,
    disconnect_initiator: Option<S>,
    disconnect_detail: Option<String>,
    disconnect_code: Option<String>,
    exit_code: Option<i32>,
    connection_method: Option<String>,
}

fn reads<T: Deserialize<'static> + 'static>(name: &str) -> Row {
    Row::new(name, || each(|| drop(black_box(serde_json::from_str::<T>(black_box(LINE))))))
}

pub(crate) fn reading() -> Table {
    const ENUMS: &str = "struct of enums, derived";
    let rows = vec![
        reads::<IgnoredAny>("nothing: skipped"),
        reads::<Read<String, String, String>>("struct of `String`s"),
        reads::<Read<Layer, Reason, Side>>(ENUMS),
        reads::<Disconnect>("`Disconnect`").beside(ENUMS),
    ];
    Table { title: "Reading a line", unit: Unit::Instructions, rows }
}
