//! Exactly one line for every guard, on every way out.

mod support;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use disconnect_attribution::{
    Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

const PANICKED: &str = "ended by a panic";
const DROPPED: &str = "dropped without a reason: cancelled task or early return";

/// Collects what guards emit.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<Disconnect>>>);

impl Lines {
    fn emit(&self) -> impl FnOnce(Disconnect) + Send + Sync + use<> {
        let lines = Arc::clone(&self.0);
        move |end| lines.lock().expect("no panic while pushing").push(end)
    }

    fn guard(&self) -> DisconnectGuard<impl FnOnce(Disconnect) + Send + Sync + use<>> {
        DisconnectGuard::new(ConnectType::AgentToClient, self.emit())
    }

    #[track_caller]
    fn one(&self) -> Disconnect {
        let lines = self.0.lock().expect("no panic while pushing");
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    }
}

fn end(reason: DisconnectReason) -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, reason)
}

fn unknown(detail: &'static str) -> Disconnect {
    end(DisconnectReason::Unknown).with_detail(detail)
}

#[test]
fn close_logs_the_decision() {
    let lines = Lines::default();
    lines.guard().close(end(DisconnectReason::Graceful));
    assert_eq!(lines.one(), end(DisconnectReason::Graceful));
}

#[test]
fn debug_shows_the_layer_and_the_cause() {
    let guard = Lines::default().guard();
    guard
        .cause()
        .record(Evidence::Peer, end(DisconnectReason::Rejected));
    let text = format!("{guard:?}");
    guard.disarm();
    for part in ["DisconnectGuard", "AgentToClient", "Peer", "Rejected"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn disarm_logs_nothing() {
    let lines = Lines::default();
    lines.guard().disarm();
    assert!(lines.0.lock().expect("alive").is_empty());
}

#[test]
fn return_and_question_mark_log_once() {
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
    assert_eq!(lines.one(), unknown(DROPPED));

    let lines = Lines::default();
    failing(&lines).expect_err("fails");
    assert_eq!(lines.one(), unknown(DROPPED));
}

#[test]
fn a_panic_logs_once_and_says_so() {
    let lines = Lines::default();
    let guard = lines.guard();
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _guard = guard;
        panic!("of the session");
    }));
    assert!(died.is_err());
    assert_eq!(lines.one(), unknown(PANICKED));
}

/// A connection that a destructor opens and closes while its thread unwinds did not panic itself.
#[test]
fn a_guard_made_while_unwinding_is_not_blamed_on_that_panic() {
    struct Cleanup(Lines);
    impl Drop for Cleanup {
        fn drop(&mut self) {
            drop(self.0.guard());
        }
    }
    let lines = Lines::default();
    let cleanup = Cleanup(lines.clone());
    assert!(
        catch_unwind(AssertUnwindSafe(move || {
            let _cleanup = cleanup;
            panic!("of something else");
        }))
        .is_err()
    );
    assert_eq!(lines.one(), unknown(DROPPED));
}

#[test]
fn what_the_cause_knows_wins_over_every_fallback() {
    for evidence in [Evidence::Transport, Evidence::Local, Evidence::Peer] {
        let lines = Lines::default();
        let guard = lines.guard().shutdown_when(Initiator::Agent, || true);
        guard
            .cause()
            .record(evidence, end(DisconnectReason::NetworkError));
        drop(guard);
        assert_eq!(
            lines.one(),
            end(DisconnectReason::NetworkError),
            "{evidence:?}"
        );
    }
}

#[test]
fn a_presumed_end_counts_only_with_a_reason() {
    let dropped_stream = |reason| {
        let lines = Lines::default();
        let guard = lines.guard().shutdown_when(Initiator::Agent, || true);
        guard.cause().record(Evidence::Presumed, end(reason));
        drop(guard);
        lines.one()
    };
    let shutdown = end(DisconnectReason::ServerShutdown).with_initiator(Initiator::Agent);
    assert_eq!(dropped_stream(DisconnectReason::Unknown), shutdown);
    assert_eq!(
        dropped_stream(DisconnectReason::Graceful),
        end(DisconnectReason::Graceful)
    );
}

#[test]
fn a_shutdown_is_told_by_its_condition() {
    for (side, reason) in [
        (Initiator::Agent, DisconnectReason::ServerShutdown),
        (Initiator::Server, DisconnectReason::ServerShutdown),
        (Initiator::Client, DisconnectReason::ClientClosed),
    ] {
        let stopping = Arc::new(AtomicBool::new(false));
        for shutdown in [false, true] {
            let lines = Lines::default();
            let asked = Arc::clone(&stopping);
            let guard = lines
                .guard()
                .shutdown_when(side, move || asked.load(Ordering::Relaxed));
            stopping.store(shutdown, Ordering::Relaxed);
            drop(guard);
            let expected = if shutdown {
                end(reason).with_initiator(side)
            } else {
                unknown(DROPPED)
            };
            assert_eq!(lines.one(), expected);
        }
    }
}

#[test]
fn a_condition_that_panics_says_nothing() {
    let lines = Lines::default();
    let guard = lines
        .guard()
        .shutdown_when(Initiator::Agent, || panic!("in the condition"));
    assert!(
        catch_unwind(AssertUnwindSafe(move || {
            let _guard = guard;
            panic!("of the session");
        }))
        .is_err()
    );
    assert_eq!(lines.one(), unknown(PANICKED));
}

#[test]
fn an_earlier_cause_wins_over_close() {
    let lines = Lines::default();
    let guard = lines.guard();
    guard
        .cause()
        .record(Evidence::Transport, end(DisconnectReason::NetworkError));
    guard.close(end(DisconnectReason::ServerShutdown));
    assert_eq!(lines.one(), end(DisconnectReason::NetworkError));
}

#[test]
fn guards_that_share_a_cause_log_a_line_each() {
    let connection = Cause::default();
    let (first, second) = (Lines::default(), Lines::default());
    let guards = [
        first.guard().with_cause(connection.clone()).cause(),
        second.guard().with_cause(connection.clone()).cause(),
    ];
    drop(guards);
    assert_eq!(first.one(), unknown(DROPPED));
    assert_eq!(second.one(), unknown(DROPPED));
}

#[test]
fn a_panic_in_close_is_the_callers() {
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, |_| panic!("disk full"));
    let panic = catch_unwind(AssertUnwindSafe(|| {
        guard.close(end(DisconnectReason::Graceful));
    }));
    let message = panic.expect_err("goes on to the caller");
    assert_eq!(message.downcast_ref(), Some(&"disk full"));
}

#[test]
fn a_panic_in_a_destructor_is_contained() {
    let emitted = AtomicUsize::new(0);
    let failing = || {
        DisconnectGuard::new(ConnectType::AgentToClient, |_| {
            emitted.fetch_add(1, Ordering::Relaxed);
            panic!("disk full");
        })
    };
    drop(failing());
    let died = catch_unwind(AssertUnwindSafe(|| {
        let _outer = failing();
        let _inner = failing();
        panic!("of the session");
    }));
    assert_eq!(
        died.expect_err("the session's own").downcast_ref(),
        Some(&"of the session")
    );
    assert_eq!(emitted.load(Ordering::Relaxed), 3, "each was tried once");
}

/// A session that lives until somebody ends it; says when it is guarded.
async fn session(lines: Lines, guarded: oneshot::Sender<()>) {
    let _guard = lines.guard();
    let _ = guarded.send(());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_task_that_is_aborted_logs_once() {
    let lines = Lines::default();
    let (guarded, is_guarded) = oneshot::channel();
    let task = tokio::spawn(session(lines.clone(), guarded));
    is_guarded.await.expect("guarded");
    task.abort();
    assert!(task.await.expect_err("aborted").is_cancelled());
    assert_eq!(lines.one(), unknown(DROPPED));
}

#[tokio::test]
async fn a_task_that_panics_logs_once() {
    let lines = Lines::default();
    let guard = lines.guard();
    let task = tokio::spawn(async move {
        let _guard = guard;
        tokio::task::yield_now().await;
        panic!("of the task");
    });
    assert!(task.await.expect_err("panicked").is_panic());
    assert_eq!(lines.one(), unknown(PANICKED));
}

#[tokio::test]
async fn a_future_that_loses_a_select_logs_once() {
    let lines = Lines::default();
    let (guarded, is_guarded) = oneshot::channel();
    tokio::select! {
        () = session(lines.clone(), guarded) => unreachable!("never ends by itself"),
        _ = is_guarded => {}
    }
    assert_eq!(lines.one(), unknown(DROPPED));
}

#[test]
fn a_runtime_that_shuts_down_logs_once_for_each_task() {
    let stopping = Arc::new(AtomicBool::new(false));
    let runtime = Runtime::new().expect("runtime");
    let sessions: Vec<Lines> = (0..100).map(|_| Lines::default()).collect();
    runtime.block_on(async {
        for lines in &sessions {
            let asked = Arc::clone(&stopping);
            let guard = lines
                .guard()
                .shutdown_when(Initiator::Agent, move || asked.load(Ordering::Relaxed));
            let (guarded, is_guarded) = oneshot::channel();
            tokio::spawn(async move {
                let _guard = guard;
                let _ = guarded.send(());
                std::future::pending::<()>().await;
            });
            is_guarded.await.expect("guarded");
        }
    });
    stopping.store(true, Ordering::Relaxed);
    drop(runtime);
    for lines in &sessions {
        let shutdown = end(DisconnectReason::ServerShutdown).with_initiator(Initiator::Agent);
        assert_eq!(lines.one(), shutdown);
    }
}

/// A log that can't be written, in a process of its own: it must live, and say what was lost.
#[cfg(all(unix, feature = "slog"))]
mod failing_log {
    #[cfg(target_os = "linux")]
    use std::fs::File;
    use std::process::Stdio;
    use std::thread;

    use slog::{Drain, Logger, info, o};

    use super::{DisconnectGuard, DisconnectReason, Evidence, Mutex, end, support};
    use disconnect_attribution::ConnectType;

    fn die_while_logging_to(sink: impl std::io::Write + Send + 'static) {
        let drain = Mutex::new(slog_json::Json::default(sink)).fuse();
        let log = Logger::root(drain, o!());
        let session = thread::spawn(move || {
            let guard = DisconnectGuard::new(ConnectType::AgentToClient, move |end| {
                info!(log, "ssh session closed"; end);
            });
            guard.cause().record(
                Evidence::Peer,
                end(DisconnectReason::Rejected).with_detail("quota\nforged line"),
            );
            panic!("of the session");
        });
        assert!(session.join().is_err());
    }

    #[track_caller]
    fn lives_and_tells(test: &str, sink: impl Into<Stdio>) {
        let child = support::respawn(test)
            .stdout(sink)
            .stderr(Stdio::piped())
            .spawn()
            .expect("respawned");
        let output = child.wait_with_output().expect("ended");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("of the session"), "{stderr}");
        let lost = "disconnect-attribution: log statement panicked, lost: \
                    agent_to_client ended: rejected: quota\\nforged line\n";
        assert!(stderr.contains(lost), "{stderr}");
        // Killed by a signal (SIGABRT) is what must not happen.
        assert_eq!(output.status.code(), Some(0), "{stderr}");
    }

    #[test]
    #[cfg(target_os = "linux")] // has /dev/full
    fn the_process_survives_a_full_disk_during_an_unwind() {
        if support::is_respawned() {
            return die_while_logging_to(File::create("/dev/full").expect("opened"));
        }
        lives_and_tells(
            "failing_log::the_process_survives_a_full_disk_during_an_unwind",
            Stdio::null(),
        );
    }

    #[test]
    fn the_process_survives_a_closed_pipe_during_an_unwind() {
        if support::is_respawned() {
            let (reader, writer) = std::io::pipe().expect("pipe");
            drop(reader);
            return die_while_logging_to(writer);
        }
        lives_and_tells(
            "failing_log::the_process_survives_a_closed_pipe_during_an_unwind",
            Stdio::null(),
        );
    }
}
