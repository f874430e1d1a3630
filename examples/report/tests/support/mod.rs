//! What the tests share: the program as a process, and the loggers of the golden files.
#![allow(dead_code)] // each test binary uses its own part

use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};
use serde_json::Value;
use slog::{Drain, Logger, PushFnValue, o};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

#[path = "../../../../tests/support/sink.rs"]
mod sink;
#[allow(unused_imports)] // as above
pub(crate) use sink::{Sink, json_text};

/// Runs the program to its end.
pub(crate) fn report(arguments: &[&str], directory: &Path, input: &[u8]) -> Output {
    let mut process = command(arguments, directory).stdin(Stdio::piped()).spawn().expect("started");
    // A report that never reads its input closes it early.
    let _ = process.stdin.take().expect("piped").write_all(input);
    process.wait_with_output().expect("ended")
}

/// The program, with pipes for what it writes.
pub(crate) fn command(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_disconnect-report"));
    command
        .args(arguments)
        .current_dir(directory)
        .env_remove("COLUMNS")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[track_caller]
pub(crate) fn text(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[track_caller]
pub(crate) fn json_of(arguments: &[&str], directory: &Path, input: &[u8]) -> Value {
    let arguments = [&["--json"], arguments].concat();
    serde_json::from_str(&text(&report(&arguments, directory, input))).expect("JSON")
}

/// The JSON report of what comes in on standard input.
#[track_caller]
pub(crate) fn json_of_input(arguments: &[&str], input: &[u8]) -> Value {
    json_of(&[arguments, &["-"]].concat(), Path::new("."), input)
}

/// Whether a report shows what stands under these pointers.
#[track_caller]
pub(crate) fn shows(arguments: &[&str], input: impl AsRef<[u8]>, expected: &Value) {
    let input = input.as_ref();
    holds(
        &json_of_input(arguments, input),
        expected,
        &String::from_utf8_lossy(&input[..input.len().min(2_000)]),
    );
}

/// Whether a value has these values under these pointers; what is not there is `null`.
#[track_caller]
pub(crate) fn holds(report: &Value, expected: &Value, about: &str) {
    for (pointer, expected) in expected.as_object().expect("pointers") {
        let found = report.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(found, expected, "{pointer} of {about}\n{report}");
    }
}

thread_local! {
    /// The time that a story has come to.
    static NOW: Cell<&'static str> = const { Cell::new("") };
}

struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(NOW.get())
    }
}

/// A line of a story: when, what, and the record of those that are ends.
pub(crate) type Line = (&'static str, &'static str, Option<Disconnect>);

/// The story of every golden file.
pub(crate) fn story() -> [Line; 5] {
    let lost = Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::NetworkError)
        .with_initiator(Initiator::Network);
    let failed = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::ProcessExited)
        .with_detail("process exited with error status: 1")
        .with_exit_code(1);
    let done = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Graceful).with_exit_code(0);
    [
        ("2026-05-13T17:42:20.000000Z", "starting", None),
        ("2026-05-13T17:42:21.701000Z", "disconnected from derp map RPC", Some(lost)),
        ("2026-05-13T17:42:22.015000Z", "ssh session closed", Some(failed)),
        ("2026-05-13T17:42:22.500000Z", "the next session may start", None),
        ("2026-05-13T17:42:23.100000Z", "reconnecting pty closed", Some(done)),
    ]
}

/// A story as slog-json writes it.
pub(crate) fn slog_json(story: &[Line]) -> String {
    let sink = Sink::default();
    let json = slog_json::Json::new(sink.clone()).set_newlines(true).add_key_value(o!(
        "ts" => PushFnValue(move |_, serializer| serializer.emit(NOW.get())),
        "level" => PushFnValue(|record, serializer| serializer.emit(record.level().as_short_str())),
        "msg" => PushFnValue(|record, serializer| serializer.emit(record.msg())),
    ));
    let log = Logger::root(Mutex::new(json.build()).fuse(), o!());
    write_story(&log, story);
    sink.text()
}

/// A story as slog-term writes it.
pub(crate) fn slog_term(story: &[Line], is_compact: bool) -> String {
    let sink = Sink::default();
    let stamp = |io: &mut dyn Write| write!(io, "{}", NOW.get());
    let plain = slog_term::PlainSyncDecorator::new(sink.clone());
    let log = if is_compact {
        let format = slog_term::CompactFormat::new(plain).use_custom_timestamp(stamp);
        Logger::root(Mutex::new(format.build()).fuse(), o!())
    } else {
        let format = slog_term::FullFormat::new(plain).use_custom_timestamp(stamp);
        Logger::root(format.use_original_order().build().fuse(), o!())
    };
    write_story(&log.new(o!("session" => 7)), story);
    sink.text()
}

fn write_story(log: &Logger, story: &[Line]) {
    for (time, message, end) in story {
        NOW.set(time);
        match end {
            Some(end) => slog::info!(log, "{}", message; end.clone()),
            None => slog::info!(log, "{}", message; "count" => 3),
        }
    }
}

/// A format of tracing-subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracing {
    Json,
    FlatJson,
    Full,
    Compact,
    Pretty,
}

/// A story as tracing-subscriber writes it.
pub(crate) fn tracing_lines(story: &[Line], format: Tracing, colours: bool) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    let builder = tracing_subscriber::fmt()
        .with_timer(Clock)
        .with_target(true)
        .with_ansi(colours)
        .with_writer(move || writer.clone());
    let dispatch: tracing::Dispatch = match format {
        Tracing::Json => builder.json().finish().into(),
        Tracing::FlatJson => builder.json().flatten_event(true).finish().into(),
        Tracing::Full => builder.finish().into(),
        Tracing::Compact => builder.compact().finish().into(),
        Tracing::Pretty => builder.pretty().with_file(false).with_line_number(false).finish().into(),
    };
    tracing::dispatcher::with_default(&dispatch, || {
        for (time, message, end) in story {
            NOW.set(time);
            let span = tracing::info_span!("session", peer = "10.0.0.7:44312", note = "a b=c");
            let _entered = span.enter();
            if let Some(end) = end {
                disconnect_attribution::disconnect_event!(
                    target: "agent", tracing::Level::INFO, *end, "{}", message
                );
            } else {
                tracing::info!(target: "agent", count = 3, "{}", message);
            }
        }
    });
    sink.text()
}

pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}
