//! The parts: classification, details, cause, guard, close codes, and reading lines back.

use std::hint::black_box;
use std::io;
use std::thread;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use disconnect_attribution::{
    Cause, CloseCode, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence,
    Initiator, classify_coordinator_rpc_exit,
};
use serde::de::IgnoredAny;

use crate::table;

const GROUP: &str = "parts";
const READ: &str = "read";

const LINE: &str = r#"{"msg":"ssh session closed","level":"INFO","ts":"2026-01-02T03:04:05.678901234Z","exit_code":255,"disconnect_code":"ssh:11","disconnect_detail":"process exited with signal: 9 (SIGKILL)","disconnect_initiator":"agent","disconnect_expected":false,"disconnect_reason":"process_exited","connect_type":"agent_to_client"}"#;

/// The same fields, as a user would read them without this crate.
#[derive(serde_derive::Deserialize)]
#[allow(dead_code)]
struct ByHand {
    connect_type: String,
    disconnect_reason: String,
    disconnect_expected: bool,
    disconnect_initiator: Option<String>,
    disconnect_detail: Option<String>,
    disconnect_code: Option<String>,
    exit_code: Option<i32>,
    connection_method: Option<String>,
}

/// The least that a reader of these fields can do: borrow them.
#[derive(serde_derive::Deserialize)]
#[allow(dead_code)]
struct Borrowed<'a> {
    connect_type: &'a str,
    disconnect_reason: &'a str,
    disconnect_expected: bool,
    disconnect_initiator: Option<&'a str>,
    disconnect_detail: Option<&'a str>,
    disconnect_code: Option<&'a str>,
    exit_code: Option<i32>,
    connection_method: Option<&'a str>,
}

fn end() -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
        .with_initiator(Initiator::Network)
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(GROUP);
    let result: Result<(), &str> = Err("connection reset by peer");
    group.bench_function("classify", |bench| {
        bench.iter(|| classify_coordinator_rpc_exit(black_box(false), black_box(&result)).reason());
    });
    let error = io::Error::other(io::Error::from(io::ErrorKind::ConnectionReset));
    group.bench_function("reason of an error, two deep", |bench| {
        bench.iter(|| DisconnectReason::from_error(black_box(&error)));
    });
    group.bench_function("reason of a close code", |bench| {
        bench.iter(|| black_box(CloseCode::WebSocket(1001)).reason(black_box(Initiator::Server)));
    });
    group.bench_function("clean detail in, 52 bytes", |bench| {
        let detail = "read failed: Connection reset by peer (os error 104)";
        bench.iter(|| end().with_detail(black_box(detail)));
    });
    group.bench_function("the same bytes looked at by hand", |bench| {
        let detail = "read failed: Connection reset by peer (os error 104)";
        bench.iter(|| {
            black_box(detail)
                .bytes()
                .any(|byte| byte.is_ascii_control())
        });
    });
    group.bench_function("guard made and closed", |bench| {
        bench.iter(|| {
            let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
                black_box(end);
            });
            guard.close(black_box(end()));
        });
    });
    group.bench_function("cause made and dropped", |bench| {
        bench.iter(|| black_box(Cause::default()));
    });
    group.bench_function("cause record, kept", |bench| {
        bench.iter_batched_ref(
            Cause::default,
            |cause| cause.record(Evidence::Transport, black_box(end())),
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("cause record, refused", |bench| {
        let cause = Cause::default();
        cause.record(Evidence::Local, end());
        bench.iter(|| cause.record(Evidence::Transport, black_box(end())));
    });
    for threads in [1, 2, 4] {
        // Different connections on different threads share nothing.
        group.bench_function(format!("cause record, {threads} threads"), |bench| {
            bench.iter_custom(|iterations| {
                let start = Instant::now();
                thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| {
                            let cause = Cause::default();
                            for _ in 0..iterations {
                                black_box(cause.record(Evidence::Transport, black_box(end())));
                            }
                        });
                    }
                });
                start.elapsed()
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group(READ);
    group.throughput(Throughput::Bytes(LINE.len() as u64));
    group.bench_function("Disconnect", |bench| {
        bench.iter(|| serde_json::from_str::<Disconnect>(black_box(LINE)));
    });
    group.bench_function("struct by hand", |bench| {
        bench.iter(|| serde_json::from_str::<ByHand>(black_box(LINE)));
    });
    group.bench_function("struct by hand, borrowed", |bench| {
        bench.iter(|| serde_json::from_str::<Borrowed<'_>>(black_box(LINE)));
    });
    group.bench_function("skipped", |bench| {
        bench.iter(|| serde_json::from_str::<IgnoredAny>(black_box(LINE)));
    });
    group.bench_function("serde_json Value", |bench| {
        bench.iter(|| serde_json::from_str::<serde_json::Value>(black_box(LINE)));
    });
    group.finish();
}

pub(crate) fn report() {
    let rows = [
        "classify",
        "reason of an error, two deep",
        "reason of a close code",
        "clean detail in, 52 bytes",
        "the same bytes looked at by hand",
        "guard made and closed",
        "cause made and dropped",
        "cause record, kept",
        "cause record, refused",
        "cause record, 1 threads",
        "cause record, 2 threads",
        "cause record, 4 threads",
    ]
    .map(|part| {
        [
            part.to_owned(),
            table::time(table::nanoseconds(GROUP, part)),
        ]
    });
    table::print("The parts", ["part", "time"], rows);
    let ours = table::nanoseconds(READ, "Disconnect");
    let rows = [
        "Disconnect",
        "struct by hand",
        "struct by hand, borrowed",
        "skipped",
        "serde_json Value",
    ]
    .map(|row| {
        let time = table::nanoseconds(READ, row);
        let ratio = ours.zip(time).map(|(ours, time)| ours / time);
        [row.to_owned(), table::time(time), table::ratio(ratio)]
    });
    table::print(
        "Reading a JSON line back",
        ["into", "time", "ours is"],
        rows,
    );
}
