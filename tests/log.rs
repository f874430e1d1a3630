//! A program on `log`, with tracing's feature of that name and no subscriber: a process of its own, since a subscriber
//! that was once set anywhere in it would take the events.
#![cfg(feature = "tracing")]

use std::sync::Mutex;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, Trigger, disconnect_event};
use log::{LevelFilter, Log, Metadata, Record};
use tracing::Level;

struct Lines(Mutex<Vec<String>>);

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().expect("no panic").push(format!("{} {}", record.level(), record.args()));
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(Mutex::new(Vec::new()));

#[test]
fn an_event_reaches_a_logger_of_log() {
    log::set_logger(&LINES).expect("the first");
    log::set_max_level(LevelFilter::Info);
    let end = Disconnect::network_error(AgentToClient, Trigger::Reset);
    disconnect_event!(expected: Level::DEBUG, unexpected: Level::WARN, end, peer = "10.0.0.7", "closed");
    disconnect_event!(Level::DEBUG, end, "off");
    let lines = LINES.0.lock().expect("no panic");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    assert!(line.starts_with("WARN closed connect_type=\"agent_to_client\""), "{line}");
    assert!(line.contains("disconnect_trigger=\"reset\"") && line.contains("peer=\"10.0.0.7\""), "{line}");
}
