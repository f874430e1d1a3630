//! A line while another thread records, on real threads.

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use disconnect_attribution::{Cause, Evidence, Trigger};

use crate::support::{Lines, network_error, random};

/// A session panics while its connection is reset: its line and what is known below it are one end.
#[test]
fn the_line_of_a_panic_is_known_below() {
    let (connections, resets) = channel::<(Cause, u32)>();
    let started = Arc::new(AtomicU64::new(0));
    let starts = Arc::clone(&started);
    let resets = thread::spawn(move || {
        for (connection, wait) in resets {
            starts.fetch_add(1, Ordering::Relaxed);
            (0..wait).for_each(|_| hint::spin_loop());
            connection.record(Evidence::Transport, network_error().with_trigger(Trigger::Reset));
        }
    });
    let rounds = 5_000 * random::size();
    let (mut panic_was_first, mut differ, mut wait) = (0, 0, 0_u32);
    for round in 1..=rounds {
        let connection = Cause::default();
        let session = connection.child();
        let lines = Lines::default();
        let guard = lines.guard().with_cause(session.clone());
        connections.send((connection, wait)).expect("is listened to");
        while started.load(Ordering::Relaxed) < round {
            thread::yield_now();
        }
        let _ = catch_unwind(AssertUnwindSafe(move || {
            let _guard = guard;
            resume_unwind(Box::new(())); // without a message
        }));
        let line = lines.one();
        // The reset keeps close to the panic: it comes sooner after a round that it lost, else later.
        if line.trigger() == Some(Trigger::Panic) {
            panic_was_first += 1;
            wait = wait.saturating_sub(4);
        } else {
            wait = (wait + 4).min(4096);
        }
        differ += u32::from(session.child().get().map(|end| end.trigger()) != Some(line.trigger()));
    }
    drop(connections);
    resets.join().expect("records");
    println!("{rounds} rounds, the panic was first in {panic_was_first}, {differ} lines differ");
    assert_eq!(differ, 0, "of {rounds} lines");
}
