//! Allocations are exact: none from classifying to emitting, where nothing has to be copied.
#![cfg(feature = "slog")]

use std::fmt;

use allocation_counter::measure;
use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectReason, Initiator, classify_channel_close,
    classify_coordinator_rpc_exit,
};
use slog::{Drain, KV, Key, Logger, Never, OwnedKVList, Record, Serializer, info, o};

/// Serializes every field and keeps nothing.
struct Emit;

impl Drain for Emit {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        KV::serialize(&record.kv(), record, &mut Nothing).expect("emitted");
        Ok(())
    }
}

struct Nothing;

impl Serializer for Nothing {
    fn emit_arguments(&mut self, _: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        // Not counted as ours: slog's default turns every other type into arguments.
        std::hint::black_box(value);
        Ok(())
    }
}

fn allocations(run: impl FnOnce(&Logger)) -> u64 {
    let log = Logger::root(Emit, o!());
    measure(|| run(&log)).count_total
}

#[test]
fn a_record_without_detail_costs_no_allocation() {
    let result: Result<(), ()> = Err(());
    let count = allocations(|log| {
        info!(log, "disconnected"; classify_coordinator_rpc_exit(false, &result));
    });
    assert_eq!(count, 0);
}

#[test]
fn a_clean_static_detail_costs_no_allocation() {
    let result: Result<(), &str> = Ok(());
    let count = allocations(|log| {
        info!(log, "channel closed"; classify_channel_close(&result));
        let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::ClientClosed)
            .with_initiator(Initiator::Client)
            .with_exit_code(0)
            .with_detail("Grüße: non-ASCII is clean too");
        info!(log, "closed"; &end);
        info!(log, "closed"; end.clone());
    });
    assert_eq!(count, 0);
}

#[test]
fn an_owned_clean_detail_is_moved_not_copied() {
    let text = "connection reset by peer".to_owned();
    let at = text.as_ptr();
    let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError);
    let count = allocations(|log| {
        let end = end.with_detail(text);
        assert_eq!(end.detail().map(str::as_ptr), Some(at));
        info!(log, "closed"; &end);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_hostile_detail_costs_no_more_than_its_bound() {
    let flood = "\n".repeat(1 << 20);
    let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Rejected);
    let measured = measure(|| drop(end.with_detail(flood)));
    assert!(measured.bytes_max < 1024, "{measured:?}");
}
