//! Allocations are exact: none from classifying to emitting, if nothing has to be copied.

use std::fmt;
use std::io;

use allocation_counter::{AllocationInfo, measure};
use disconnect_attribution::{
    Cause, CloseCode, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    Trigger, classify_channel_close, classify_coordinator_rpc_exit, classify_pty_exit, classify_rpc_exit,
    disconnect_log,
};
use slog::{Drain, KV, Key, Level, Logger, Never, OwnedKVList, Record, Serializer, info, o};

use crate::support::end;

const LAYER: ConnectType = ConnectType::AgentToClient;

/// Serializes every field and keeps nothing.
struct Emit;

impl Drain for Emit {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        KV::serialize(&record.kv(), record, &mut Emit).expect("emitted");
        Ok(())
    }
}

impl Serializer for Emit {
    fn emit_arguments(&mut self, _: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        // Not counted as ours: slog's default turns every other type into arguments.
        std::hint::black_box(value);
        Ok(())
    }
}

fn measured(run: impl FnOnce(&Logger)) -> AllocationInfo {
    let log = Logger::root(Emit, o!());
    measure(|| run(&log))
}

#[test]
fn a_record_without_a_detail_or_with_a_clean_static_one_costs_no_allocation() {
    let ok: Result<(), &str> = Ok(());
    let measured = measured(|log| {
        info!(log, "disconnected"; classify_coordinator_rpc_exit(false, &ok));
        info!(log, "disconnected"; classify_rpc_exit(LAYER, Initiator::Client, true, &ok));
        info!(log, "closed"; classify_pty_exit(false, &ok));
        info!(log, "channel closed"; classify_channel_close(&ok));
        let end = Disconnect::from_close_code(LAYER, CloseCode::Quic(0x12a), Initiator::Client)
            .with_trigger(Trigger::MaxAge)
            .with_exit_code(1)
            .with_bytes(1, 2)
            .with_clock_jump(-1);
        for text in ["", "short", "Grüße: non-ASCII is clean too", "日本 🦀 e\u{301}", " \n "] {
            let end = end.clone().with_detail(text);
            info!(log, "closed"; &end);
            disconnect_log!(log, expected: Level::Info, unexpected: Level::Error, end.clone(), "closed");
        }
    });
    assert_eq!(measured.count_total, 0);
}

#[test]
fn an_owned_clean_detail_is_moved_if_it_is_small_and_copied_with_its_record() {
    // The text, its capacity, and the bytes of its copy, if it is not kept itself.
    for (text, capacity, copied) in [
        ("denied", 6, None),
        ("denied", 256, None),
        ("Zugang verweigert: Gäste", 30, None),
        ("日本", 6, None),
        ("denied", 257, Some(6)),
        ("denied\n", 1 << 20, Some(6)),
        ("de\nnied", 8, Some(8)),
        ("", 1 << 20, Some(0)),
    ] {
        let mut spacious = String::with_capacity(capacity);
        spacious.push_str(text);
        let mut kept = None;
        let measured = measure(|| kept = Some(end(DisconnectReason::Rejected).with_detail(spacious)));
        let capacity = i64::try_from(capacity).expect("small");
        let grown = copied.map_or(0, |length| length - capacity);
        assert_eq!(measured.bytes_current, grown, "{text:?} in {capacity} bytes");
        assert_eq!(measured.count_total > 0, copied > Some(0), "{text:?} in {capacity} bytes");
        let kept = kept.expect("made");
        let length = kept.detail().map_or(0, str::len) as u64;
        let copied = measure(|| drop(kept.clone()));
        assert_eq!((copied.count_total, copied.bytes_total), (u64::from(length > 0), length));
    }
}

/// Text from a peer of any size takes no more memory than some lines do, however it comes.
#[test]
fn a_text_that_has_to_be_copied_costs_little_whatever_its_size() {
    const MOST: u64 = 3 * 4096;
    let flood = "\n!".repeat(1 << 20);
    let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, flood.clone()));
    let result: Result<(), String> = Err(flood.clone());
    let rows: [(&str, &dyn Fn()); 4] = [
        ("a chain of errors", &|| drop(Disconnect::from_error(LAYER, &error))),
        ("a text", &|| drop(classify_channel_close(&result))),
        ("a parse error", &|| drop(flood.parse::<Initiator>())),
        ("a literal", &|| drop(end(DisconnectReason::Rejected).with_detail("two\nlines"))),
    ];
    for (name, run) in rows {
        let measured = measure(run);
        assert!(measured.bytes_max <= MOST && measured.bytes_current == 0, "{name}: {measured:?}");
    }
    let held = measure(|| std::mem::forget(end(DisconnectReason::Rejected).with_detail(flood.clone())));
    assert!(held.bytes_current <= 256, "{held:?}");
}

#[test]
fn a_cause_is_one_allocation_and_recording_one_more() {
    let mut causes = None;
    let made = measure(|| {
        let parent = Cause::default();
        causes = Some((parent.child(), parent));
    });
    assert_eq!(made.count_total, 2, "a child adds nothing to its parent");
    #[cfg(target_pointer_width = "64")]
    assert!(made.bytes_total <= 2 * 104, "{made:?}");

    let (child, _parent) = causes.expect("made");
    let reset = end(DisconnectReason::NetworkError);
    let recorded = measure(|| {
        child.record(Evidence::Transport, reset.clone());
        child.record(Evidence::Peer, reset);
        assert!(child.get().is_some());
    });
    assert_eq!(recorded.count_total, 2, "what was learned, and what refined it");
}

#[test]
fn a_guard_with_its_cause_is_one_allocation_and_a_box_one_more() {
    let parent = Cause::default();
    let held = |make: &dyn Fn() -> DisconnectGuard| {
        let mut guard = None;
        let count = measure(|| guard = Some(make())).count_current;
        drop(guard.map(DisconnectGuard::finish));
        count
    };
    let captured = 7;
    let emit = move |end| drop((end, captured));
    assert_eq!(held(&|| DisconnectGuard::boxed(LAYER, drop)), 1);
    assert_eq!(held(&|| DisconnectGuard::boxed(LAYER, emit)), 2);
    assert_eq!(held(&|| DisconnectGuard::boxed(LAYER, emit).with_cause(parent.child())), 2);
}
