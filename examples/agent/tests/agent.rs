//! The example agent's walk: every site logs its one line, as the golden log has it.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use disconnect_attribution::keys;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// The walk's lines, scene by scene, without times and numbers. Within a scene they are sorted, since
/// tasks log there side by side. `UPDATE_GOLDEN=1` writes it.
const GOLDEN: &str = include_str!("golden/walk.jsonl");

fn agent() -> Command {
    Command::new(env!("CARGO_BIN_EXE_agent"))
}

/// A log line without what differs from run to run, and with its keys in order.
fn without_numbers(text: &str) -> Value {
    let mut line: Value = serde_json::from_str(text).expect("a JSON line");
    let fields = line.as_object_mut().expect("an object");
    fields.remove("ts").expect("a time");
    fields.retain(|key, value| !value.is_number() || key == keys::EXIT_CODE);
    line
}

#[test]
fn the_walk_logs_the_golden_log() {
    let output = agent().arg("--json").output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<Value> = text.lines().map(without_numbers).collect();
    let mut logged = String::new();
    for scene in lines.chunk_by(|one, other| one["scene"] == other["scene"]) {
        let mut lines: Vec<String> = scene.iter().map(|line| line.to_string() + "\n").collect();
        lines.sort();
        logged += &lines.concat();
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/walk.jsonl");
        std::fs::write(path, &logged).expect("written");
        return;
    }
    for (logged, golden) in logged.lines().zip(GOLDEN.lines()) {
        assert_eq!(logged, golden);
    }
    assert_eq!(logged.lines().count(), GOLDEN.lines().count());
}

#[test]
fn people_get_each_scene_and_its_lines_without_colour_in_a_pipe() {
    let output = agent().output().expect("runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for part in [
        "\n8. exit 7\nA command ends with status 7.",
        " INFO ssh session closed, connect_type: agent_to_client, disconnect_reason: process_exited, \
         disconnect_expected: false, exit_code: 7, connection_duration_ms: ",
        "\n`cargo run -p agent -- serve` is an agent that you can log in to",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn ctrl_c_ends_the_walk_at_once_and_leaves_no_child() {
    let mut agent =
        agent().arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(agent.stdout.take().expect("piped")).lines();
    // The second line is about a coordinator, so there is one.
    lines.nth(1).expect("a line").expect("UTF-8");
    let id = i32::try_from(agent.id()).expect("an id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("interrupted");
    assert_eq!(agent.wait().expect("ended").code(), Some(1));

    // Its child has the same standard error, which ends with the last process that holds it.
    let mut errors = String::new();
    agent.stderr.take().expect("piped").read_to_string(&mut errors).expect("UTF-8");
    assert_eq!(errors, "agent: interrupted\n");
}
