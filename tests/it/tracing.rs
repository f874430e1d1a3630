//! tracing: the same record gives the same fields as through slog, and nothing while the level is off.

use disconnect_attribution::{Trigger, disconnect_event};
use serde_json::{Value, json};
use tracing::{Level, subscriber::with_default};

use crate::support::respawned::{is_respawned, respawn};
use crate::support::{Sink, bare, full, network_error};

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
    sink.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Without an option, and with each that tracing has, with one level and with two.
#[test]
fn fields_message_place_target_parent_and_name_are_those_of_tracing() {
    let (peer, tries) = ("ws", 3);
    let lines = json_lines(|| {
        let outer = tracing::info_span!("outer");
        let inner = tracing::info_span!("inner");
        let _entered = inner.enter();
        let end = network_error();
        disconnect_event!(Level::WARN, end, "here");
        disconnect_event!(Level::INFO, end);
        disconnect_event!(Level::INFO, end, tries);
        disconnect_event!(Level::INFO, end, ?tries, peer = %peer, "closed after {}", tries);
        disconnect_event!(target: "audit", Level::WARN, end, peer, "closed");
        disconnect_event!(parent: &outer, Level::WARN, end, "closed");
        disconnect_event!(name: "end", target: "audit", parent: &outer, Level::WARN, end, tries, "closed");
        disconnect_event!(expected: Level::INFO, unexpected: Level::WARN, end);
        disconnect_event!(expected: Level::INFO, unexpected: Level::WARN, &end, peer, "closed after {}", tries);
        disconnect_event!(target: "audit", expected: Level::INFO, unexpected: Level::WARN, end, peer = %peer, "{tries} tries");
        disconnect_event!(parent: &outer, expected: Level::INFO, unexpected: Level::WARN, end, "closed");
        disconnect_event!(name: "end", target: "audit", parent: &outer,
            expected: Level::INFO, unexpected: Level::WARN, end, tries, "closed");
    });
    let place = (&lines[0]["filename"], &lines[0]["line_number"]);
    assert_eq!(place, (&json!(file!()), &json!(line!() - 15)));
    let found = lines.iter().map(|line| {
        let span = &line["span"]["name"];
        let [level, target] = [&line["level"], &line["target"]];
        let [peer, tries, message] = ["peer", "tries", "message"].map(|key| &line[key]);
        format!("{level} {target} {span} {peer} {tries} {message}")
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            r#""WARN" "it::tracing" "inner" null null "here""#,
            r#""INFO" "it::tracing" "inner" null null null"#,
            r#""INFO" "it::tracing" "inner" null 3 null"#,
            r#""INFO" "it::tracing" "inner" "ws" "3" "closed after 3""#,
            r#""WARN" "audit" "inner" "ws" null "closed""#,
            r#""WARN" "it::tracing" "outer" null null "closed""#,
            r#""WARN" "audit" "outer" null 3 "closed""#,
            r#""WARN" "it::tracing" "inner" null null null"#,
            r#""WARN" "it::tracing" "inner" "ws" null "closed after 3""#,
            r#""WARN" "audit" "inner" "ws" null "3 tries""#,
            r#""WARN" "it::tracing" "outer" null null "closed""#,
            r#""WARN" "audit" "outer" null 3 "closed""#,
        ],
    );
}

#[test]
fn a_level_follows_from_whether_the_end_was_expected_and_whether_another_line_reports_it() {
    let ends = [&full(), &bare(), &network_error()];
    let lines = json_lines(|| {
        for end in ends {
            disconnect_event!(expected: Level::INFO, unexpected: Level::ERROR, end, "closed");
            disconnect_event!(
                target: "audit", expected: Level::INFO, unexpected: Level::ERROR, inherited: Level::WARN,
                end, "closed"
            );
        }
    });
    let levels: Vec<_> = lines.iter().map(|line| line["level"].clone()).collect();
    assert_eq!(levels, ["ERROR", "WARN", "INFO", "INFO", "ERROR", "ERROR"]);
    assert_eq!(lines[0]["line_number"], line!() - 9);
}

#[test]
fn a_record_is_evaluated_once_and_nothing_else_while_the_level_is_off() {
    let mut count = 0;
    let lines = json_lines(|| {
        let field = || -> u64 { panic!("evaluated") };
        let mut classify = || {
            count += 1;
            bare()
        };
        disconnect_event!(Level::DEBUG, classify(), n = field(), "off {}", field());
        disconnect_event!(target: "quiet", Level::TRACE, classify(), n = field(), "off");
        disconnect_event!(expected: Level::DEBUG, unexpected: Level::ERROR, classify(), n = field(), "off");
        disconnect_event!(Level::INFO, classify(), "on");
        disconnect_event!(expected: Level::INFO, unexpected: Level::ERROR, classify(), "on");
    });
    assert_eq!((lines.len(), count), (2, 5));
}

/// The front page shows what is really printed, wrapped.
#[test]
#[cfg(unix)]
fn the_documented_output_is_the_real_one() {
    let result = std::process::Command::new("sh").args(["-c", "exit 7"]).status();
    let end = disconnect_attribution::classify_session_exit(false, &result);
    let sink = Sink::default();
    let people = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(sink.clone());
    with_default(people.finish(), || {
        disconnect_event!(Level::INFO, end, peer = "10.0.0.7", "ssh session closed");
    });
    let text = sink.text();
    let (_, printed) = text.trim_end().split_once("tracing: ").expect("a target");
    let front_page = include_str!("../../src/lib.rs").replace("\n//!   ", " ");
    assert!(front_page.contains(printed), "{printed}");
}

/// A program on `log`, with tracing's feature of that name: in a process of its own, since a subscriber that was once set
/// anywhere in it would take the events.
#[test]
fn without_a_subscriber_an_event_reaches_a_logger_of_log() {
    struct Prints;
    impl log::Log for Prints {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            println!("{} {}", record.level(), record.args());
        }

        fn flush(&self) {}
    }
    if is_respawned() {
        log::set_logger(&Prints).expect("the first");
        log::set_max_level(log::LevelFilter::Info);
        let end = network_error().with_trigger(Trigger::Reset);
        disconnect_event!(expected: Level::DEBUG, unexpected: Level::WARN, &end, peer = "10.0.0.7", "closed");
        return disconnect_event!(Level::DEBUG, end, "closed, but off");
    }
    let output = respawn("tracing::without_a_subscriber_an_event_reaches_a_logger_of_log").output();
    let output = String::from_utf8(output.expect("respawned").stdout).expect("text");
    let lines: Vec<_> = output.lines().filter(|line| line.contains("closed")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    for part in [r#"WARN closed connect_type="agent_to_client""#, r#"_trigger="reset""#, r#"peer="10.0.0.7""#]
    {
        assert!(lines[0].contains(part), "{output}");
    }
}

/// The macro names all that it needs by its full path, and what it binds meets no name of the caller.
#[test]
fn the_macro_is_hygienic() {
    mod elsewhere {
        #![allow(dead_code)]

        use disconnect_attribution::Disconnect as Option;

        struct Disconnect;
        mod tracing {}

        pub(super) fn log(record: &Option) {
            let (end, reason, exit_code) = ("the caller's", 1, 2);
            disconnect_attribution::disconnect_event!(
                ::tracing::Level::INFO,
                record,
                who = end,
                reason,
                mine = exit_code,
                "closed"
            );
        }
    }

    let lines = json_lines(|| elsewhere::log(&bare()));
    assert_eq!(lines[0]["who"], "the caller's");
    assert_eq!((&lines[0]["reason"], &lines[0]["mine"]), (&json!(1), &json!(2)));
    assert_eq!(lines[0].get("exit_code"), None);
}
