//! slog: which typed values go out, in which order, and what real loggers print.
#![cfg(feature = "slog")]

mod support;

use std::fmt;
use std::sync::{Arc, Mutex};

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator,
};
use serde_json::{Value, json};
use slog::{Drain, Key, Logger, Never, OwnedKVList, Record, Serializer, info, o};
use support::{bare, full, json_text, term_text};

/// Keeps each field with the type that it was emitted with.
#[derive(Default)]
struct Recorder(Vec<String>);

macro_rules! record_typed {
    ($($method:ident: $type:ty)*) => {$(
        fn $method(&mut self, key: Key, value: $type) -> slog::Result {
            self.0.push(format!("{}: {} = {value:?}", key, stringify!($method)));
            Ok(())
        }
    )*};
}

impl Serializer for Recorder {
    record_typed!(emit_bool: bool emit_i32: i32 emit_str: &str);

    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.0.push(format!("{key}: emit_arguments = {value}"));
        Ok(())
    }
}

struct RecorderDrain(Arc<Mutex<Vec<String>>>);

impl Drain for RecorderDrain {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        let mut recorder = Recorder::default();
        slog::KV::serialize(&record.kv(), record, &mut recorder).expect("recorded");
        self.0.lock().expect("alive").extend(recorder.0);
        Ok(())
    }
}

fn typed(log: impl FnOnce(&Logger)) -> Vec<String> {
    let fields = Arc::<Mutex<Vec<String>>>::default();
    log(&Logger::root(RecorderDrain(Arc::clone(&fields)), o!()));
    std::mem::take(&mut *fields.lock().expect("alive"))
}

#[test]
fn fields_are_typed_and_go_from_specific_to_general() {
    assert_eq!(
        typed(|log| info!(log, "closed"; full())),
        [
            r#"connection_method: emit_str = "direct""#,
            "exit_code: emit_i32 = 7",
            "disconnect_code: emit_arguments = ssh:11",
            r#"disconnect_detail: emit_str = "process exited with error status: 7""#,
            r#"disconnect_initiator: emit_str = "agent""#,
            "disconnect_expected: emit_bool = false",
            r#"disconnect_reason: emit_str = "process_exited""#,
            r#"connect_type: emit_str = "agent_to_client""#,
        ],
    );
}

#[test]
fn absent_fields_are_left_out() {
    assert_eq!(
        typed(|log| info!(log, "closed"; bare())),
        [
            "disconnect_expected: emit_bool = true",
            r#"disconnect_reason: emit_str = "graceful""#,
            r#"connect_type: emit_str = "server_to_agent""#,
        ],
    );
}

#[test]
fn each_enum_goes_out_under_its_own_key() {
    let rows = [
        (
            typed(|log| info!(log, ""; DisconnectReason::Rejected)),
            vec![
                "disconnect_expected: emit_bool = false",
                r#"disconnect_reason: emit_str = "rejected""#,
            ],
        ),
        (
            typed(|log| info!(log, ""; ConnectType::ClientToServer)),
            vec![r#"connect_type: emit_str = "client_to_server""#],
        ),
        (
            typed(|log| info!(log, ""; Initiator::Network)),
            vec![r#"disconnect_initiator: emit_str = "network""#],
        ),
        (
            typed(|log| info!(log, ""; CloseCode::Grpc(-1))),
            vec!["disconnect_code: emit_arguments = grpc:-1"],
        ),
        (
            typed(|log| info!(log, ""; ConnectionMethod::Derp)),
            vec![r#"connection_method: emit_str = "derp""#],
        ),
    ];
    for (fields, expected) in rows {
        assert_eq!(fields, expected);
    }
}

#[test]
fn each_enum_is_a_value_under_any_key() {
    assert_eq!(
        typed(|log| info!(log, "";
            "layer" => ConnectType::AgentToClient,
            "why" => DisconnectReason::Rejected,
            "who" => Initiator::Client,
            "how" => ConnectionMethod::Direct,
            "code" => CloseCode::Http2(8),
        )),
        [
            "code: emit_arguments = http2:8",
            r#"how: emit_str = "direct""#,
            r#"who: emit_str = "client""#,
            r#"why: emit_str = "rejected""#,
            r#"layer: emit_str = "agent_to_client""#,
        ],
    );
}

/// `o!` asks more of a value than a single line does.
#[test]
fn a_record_can_be_a_loggers_own_field() {
    let text = json_text(|log| info!(log.new(o!(full())), "closed"));
    assert!(
        text.contains(r#""disconnect_reason":"process_exited""#),
        "{text}"
    );
}

#[test]
fn slog_json_prints_types_that_a_dashboard_can_filter() {
    let text = json_text(|log| info!(log, "ssh session closed"; full()));
    let mut line: Value = serde_json::from_str(&text).expect("one JSON object");
    line.as_object_mut().expect("an object").remove("ts");
    assert_eq!(
        line,
        json!({
            "msg": "ssh session closed",
            "level": "INFO",
            "connect_type": "agent_to_client",
            "disconnect_reason": "process_exited",
            "disconnect_expected": false,
            "disconnect_initiator": "agent",
            "disconnect_detail": "process exited with error status: 7",
            "disconnect_code": "ssh:11",
            "exit_code": 7,
            "connection_method": "direct",
        }),
    );
}

/// Newest first is slog-term's own order too; `use_original_order` is for people.
#[test]
fn slog_term_prints_from_the_layer_to_the_detail() {
    assert_eq!(
        term_text(|log| info!(log, "ssh session closed"; "session" => 3, full())),
        "now INFO ssh session closed, session: 3, connect_type: agent_to_client, \
         disconnect_reason: process_exited, disconnect_expected: false, \
         disconnect_initiator: agent, disconnect_detail: process exited with error status: 7, \
         disconnect_code: ssh:11, exit_code: 7, connection_method: direct\n",
    );
}

const FORGERY: &str = "x\nnow INFO all is well\r\u{1b}[1A\u{2028}\u{85}now INFO forged";

#[test]
fn no_line_can_be_forged_through_a_detail() {
    let end = bare().with_detail(FORGERY);
    for text in [
        term_text(|log| info!(log, "closed"; &end)),
        json_text(|log| info!(log, "closed"; &end)),
    ] {
        let line = text.strip_suffix('\n').expect("ends with a line break");
        assert!(
            !line.contains(|c: char| c.is_control() || c == '\u{2028}'),
            "{line:?}"
        );
    }
}

#[test]
fn no_line_can_be_forged_through_an_error() {
    use disconnect_attribution::{classify_channel_close, classify_pty_exit};

    let failed: Result<(), _> = Err(FORGERY);
    let parse_error = FORGERY.parse::<Initiator>().unwrap_err();
    for text in [
        term_text(|log| info!(log, "closed"; classify_pty_exit(false, &failed))),
        term_text(|log| info!(log, "closed"; classify_channel_close(&failed))),
        term_text(|log| info!(log, "refused"; "error" => %parse_error)),
        term_text(|log| info!(log, "{}", parse_error)),
        term_text(|log| info!(log, "{}", bare().with_detail(FORGERY))),
    ] {
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
