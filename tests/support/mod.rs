//! What tests share.
#![allow(dead_code)] // each test binary uses its own part

use std::sync::mpsc;
use std::time::Duration;

use disconnect_attribution::{
    Cause, CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectGuard, DisconnectReason,
    Evidence, Initiator, Trigger,
};
use slog::{Drain, Logger, o};

mod sink;
#[allow(unused_imports)] // as above
pub(crate) use sink::{Sink, json_text};

/// A record with every field.
///
/// The origin has no setter: a guard sets it where the cause is a parent's.
pub(crate) fn full() -> Disconnect {
    let (sender, lines) = mpsc::channel();
    let parent = Cause::default();
    parent.record(
        Evidence::Local,
        Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::ProcessExited)
            .with_initiator(Initiator::Agent)
            .with_trigger(Trigger::MaxAge)
            .with_code(CloseCode::Ssh(11))
            .with_detail("process exited with error status: 7"),
    );
    let emit = move |end| sender.send(end).expect("received");
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, emit).with_cause(parent.child());
    guard.close(
        bare()
            .with_exit_code(7)
            .with_connection_method(ConnectionMethod::Direct)
            .with_connection_duration(Duration::from_millis(61_234))
            .with_peer_silence(Duration::from_secs(60))
            .with_bytes(u64::MAX, 0)
            .with_clock_jump(-3_600_000),
    );
    lines.recv().expect("one line")
}

/// A record of the data plane with a reason alone.
pub(crate) fn end(reason: DisconnectReason) -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, reason)
}

/// An end of the data plane that the network caused.
pub(crate) fn network_error() -> Disconnect {
    end(DisconnectReason::NetworkError).with_initiator(Initiator::Network)
}

/// A record with the two fields that every line has.
pub(crate) fn bare() -> Disconnect {
    Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::Graceful)
}

/// What `log` writes through slog-term, as text.
pub(crate) fn term_text(log: impl FnOnce(&Logger)) -> String {
    let sink = Sink::default();
    let decorator = slog_term::PlainSyncDecorator::new(sink.clone());
    let drain = slog_term::FullFormat::new(decorator)
        .use_original_order()
        .use_custom_timestamp(|out| write!(out, "now"))
        .build()
        .fuse();
    log(&Logger::root(drain, o!()));
    sink.text()
}
