//! `panic = "abort"`, in which the process aborts after its panic hook: here a hook does so itself.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::thread;

use disconnect_attribution::{Cause, Disconnect, DisconnectReason, Trigger};
use slog::{Drain, Logger, error, o};

use super::{LAYER, PATIENCE, echo, records};
use crate::support::respawned::{RESPAWNED, is_respawned, respawn};
use crate::support::{END_OF_FILE, connection, words};

/// Serves a connection that ends, and another one that ends or meets a bug.
fn serve(mode: &str) {
    let full = || Mutex::new(slog_json::Json::default(File::create("/dev/full").expect("opened")));
    let log = match mode {
        "fuse" => Logger::root(full().fuse(), o!()),
        "ignore" => Logger::root(full().ignore_res(), o!()),
        _ => Logger::root(Mutex::new(slog_json::Json::default(io::stdout())).ignore_res(), o!()),
    };
    let (last, logs_last) = (log.clone(), mode == "hook");
    std::panic::set_hook(Box::new(move |panic| {
        let end = Disconnect::new(LAYER, DisconnectReason::Unknown).with_trigger(Trigger::Panic);
        if logs_last {
            error!(last, "the process aborts"; end.with_detail(panic.to_string()));
        }
        std::process::abort();
    }));
    let (client, socket) = connection();
    drop(client);
    echo(&log, &Cause::default(), socket, PATIENCE).expect("a clean end");
    let (mut client, socket) = connection();
    let session = thread::spawn(move || echo(&log, &Cause::default(), socket, PATIENCE));
    client.write_all(b"a").expect("written");
    client.read_exact(&mut [0]).expect("answered");
    if matches!(mode, "panic" | "hook") {
        client.write_all(b"?").expect("written");
    } else {
        drop(client);
    }
    session.join().expect("no panic").expect("a clean end");
}

#[test]
fn a_program_that_aborts_logs_until_it_panics_and_its_hook_is_the_last_to_log() {
    const TEST: &str =
        "faults::abort::a_program_that_aborts_logs_until_it_panics_and_its_hook_is_the_last_to_log";
    if is_respawned() {
        return serve(&std::env::var(RESPAWNED).expect("a mode"));
    }
    let bug = "agent_to_client ended: unknown (panic): panicked at ";
    // Whether it lives, and what it logs. No destructor runs: not of the session that panics, and of no other. slog's
    // `Fuse` turns a failed write into a panic, which nothing can contain here.
    let rows: [(&str, bool, &[&str]); 5] = [
        ("return", true, &[END_OF_FILE, END_OF_FILE]),
        ("panic", false, &[END_OF_FILE]),
        ("hook", false, &[END_OF_FILE, bug]),
        ("fuse", false, &[]),
        ("ignore", true, &[]),
    ];
    for (mode, lives, expected) in rows {
        let output = respawn(TEST).env(RESPAWNED, mode).output().expect("respawned");
        assert_eq!(output.status.code(), lives.then_some(0), "{mode}: {output:?}");
        let lines: Vec<String> =
            records(&String::from_utf8_lossy(&output.stdout)).iter().map(words).collect();
        assert_eq!(lines.len(), expected.len(), "{mode}: {lines:?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{mode}: {line}");
        }
    }
}
