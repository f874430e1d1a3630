//! Every way out of a scope leaves one line, and nothing aborts the process.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence};
use tokio::runtime::Runtime;

use super::panic_with;
use crate::support::{DROPPED, Lines, PANICKED, end, shutdown, words};

#[test]
fn a_return_and_a_question_mark_leave_one_line() {
    fn early(lines: &Lines) {
        let _guard = lines.guard();
    }
    fn failing(lines: &Lines) -> io::Result<()> {
        let guard = lines.guard();
        Err(io::Error::from(io::ErrorKind::BrokenPipe))?;
        guard.close(end(DisconnectReason::Graceful));
        Ok(())
    }
    let lines = Lines::default();
    early(&lines);
    assert_eq!(words(&lines.one()), DROPPED);
    failing(&lines).expect_err("fails");
    assert_eq!(words(&lines.one()), DROPPED);
}

#[tokio::test]
async fn a_task_that_is_aborted_leaves_one_line() {
    let lines = Lines::default();
    let guard = lines.guard();
    let task = tokio::spawn(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    task.abort();
    assert!(task.await.expect_err("aborted").is_cancelled());
    assert_eq!(words(&lines.one()), DROPPED);
}

#[tokio::test]
async fn a_task_that_panics_leaves_one_line() {
    let lines = Lines::default();
    let guard = lines.guard();
    let task = tokio::spawn(async move {
        let _guard = guard;
        tokio::task::yield_now().await;
        panic!("of the task");
    });
    assert!(task.await.expect_err("panicked").is_panic());
    assert_eq!(words(&lines.one()), PANICKED);
}

#[test]
fn a_runtime_that_shuts_down_leaves_one_line_for_each_of_its_tasks() {
    let runtime = Runtime::new().expect("runtime");
    let agent = Cause::default();
    let sessions: Vec<Lines> = (0..100).map(|_| Lines::default()).collect();
    for lines in &sessions {
        let guard = lines.guard().with_cause(agent.child());
        runtime.spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
    }
    agent.record(Evidence::Local, shutdown());
    drop(runtime);
    for lines in &sessions {
        let expected = "agent_to_client ended by agent: server_shutdown";
        assert_eq!(words(&lines.one()), expected);
    }
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

struct ClosesOnDrop<F: FnOnce(Disconnect)>(Option<DisconnectGuard<F>>);
impl<F: FnOnce(Disconnect)> Drop for ClosesOnDrop<F> {
    fn drop(&mut self) {
        if let Some(guard) = self.0.take() {
            guard.close(end(DisconnectReason::Graceful));
        }
    }
}

#[test]
fn a_panic_in_close_is_the_callers_unless_the_caller_unwinds() {
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, |_| panic!("disk full"));
    let closed = catch_unwind(AssertUnwindSafe(|| {
        guard.close(end(DisconnectReason::Graceful));
    }));
    let message = closed.expect_err("goes on to the caller");
    assert_eq!(message.downcast_ref(), Some(&"disk full"));

    let emitted = AtomicUsize::new(0);
    panic_with(ClosesOnDrop(Some(failing(&emitted, 1))));
    assert_eq!(emitted.load(Ordering::Relaxed), 1);
}

#[test]
fn guards_that_share_a_cause_log_a_line_each() {
    let connection = Cause::default();
    let both = [Lines::default(), Lines::default()];
    let guards = both.each_ref().map(|lines| lines.guard().with_cause(connection.clone()));
    connection.record(Evidence::Transport, end(DisconnectReason::NetworkError));
    drop(guards);
    for lines in both {
        assert_eq!(words(&lines.one()), "agent_to_client ended: network_error", "its own");
    }
}

#[test]
fn a_struct_holds_a_guard_by_name_and_shares_it_between_threads() {
    struct Session {
        guard: DisconnectGuard,
        _buffer: Vec<u8>,
    }
    let lines = Lines::default();
    let session = Arc::new(Session { guard: lines.guard(), _buffer: Vec::new() });
    let other = Arc::clone(&session);
    std::thread::spawn(move || other.guard.record_error(&io::Error::other("device gone")))
        .join()
        .expect("no panic");
    drop(session);
    assert_eq!(words(&lines.one()), "agent_to_client ended: unknown: device gone");
}
