//! Growth: the cost of one disconnect among many, and the memory of an open connection.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Initiator, TrackedStream,
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

pub(crate) fn report() {
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
