//! Growth: the cost of one disconnect among many, and the memory of an open connection.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    TrackedStream,
};

use crate::table;

fn connect_and_disconnect() {
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
        black_box(end);
    });
    let reason = DisconnectReason::ClientClosed;
    guard.close(
        Disconnect::new(ConnectType::AgentToClient, reason).with_initiator(Initiator::Client),
    );
}

/// Nanoseconds for each disconnect, where `threads` share `count` of them.
fn each(count: u32, threads: u32) -> f64 {
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..count / threads).for_each(|_| connect_and_disconnect()));
        }
    });
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

/// Live bytes on the heap for each of `count` open connections.
fn live_bytes(count: usize) -> f64 {
    let mut open = Vec::with_capacity(count);
    let measured = allocation_counter::measure(|| {
        open.extend((0..count).map(|_| {
            let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
                black_box(end);
            });
            let cause = guard.cause();
            (
                guard,
                TrackedStream::new(std::io::empty(), ConnectType::AgentToClient, cause),
            )
        }));
    });
    let (bytes, count) = (
        measured.bytes_current,
        u32::try_from(count).unwrap_or(u32::MAX),
    );
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let bytes = bytes as f64;
    bytes / f64::from(count)
}

/// Nanoseconds for each of so many calls.
fn each_of(count: u32, mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..count).for_each(|_| run());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

fn guard() -> DisconnectGuard<impl FnOnce(Disconnect)> {
    DisconnectGuard::new(ConnectType::AgentToClient, |end| drop(black_box(end)))
}

fn network_error() -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
}

/// Nanoseconds for each record in one cause, which `threads` share.
fn contended(threads: u32) -> f64 {
    const COUNT: u32 = 1_000_000;
    let cause = Cause::default();
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..COUNT / threads {
                    black_box(cause.record(Evidence::Transport, network_error()));
                }
            });
        }
    });
    start.elapsed().as_secs_f64() * 1e9 / f64::from(COUNT)
}

/// Nanoseconds for each of 100,000 open connections that one shutdown of their agent explains.
fn mass_shutdown() -> f64 {
    const COUNT: u32 = 100_000;
    let agent = Cause::default();
    let open: Vec<_> = (0..COUNT)
        .map(|_| guard().with_cause(agent.child()))
        .collect();
    let start = Instant::now();
    let shutdown = Disconnect::shutdown(ConnectType::AgentToClient, Initiator::Agent);
    agent.record(Evidence::Local, shutdown);
    drop(open);
    start.elapsed().as_secs_f64() * 1e9 / f64::from(COUNT)
}

fn causes() {
    const COUNT: u32 = 1_000_000;
    let (agent, ended) = (Cause::default(), Cause::default());
    ended.record(Evidence::Local, network_error());
    let rows = [
        (
            "child made and dropped",
            each_of(COUNT, || drop(black_box(agent.child()))),
        ),
        (
            "guard made and dropped, nothing known",
            each_of(COUNT, || drop(guard())),
        ),
        (
            "guard made and closed",
            each_of(COUNT, || guard().close(network_error())),
        ),
        (
            "guard of a child made and dropped, its parent knows",
            each_of(COUNT, || drop(guard().with_cause(ended.child()))),
        ),
        (
            "guard, tracked stream, end of file, line",
            each_of(COUNT, || {
                let guard = guard().with_cause(agent.child());
                let mut stream = guard.track(std::io::empty());
                let _ = black_box(std::io::Read::read(&mut stream, &mut [0]));
            }),
        ),
        ("record in one cause, 1 thread", contended(1)),
        ("record in one cause, 2 threads", contended(2)),
        ("record in one cause, 4 threads", contended(4)),
        (
            "shutdown of 100,000 connections, each line",
            mass_shutdown(),
        ),
    ];
    let rows = rows.map(|(name, time)| [name.to_owned(), format!("{time:.0} ns")]);
    table::print("Causes", ["operation", "time"], rows);
}

/// Resident bytes for each of a million open connections: guard, child cause, tracked stream.
#[cfg(target_os = "linux")]
fn resident() {
    const COUNT: usize = 1_000_000;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        kibibytes.unwrap_or(0_u64) * 1024
    };
    let agent = Cause::default();
    let before = resident();
    let mut open = Vec::with_capacity(COUNT);
    open.extend((0..COUNT).map(|_| {
        let guard = guard().with_cause(agent.child());
        let stream = guard.track(std::io::empty());
        stream.carrying(guard)
    }));
    let each = (resident() - before) / COUNT as u64;
    println!(
        "\nResident, each of a million open connections: {each} bytes, {} of them on the stack or in a struct.",
        size_of_val(&open[0])
    );
    drop(open);
}

pub(crate) fn report() {
    causes();
    #[cfg(target_os = "linux")]
    resident();
    let rows = (2..=6).map(|power| {
        let count = 10_u32.pow(power);
        let times = [1, 2, 4].map(|threads| format!("{:.1} ns", each(count, threads)));
        let [one, two, four] = times;
        let bytes = live_bytes(count as usize);
        [
            count.to_string(),
            one,
            two,
            four,
            format!("{bytes:.0} bytes"),
        ]
    });
    table::print(
        "Growth",
        [
            "connections",
            "each, 1 thread",
            "each, 2 threads",
            "each, 4 threads",
            "heap, each while open",
        ],
        rows,
    );
    println!(
        "\nA guard itself is {} bytes.",
        size_of::<DisconnectGuard<fn(Disconnect)>>()
    );
}
