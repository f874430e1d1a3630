//! Exactly one line for every guard, and what it holds.

mod errors;
#[path = "../lines/mod.rs"]
mod lines;
mod steps;
#[path = "../support/words.rs"]
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
};
use lines::{Lines, end};
use words::words;

const DROPPED: &str = "agent_to_client ended: unknown (dropped): \
                       no cause was recorded: cancelled task or early return";
const PANICKED: &str = "agent_to_client ended: unknown (panic): ended by a panic";
const SHUTDOWN: &str = "agent_to_client ended by agent: server_shutdown";

/// The line of a guard after `story`.
fn line(story: impl FnOnce(&DisconnectGuard)) -> String {
    let lines = Lines::default();
    let guard = lines.guard();
    story(&guard);
    drop(guard);
    words(&lines.one())
}

fn client_closed() -> Disconnect {
    Disconnect::closed_by(ConnectType::AgentToClient, Initiator::Client)
}

/// Panics while it holds a value.
fn panic_with<T>(value: T) {
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _value = value;
        panic!("of the session");
    }));
    assert!(died.is_err());
}

#[test]
fn close_is_a_decision_of_this_side_and_close_as_is_what_it_is_given() {
    let after_reset = |close: fn(DisconnectGuard)| {
        let lines = Lines::default();
        let guard = lines.guard();
        let reset = end(DisconnectReason::NetworkError).with_trigger(Trigger::Reset);
        guard.cause().record(Evidence::Transport, reset);
        close(guard);
        words(&lines.one())
    };
    let reset = "agent_to_client ended: network_error (reset)";
    assert_eq!(after_reset(|guard| guard.close(client_closed())), reset);
    let goodbye = "agent_to_client ended by client: client_closed";
    assert_eq!(
        after_reset(|guard| guard.close_as(Evidence::Peer, client_closed())),
        goodbye
    );

    let lines = Lines::default();
    lines.guard().close(end(DisconnectReason::Graceful));
    assert_eq!(words(&lines.one()), "agent_to_client ended: graceful");
}

#[test]
fn disarm_logs_nothing() {
    let lines = Lines::default();
    lines.guard().disarm();
    assert_eq!(lines.take(), []);
}

#[test]
fn debug_shows_the_layer_and_the_cause() {
    let guard = Lines::default().guard();
    guard
        .cause()
        .record(Evidence::Peer, end(DisconnectReason::Rejected));
    let text = format!("{guard:?}");
    guard.disarm();
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

#[test]
fn a_guard_with_its_cause_is_one_allocation_and_a_box_one_more() {
    let parent = Cause::default();
    let layer = ConnectType::AgentToClient;
    let count = |run: &dyn Fn()| allocation_counter::measure(run).count_total;
    assert_eq!(count(&|| DisconnectGuard::new(layer, drop).disarm()), 0);
    let with_cause = || {
        let guard = DisconnectGuard::new(layer, drop);
        assert_eq!(guard.cause().get(), None);
        guard.disarm();
    };
    assert_eq!(count(&with_cause), 1);
    let child = || {
        DisconnectGuard::new(layer, drop)
            .with_cause(parent.child())
            .disarm();
    };
    assert_eq!(count(&child), 1);
    let captured = 7;
    let boxed = || {
        let emit = move |end| drop((end, captured));
        DisconnectGuard::boxed(layer, emit)
            .with_cause(parent.child())
            .disarm();
    };
    assert_eq!(count(&boxed), 2);
}
