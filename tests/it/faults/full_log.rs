//! A log that can't be written, in a process of its own: it must live, and report what was lost.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;

use disconnect_attribution::{DisconnectGuard, DisconnectReason, Evidence};
use slog::{Drain, Logger, info, o};

use super::LAYER;
use crate::support::end;
use crate::support::respawned::{RESPAWNED, is_respawned, respawn};

fn die_while_logging_to(sink: Box<dyn Write + Send>) {
    let log = Logger::root(Mutex::new(slog_json::Json::default(sink)).fuse(), o!());
    let session = thread::spawn(move || {
        let guard = DisconnectGuard::new(LAYER, move |end| info!(log, "ssh session closed"; end));
        let rejected = end(DisconnectReason::Rejected).with_detail("quota\nforged line");
        guard.cause().record(Evidence::Peer, rejected);
        panic!("of the session");
    });
    assert!(session.join().is_err());
}

#[test]
fn the_process_survives_a_full_disk_and_a_closed_pipe_during_an_unwind() {
    const TEST: &str =
        "faults::full_log::the_process_survives_a_full_disk_and_a_closed_pipe_during_an_unwind";
    if is_respawned() {
        let is_disk = std::env::var(RESPAWNED).expect("a sink") == "disk";
        let (reader, pipe) = std::io::pipe().expect("pipe");
        drop(reader);
        let disk = || File::create("/dev/full").expect("opened");
        return die_while_logging_to(if is_disk { Box::new(disk()) } else { Box::new(pipe) });
    }
    for sink in ["disk", "pipe"] {
        let output = respawn(TEST).env(RESPAWNED, sink).stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let output = output.expect("respawned");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lost = "disconnect-attribution: log statement panicked, lost: \
                    agent_to_client ended: rejected (open ";
        for part in ["of the session", lost, r"): quota\nforged line"] {
            assert!(stderr.contains(part), "{sink}: no {part:?} in {stderr}");
        }
        // Killed by a signal (SIGABRT) is what must not happen.
        assert_eq!(output.status.code(), Some(0), "{sink}: {stderr}");
    }
}
