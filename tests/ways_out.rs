//! Every way out of a scope leaves one line, and nothing aborts the process.

mod lines;
#[path = "support/respawned.rs"]
mod respawned;
#[path = "support/words.rs"]
mod words;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
};
use lines::{Lines, end};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use words::words;

const DROPPED: &str = "agent_to_client ended: unknown (dropped): \
                       no cause was recorded: cancelled task or early return";
const PANICKED: &str = "agent_to_client ended: unknown (panic): ended by a panic";

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

/// A session that never ends by itself; signals when it is guarded.
async fn session(lines: Lines, guarded: oneshot::Sender<()>) {
    let _guard = lines.guard();
    let _ = guarded.send(());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_task_that_is_aborted_leaves_one_line() {
    let lines = Lines::default();
    let (guarded, is_guarded) = oneshot::channel();
    let task = tokio::spawn(session(lines.clone(), guarded));
    is_guarded.await.expect("guarded");
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

#[tokio::test]
async fn a_future_that_loses_a_select_leaves_one_line() {
    let lines = Lines::default();
    let (guarded, is_guarded) = oneshot::channel();
    tokio::select! {
        () = session(lines.clone(), guarded) => unreachable!("never ends by itself"),
        _ = is_guarded => {}
    }
    assert_eq!(words(&lines.one()), DROPPED);
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
    let shutdown = Disconnect::shutdown(ConnectType::ServerToAgent, Initiator::Agent);
    agent.record(Evidence::Local, shutdown);
    drop(runtime);
    for lines in &sessions {
        let expected = "agent_to_client ended by agent: server_shutdown (from server_to_agent)";
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
        let died = catch_unwind(AssertUnwindSafe(|| {
            let _outer = failing(&emitted, payload);
            let _inner = failing(&emitted, payload);
            panic!("of the session");
        }));
        let message = died.expect_err("the session's own");
        assert_eq!(message.downcast_ref(), Some(&"of the session"));
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
    let session = ClosesOnDrop(Some(failing(&emitted, 1)));
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _session = session;
        panic!("of the session");
    }));
    assert_eq!(
        died.expect_err("its own").downcast_ref(),
        Some(&"of the session")
    );
    assert_eq!(emitted.load(Ordering::Relaxed), 1);
}

#[test]
fn a_condition_that_panics_has_no_answer_and_neither_has_its_destructor() {
    for payload in [0, 1, 2] {
        let lines = Lines::default();
        let captured = Grenade(payload);
        let guard = lines.guard().shutdown_when(Initiator::Agent, move || {
            let _kept = &captured;
            panic_any(Grenade(payload));
        });
        drop(guard);
        assert_eq!(words(&lines.one()), DROPPED);
    }
    // One that is not asked is dropped all the same, here while its thread unwinds.
    let lines = Lines::default();
    let captured = Grenade(1);
    let guard = lines.guard().shutdown_when(Initiator::Agent, move || {
        let _kept = &captured;
        true
    });
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _guard = guard;
        panic!("of the session");
    }));
    assert!(died.is_err());
    assert_eq!(words(&lines.one()), PANICKED);
}

#[test]
fn guards_that_share_a_cause_log_a_line_each() {
    let connection = Cause::default();
    let both = [Lines::default(), Lines::default()];
    let guards = both
        .each_ref()
        .map(|lines| lines.guard().with_cause(connection.clone()));
    connection.record(Evidence::Transport, end(DisconnectReason::NetworkError));
    drop(guards);
    for lines in both {
        assert_eq!(
            words(&lines.one()),
            "agent_to_client ended: network_error",
            "its own"
        );
    }
}

#[test]
fn a_struct_holds_a_guard_by_name_and_shares_it_between_threads() {
    struct Session {
        guard: DisconnectGuard,
        _buffer: Vec<u8>,
    }
    let lines = Lines::default();
    let session = Arc::new(Session {
        guard: lines.guard(),
        _buffer: Vec::new(),
    });
    let other = Arc::clone(&session);
    std::thread::spawn(move || other.guard.failed(&io::Error::other("device gone")))
        .join()
        .expect("no panic");
    drop(session);
    assert_eq!(
        words(&lines.one()),
        "agent_to_client ended: unknown: device gone"
    );
}

/// A log that can't be written, in a process of its own: it must live, and report what was lost.
#[cfg(all(unix, feature = "slog"))]
mod failing_log {
    #[cfg(target_os = "linux")]
    use std::fs::File;
    use std::process::Stdio;
    use std::sync::Mutex;
    use std::thread;

    use slog::{Drain, Logger, info, o};

    use super::{ConnectType, DisconnectGuard, DisconnectReason, Evidence, end, respawned};

    fn die_while_logging_to(sink: impl std::io::Write + Send + 'static) {
        let drain = Mutex::new(slog_json::Json::default(sink)).fuse();
        let log = Logger::root(drain, o!());
        let session = thread::spawn(move || {
            let guard = DisconnectGuard::new(ConnectType::AgentToClient, move |end| {
                info!(log, "ssh session closed"; end);
            });
            let rejected = end(DisconnectReason::Rejected).with_detail("quota\nforged line");
            guard.cause().record(Evidence::Peer, rejected);
            panic!("of the session");
        });
        assert!(session.join().is_err());
    }

    #[track_caller]
    fn lives_and_reports(test: &str) {
        let output = respawned::respawn(&format!("failing_log::{test}"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .expect("respawned");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lost = "disconnect-attribution: log statement panicked, lost: \
                    agent_to_client ended: rejected (open ";
        for part in ["of the session", lost, r"): quota\nforged line"] {
            assert!(stderr.contains(part), "no {part:?} in {stderr}");
        }
        // Killed by a signal (SIGABRT) is what must not happen.
        assert_eq!(output.status.code(), Some(0), "{stderr}");
    }

    #[test]
    #[cfg(target_os = "linux")] // has /dev/full
    fn the_process_survives_a_full_disk_during_an_unwind() {
        if respawned::is_respawned() {
            return die_while_logging_to(File::create("/dev/full").expect("opened"));
        }
        lives_and_reports("the_process_survives_a_full_disk_during_an_unwind");
    }

    #[test]
    fn the_process_survives_a_closed_pipe_during_an_unwind() {
        if respawned::is_respawned() {
            let (reader, writer) = std::io::pipe().expect("pipe");
            drop(reader);
            return die_while_logging_to(writer);
        }
        lives_and_reports("the_process_survives_a_closed_pipe_during_an_unwind");
    }
}
