//! Every way out of a scope leaves one line, and nothing aborts the process.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};

use disconnect_attribution::DisconnectReason::{Graceful, NetworkError};
use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, Evidence};

use crate::support::{DROPPED, Lines, PANICKED, end, line, panic_with, words};

#[test]
fn a_return_a_question_mark_and_a_panic_leave_one_line() {
    fn question_mark(guard: DisconnectGuard) -> io::Result<()> {
        let refused = Err(io::Error::from(io::ErrorKind::PermissionDenied));
        refused.inspect_err(|error| guard.record_error(error))?;
        guard.close(end(Graceful));
        Ok(())
    }
    assert_eq!(line(drop), DROPPED);
    let given = line(|guard| assert!(question_mark(guard).is_err()));
    assert_eq!(given, "agent_to_client ended: unknown: permission denied");
    assert_eq!(line(panic_with), PANICKED);
}

#[test]
fn close_is_a_decision_of_this_side() {
    assert_eq!(line(|guard| guard.close(end(Graceful))), "agent_to_client ended: graceful");
    let late = line(|guard| {
        guard.cause().record(Evidence::Transport, end(NetworkError));
        guard.close(end(Graceful));
    });
    assert_eq!(late, "agent_to_client ended: network_error");
}

/// A panic whose payload panics when it is dropped, again and again.
struct Grenade(u8);

impl Drop for Grenade {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Self(self.0 - 1));
        }
    }
}

fn failing(emitted: &AtomicUsize, payload: u8) -> DisconnectGuard<impl FnOnce(Disconnect)> {
    DisconnectGuard::new(ConnectType::AgentToClient, move |_| {
        emitted.fetch_add(1, Ordering::Relaxed);
        panic_any(Grenade(payload));
    })
}

#[test]
fn a_panic_in_the_closure_is_contained_in_a_destructor() {
    for payload in [0, 1, 2] {
        let emitted = AtomicUsize::new(0);
        drop(failing(&emitted, payload));
        panic_with([(); 2].map(|()| failing(&emitted, payload)));
        assert_eq!(emitted.load(Ordering::Relaxed), 3, "each was tried once");
    }
}

#[test]
fn a_panic_in_close_is_the_callers_unless_the_caller_unwinds() {
    struct ClosesOnDrop<F: FnOnce(Disconnect)>(Option<DisconnectGuard<F>>);
    impl<F: FnOnce(Disconnect)> Drop for ClosesOnDrop<F> {
        fn drop(&mut self) {
            if let Some(guard) = self.0.take() {
                guard.close(end(Graceful));
            }
        }
    }

    let guard = DisconnectGuard::new(ConnectType::AgentToClient, |_| panic!("disk full"));
    let closed = catch_unwind(AssertUnwindSafe(|| guard.close(end(Graceful))));
    let message = closed.expect_err("goes on to the caller");
    assert_eq!(message.downcast_ref(), Some(&"disk full"));

    let emitted = AtomicUsize::new(0);
    panic_with(ClosesOnDrop(Some(failing(&emitted, 1))));
    assert_eq!(emitted.load(Ordering::Relaxed), 1);
}

/// What a closure owns may panic when it is dropped; in a thread that unwinds already, that would be an abort.
#[test]
fn a_panic_of_what_the_closure_owns_is_contained_in_finish() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("of what the closure owns");
        }
    }
    let owned = Fails;
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, |_| drop(owned));
    assert_eq!(words(&guard.finish()), DROPPED);
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
fn guards_that_share_a_cause_log_a_line_each() {
    let connection = Cause::default();
    let both = [Lines::default(), Lines::default()];
    let guards = both.each_ref().map(|lines| lines.guard().with_cause(connection.clone()));
    connection.record(Evidence::Transport, end(NetworkError));
    drop(guards);
    for lines in both {
        assert_eq!(words(&lines.one()), "agent_to_client ended: network_error", "its own");
    }
}
