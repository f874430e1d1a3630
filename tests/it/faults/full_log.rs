//! A log that can't be written, in a process of its own: it must live, and report what was lost.

use std::fs::File;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;

use disconnect_attribution::{ConnectType, DisconnectGuard, DisconnectReason, Evidence};
use slog::{Drain, Logger, info, o};

use crate::support::{end, respawned};

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
    let output = respawned::respawn(&format!("faults::full_log::{test}"))
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
