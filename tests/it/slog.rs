//! slog: which typed values go out, and in which order.

use std::fmt;
use std::sync::{Arc, Mutex};

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator, Trigger, disconnect_log,
};
use slog::{Drain, Key, Level, Logger, Never, OwnedKVList, Record, Serializer, info, o};

use crate::support::{bare, full, network_error};

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
    record_typed!(emit_bool: bool emit_i32: i32 emit_i64: i64 emit_u64: u64 emit_str: &str);

    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.0.push(format!("{key}: emit_arguments = {value}"));
        Ok(())
    }
}

/// What one statement logged: level, message, place, and the fields in the order in which they went out.
#[derive(Debug, Clone, PartialEq)]
struct Logged {
    level: Level,
    message: String,
    place: (&'static str, u32, &'static str),
    fields: Vec<String>,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Logged>>>);

impl Drain for Lines {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        let mut recorder = Recorder::default();
        slog::KV::serialize(&record.kv(), record, &mut recorder).expect("recorded");
        self.0.lock().expect("alive").push(Logged {
            level: record.level(),
            message: record.msg().to_string(),
            place: (record.file(), record.line(), record.module()),
            fields: recorder.0,
        });
        Ok(())
    }
}

fn logged(log: impl FnOnce(&Logger)) -> Vec<Logged> {
    let lines = Lines::default();
    log(&Logger::root(lines.clone(), o!()));
    std::mem::take(&mut *lines.0.lock().expect("alive"))
}

/// The fields of one line.
fn typed(log: impl FnOnce(&Logger)) -> Vec<String> {
    let mut lines = logged(log);
    assert_eq!(lines.len(), 1);
    lines.remove(0).fields
}

const FULL: [&str; 16] = [
    r#"disconnect_detail: emit_str = "process exited with error status: 7""#,
    "clock_jump_ms: emit_i64 = -3600000",
    "bytes_sent: emit_u64 = 0",
    "bytes_received: emit_u64 = 18446744073709551615",
    "peer_silence_ms: emit_u64 = 60000",
    "connection_duration_ms: emit_u64 = 61234",
    r#"connection_method: emit_str = "direct""#,
    "exit_code: emit_i32 = 7",
    r#"disconnect_origin: emit_str = "server_to_agent""#,
    "disconnect_code: emit_arguments = ssh:11",
    r#"disconnect_peer: emit_str = "client""#,
    r#"disconnect_trigger: emit_str = "max_age""#,
    r#"disconnect_initiator: emit_str = "agent""#,
    "disconnect_expected: emit_bool = false",
    r#"disconnect_reason: emit_str = "process_exited""#,
    r#"connect_type: emit_str = "agent_to_client""#,
];

const BARE: [&str; 3] = [
    "disconnect_expected: emit_bool = true",
    r#"disconnect_reason: emit_str = "graceful""#,
    r#"connect_type: emit_str = "server_to_agent""#,
];

#[test]
fn fields_are_typed_and_go_from_the_detail_to_the_layer_without_those_that_are_absent() {
    assert_eq!(typed(|log| info!(log, "closed"; full())), FULL);
    assert_eq!(typed(|log| info!(log, "closed"; &full())), FULL);
    assert_eq!(typed(|log| info!(log, "closed"; bare())), BARE);
}

#[test]
fn an_error_of_the_serializer_is_passed_on_from_every_field() {
    /// Fails at one field, and at no other.
    struct Fails(usize);

    impl Serializer for Fails {
        fn emit_arguments(&mut self, _: Key, _: &fmt::Arguments<'_>) -> slog::Result {
            let left = self.0;
            self.0 = left.wrapping_sub(1);
            if left == 0 { Err(slog::Error::Other) } else { Ok(()) }
        }
    }

    let place = slog::record_static!(Level::Info, "");
    let message = format_args!("closed");
    let record = Record::new(&place, &message, slog::b!());
    for field in 0..FULL.len() {
        let emitted = slog::KV::serialize(&full(), &record, &mut Fails(field));
        assert!(emitted.is_err(), "field {field}");
    }
    assert!(slog::KV::serialize(&full(), &record, &mut Fails(FULL.len())).is_ok());
}

#[test]
fn each_enum_goes_out_under_its_own_key_and_is_a_value_under_any() {
    let rows = [
        typed(|log| info!(log, ""; DisconnectReason::Rejected, "why" => DisconnectReason::Rejected)),
        typed(|log| info!(log, ""; ConnectType::ClientToServer, "layer" => ConnectType::AgentToClient)),
        typed(|log| info!(log, ""; Initiator::Network, "who" => Initiator::Client)),
        typed(|log| info!(log, ""; Trigger::Superseded, "what" => Trigger::Reset)),
        typed(|log| info!(log, ""; CloseCode::Grpc(-1), "code" => CloseCode::Http2(8))),
        typed(|log| info!(log, ""; ConnectionMethod::Derp, "how" => ConnectionMethod::Direct)),
    ];
    let expected: [&[&str]; 6] = [
        &[
            r#"why: emit_str = "rejected""#,
            "disconnect_expected: emit_bool = false",
            r#"disconnect_reason: emit_str = "rejected""#,
        ],
        &[r#"layer: emit_str = "agent_to_client""#, r#"connect_type: emit_str = "client_to_server""#],
        &[r#"who: emit_str = "client""#, r#"disconnect_initiator: emit_str = "network""#],
        &[r#"what: emit_str = "reset""#, r#"disconnect_trigger: emit_str = "superseded""#],
        &["code: emit_arguments = http2:8", "disconnect_code: emit_arguments = grpc:-1"],
        &[r#"how: emit_str = "direct""#, r#"connection_method: emit_str = "derp""#],
    ];
    assert_eq!(rows.each_ref().map(Vec::as_slice), expected);
}

#[test]
fn a_level_follows_from_whether_the_end_was_expected_and_whether_another_line_reports_it() {
    let (bare, network) = (bare(), network_error());
    let lines = logged(|log| {
        for end in [&bare, &network] {
            disconnect_log!(log, expected: Level::Debug, unexpected: Level::Error, end, "closed");
        }
        for end in [&full(), &bare, &network] {
            disconnect_log!(
                log, expected: Level::Info, unexpected: Level::Error, inherited: Level::Debug, end, "closed"
            );
        }
    });
    let levels: Vec<_> = lines.iter().map(|line| line.level).collect();
    assert_eq!(levels, [Level::Debug, Level::Error, Level::Debug, Level::Info, Level::Error]);
    assert_eq!(lines[0].place, (file!(), line!() - 10, module_path!()));
    assert_eq!(lines[0].fields, BARE);
}

/// What slog's own macros take: arguments, by name too, captured ones, fields, and commas at the end.
#[test]
fn a_levelled_line_takes_arguments_and_fields_as_any_other() {
    let (address, count) = ("127.0.0.1:2222", 3);
    let lines = logged(|log| {
        disconnect_log!(log, expected: Level::Info, unexpected: Level::Error, bare(), "closed",);
        disconnect_log!(log, expected: Level::Info, unexpected: Level::Error, &bare(),
            "{} closed after {}", address, count + 1);
        disconnect_log!(log, expected: Level::Info, unexpected: Level::Error, bare(),
            "{address} closed"; "peer" => address, "tries" => count,);
        disconnect_log!(log, expected: Level::Info, unexpected: Level::Error, bare(),
            "{} closed", address; "peer" => %address, Initiator::Client);
        disconnect_log!(log, expected: Level::Info, unexpected: Level::Error, bare(),
            "{peer} closed", peer = address; "tries" => count);
    });
    let peer = r#"peer: emit_str = "127.0.0.1:2222""#;
    let displayed = "peer: emit_arguments = 127.0.0.1:2222";
    let client = r#"disconnect_initiator: emit_str = "client""#;
    // slog emits the fields of a line from the last to the first.
    let expected: [(&str, &[&str], &[&str]); 5] = [
        ("closed", &[], &[]),
        ("127.0.0.1:2222 closed after 4", &[], &[]),
        ("127.0.0.1:2222 closed", &["tries: emit_i32 = 3", peer], &[]),
        ("127.0.0.1:2222 closed", &[client, displayed], &[]),
        ("127.0.0.1:2222 closed", &["tries: emit_i32 = 3"], &[peer]),
    ];
    assert_eq!(lines.len(), expected.len());
    for (line, (message, before, after)) in lines.iter().zip(expected) {
        assert_eq!((line.level, line.message.as_str()), (Level::Info, message));
        assert_eq!(line.fields, [before, &BARE, after].concat());
    }
}

#[test]
fn a_levelled_line_evaluates_once_and_formats_nothing_where_its_level_is_off() {
    struct Panics;

    impl fmt::Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("formatted");
        }
    }

    let mut count = 0;
    let mut classify = || {
        count += 1;
        bare()
    };
    let lines = Lines::default();
    let log = Logger::root(slog::LevelFilter::new(lines.clone(), Level::Info).fuse(), o!());
    disconnect_log!(log, expected: Level::Debug, unexpected: Level::Error, classify(), "{}", Panics);
    disconnect_log!(log, expected: Level::Info, unexpected: Level::Error, classify(), "closed");
    disconnect_log!(&log, expected: Level::Info, unexpected: Level::Debug, network_error(), "{}", Panics);
    disconnect_log!(log.new(o!("a" => 1)), expected: Level::Info, unexpected: Level::Debug, bare(), "closed");
    assert_eq!(count, 2);
    assert_eq!(lines.0.lock().expect("alive").len(), 2);
}

/// The macro names all that it needs by its full path, and what it binds meets no name of the caller.
#[test]
fn the_macro_is_hygienic() {
    mod elsewhere {
        #![allow(dead_code)]

        use disconnect_attribution::Disconnect as Option;

        struct Disconnect;
        struct Level;
        mod slog {}

        pub(super) fn log(log: &::slog::Logger, record: &Option) {
            let end = "the caller's";
            disconnect_attribution::disconnect_log!(log, expected: ::slog::Level::Info,
                unexpected: ::slog::Level::Error, record, "{}", end; "end" => end);
        }
    }

    let lines = logged(|log| elsewhere::log(log, &bare()));
    assert_eq!(lines[0].message, "the caller's");
    assert_eq!(lines[0].fields[0], r#"end: emit_str = "the caller's""#);
}
