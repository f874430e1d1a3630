//! tracing: the same record gives the same fields as through slog, and nothing while the level is off.
#![cfg(feature = "tracing")]

mod support;

use disconnect_attribution::{Disconnect, disconnect_event};
use serde_json::{Value, json};
use support::{Sink, bare, full};
use tracing::{Level, subscriber::with_default};
use tracing_subscriber::fmt::MakeWriter;

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What `run` writes through tracing-subscriber's JSON formatter.
fn json_lines(run: impl FnOnce()) -> Vec<Value> {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .without_time()
        .with_file(true)
        .with_line_number(true)
        .with_max_level(Level::INFO)
        .with_writer(sink.clone())
        .finish();
    with_default(subscriber, run);
    sink.text()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// What `run` writes through tracing-subscriber's formatter for people.
fn human_text(run: impl FnOnce()) -> String {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_writer(sink.clone())
        .finish();
    with_default(subscriber, run);
    sink.text()
}

/// The fields of a line that a record made.
#[cfg(feature = "slog")]
fn ours(line: &Value) -> Value {
    use disconnect_attribution::keys;
    let keys = [
        keys::CONNECT_TYPE,
        keys::DISCONNECT_REASON,
        keys::DISCONNECT_EXPECTED,
        keys::DISCONNECT_INITIATOR,
        keys::DISCONNECT_DETAIL,
        keys::DISCONNECT_CODE,
        keys::EXIT_CODE,
        keys::CONNECTION_METHOD,
    ];
    let line = line.as_object().expect("an object");
    line.iter()
        .filter(|(key, _)| keys.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

#[test]
#[cfg(feature = "slog")]
fn slog_and_tracing_write_the_same_keys_values_and_types() {
    let hostile = bare().with_detail("x\n\u{1b}[31m\"quoted\"\u{202e}");
    for end in [full(), bare(), hostile] {
        let through_slog = support::json_text(|log| slog::info!(log, "closed"; &end));
        let through_slog: Value = serde_json::from_str(&through_slog).expect("JSON");
        let through_tracing = json_lines(|| disconnect_event!(Level::INFO, end, "closed"));
        assert_eq!(ours(&through_tracing[0]), ours(&through_slog));
        let read: Disconnect = serde_json::from_value(through_tracing[0].clone()).expect("read");
        assert_eq!(read, end);
    }
}

#[test]
fn fields_are_typed_and_absent_ones_are_absent() {
    let mut lines = json_lines(|| {
        disconnect_event!(Level::INFO, full(), "ssh session closed");
        disconnect_event!(Level::WARN, &bare(), "disconnected from coderd");
    });
    for line in &mut lines {
        let line = line.as_object_mut().expect("an object");
        line.remove("line_number");
        line.remove("filename");
    }
    assert_eq!(
        lines,
        [
            json!({
                "level": "INFO", "target": "tracing", "message": "ssh session closed",
                "connect_type": "agent_to_client", "disconnect_reason": "process_exited",
                "disconnect_expected": false, "disconnect_initiator": "agent",
                "disconnect_detail": "process exited with error status: 7",
                "disconnect_code": "ssh:11", "exit_code": 7, "connection_method": "direct",
            }),
            json!({
                "level": "WARN", "target": "tracing", "message": "disconnected from coderd",
                "connect_type": "server_to_agent", "disconnect_reason": "graceful",
                "disconnect_expected": true,
            }),
        ],
    );
}

#[test]
fn the_callers_own_fields_and_message_come_along() {
    let address = "127.0.0.1:2222";
    let attempt = 3;
    let lines = json_lines(|| {
        disconnect_event!(Level::INFO, bare(), peer = %address, attempt, "closed");
        disconnect_event!(
            Level::INFO,
            bare(),
            ?attempt,
            "closed after {} tries",
            attempt
        );
        disconnect_event!(Level::INFO, bare(), attempt);
        disconnect_event!(Level::INFO, bare());
    });
    assert_eq!(lines[0]["peer"], address);
    assert_eq!(lines[0]["attempt"], 3);
    assert_eq!(lines[0]["message"], "closed");
    assert_eq!(lines[1]["message"], "closed after 3 tries");
    assert_eq!(lines[2]["attempt"], 3);
    assert_eq!(lines[3]["disconnect_reason"], "graceful");
}

#[test]
fn the_callsite_is_the_callers() {
    let lines = json_lines(|| disconnect_event!(Level::INFO, bare(), "here"));
    let line = line!() - 1;
    assert_eq!(lines[0]["target"], module_path!());
    assert_eq!(lines[0]["filename"], file!());
    assert_eq!(lines[0]["line_number"], line);
}

#[test]
fn target_parent_and_name_are_those_of_tracing() {
    let lines = json_lines(|| {
        let outer = tracing::info_span!("outer");
        let inner = tracing::info_span!("inner");
        let _entered = inner.enter();
        let end = bare();
        disconnect_event!(target: "audit", Level::INFO, end, "closed");
        disconnect_event!(parent: &outer, Level::INFO, end, "closed");
        disconnect_event!(target: "audit", parent: &outer, Level::INFO, end, n = 1, "closed");
        disconnect_event!(name: "end", target: "audit", parent: &outer, Level::INFO, end, "closed");
    });
    let targets: Vec<_> = lines.iter().map(|line| line["target"].as_str()).collect();
    assert_eq!(
        targets,
        [Some("audit"), Some("tracing"), Some("audit"), Some("audit")]
    );
    let spans: Vec<_> = lines
        .iter()
        .map(|line| line["span"]["name"].as_str())
        .collect();
    assert_eq!(
        spans,
        [Some("inner"), Some("outer"), Some("outer"), Some("outer")]
    );
    assert_eq!(lines[2]["n"], 1);
}

#[test]
fn nothing_is_evaluated_while_the_level_is_off() {
    let lines = json_lines(|| {
        let classify = || -> Disconnect { panic!("evaluated") };
        disconnect_event!(Level::DEBUG, classify(), "off");
        disconnect_event!(target: "quiet", Level::TRACE, classify(), "off");
    });
    assert_eq!(lines, Vec::<Value>::new());
}

#[test]
fn a_record_is_evaluated_once() {
    let mut count = 0;
    let lines = json_lines(|| {
        let mut classify = || {
            count += 1;
            full()
        };
        disconnect_event!(Level::INFO, classify(), "once");
    });
    assert_eq!((lines.len(), count), (1, 1));
}

#[test]
fn no_line_can_be_forged() {
    let forgery = "x\n INFO all is well\r\u{1b}[1A\u{2028}\u{85}";
    let end = bare().with_detail(forgery);
    for text in [
        human_text(|| disconnect_event!(Level::INFO, end, "closed")),
        human_text(|| disconnect_event!(Level::INFO, end, "{}", end)),
    ] {
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(
            !text.contains(['\u{1b}', '\u{2028}', '\u{85}', '\r']),
            "{text:?}"
        );
    }
    let lines = json_lines(|| disconnect_event!(Level::INFO, end, "closed"));
    assert_eq!(lines.len(), 1);
}

#[test]
fn people_read_it_too() {
    assert_eq!(
        human_text(|| disconnect_event!(Level::INFO, bare(), peer = "ws", "closed")),
        " INFO tracing: closed connect_type=\"server_to_agent\" disconnect_reason=\"graceful\" \
         disconnect_expected=true peer=\"ws\"\n",
    );
}

/// The front page shows what is really printed, wrapped.
#[test]
#[cfg(unix)]
fn the_documented_output_is_the_real_one() {
    let result = std::process::Command::new("sh")
        .args(["-c", "exit 7"])
        .status();
    let end = disconnect_attribution::classify_session_exit(false, &result);
    let text = human_text(|| {
        disconnect_event!(Level::INFO, end, peer = "10.0.0.7", "ssh session closed");
    });
    let (_, printed) = text.trim_end().split_once("tracing: ").expect("a target");
    let front_page = include_str!("../src/lib.rs").replace("\n//!   ", " ");
    assert!(front_page.contains(printed), "{printed}");
}

/// The macro names everything that it needs by its full path.
#[test]
fn the_macro_is_hygienic() {
    mod elsewhere {
        use disconnect_attribution::Disconnect as Option;
        pub(super) fn log(end: &Option) {
            disconnect_attribution::disconnect_event!(tracing::Level::INFO, end, "closed");
        }
    }
    assert_eq!(json_lines(|| elsewhere::log(&bare())).len(), 1);
}
