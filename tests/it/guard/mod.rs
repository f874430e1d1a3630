//! Exactly one line for every guard, and what it holds.

mod corners;
mod errors;
mod line;
mod numbers;
mod race;
mod ways_out;

use std::panic::{AssertUnwindSafe, catch_unwind};

use disconnect_attribution::{Disconnect, DisconnectGuard, DisconnectReason, Evidence, Trigger};

use crate::support::{DROPPED, Lines, client_closed, end, words};

/// The line of a guard after `story`.
fn line(story: impl FnOnce(&DisconnectGuard)) -> String {
    let lines = Lines::default();
    let guard = lines.guard();
    story(&guard);
    drop(guard);
    words(&lines.one())
}

/// Panics while it holds a value.
fn panic_with<T>(value: T) {
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _value = value;
        panic!("of the session");
    }));
    assert_eq!(died.expect_err("the session's own").downcast_ref(), Some(&"of the session"));
}

#[test]
fn close_is_a_decision_of_this_side() {
    let after = |known: Option<Disconnect>, decision| {
        let lines = Lines::default();
        let guard = lines.guard();
        if let Some(known) = known {
            guard.cause().record(Evidence::Transport, known);
        }
        guard.close(decision);
        words(&lines.one())
    };
    assert_eq!(after(None, end(DisconnectReason::Graceful)), "agent_to_client ended: graceful");
    let reset = end(DisconnectReason::NetworkError).with_trigger(Trigger::Reset);
    assert_eq!(after(Some(reset), client_closed()), "agent_to_client ended: network_error (reset)");
}

#[test]
fn disarm_logs_nothing() {
    let lines = Lines::default();
    lines.guard().finish();
    assert_eq!(lines.take(), []);
}

#[test]
fn debug_shows_the_layer_and_the_cause() {
    let guard = Lines::default().guard();
    guard.cause().record(Evidence::Peer, end(DisconnectReason::Rejected));
    let text = format!("{guard:?}");
    for part in ["DisconnectGuard", "AgentToClient", "Rejected"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

/// A connection that a destructor opens and closes while its thread unwinds did not panic itself.
#[test]
fn a_guard_made_while_unwinding_does_not_blame_that_panic() {
    struct Cleanup(Lines);
    impl Drop for Cleanup {
        fn drop(&mut self) {
            drop(self.0.guard());
        }
    }
    let lines = Lines::default();
    panic_with(Cleanup(lines.clone()));
    assert_eq!(words(&lines.one()), DROPPED);
}
