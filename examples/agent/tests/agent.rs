//! The example agent's walk: every site logs its one line, as the golden log has it.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use disconnect_attribution::{Disconnect, keys};
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
    for number in [
        keys::CONNECTION_DURATION_MS,
        keys::PEER_SILENCE_MS,
        keys::BYTES_RECEIVED,
        keys::BYTES_SENT,
        keys::CLOCK_JUMP_MS,
    ] {
        fields.remove(number);
    }
    line
}

/// Lines in the order of their scenes, and sorted within each.
fn golden(lines: Vec<Value>) -> String {
    let mut scenes = Vec::new();
    let mut sorted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines {
        let scene = line["scene"].as_str().expect("a scene").to_owned();
        if !scenes.contains(&scene) {
            scenes.push(scene.clone());
        }
        sorted.entry(scene).or_default().push(line.to_string());
    }
    let mut text = String::new();
    for scene in scenes {
        let mut lines = sorted.remove(&scene).unwrap_or_default();
        lines.sort();
        text += &lines.join("\n");
        text.push('\n');
    }
    text
}

#[test]
fn the_walk_logs_the_golden_log() {
    let output = agent().arg("--json").output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // Machines read standard output, people the table.
    assert!(errors.contains("reconnecting pty closed"), "{errors}");

    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let logged = golden(text.lines().map(without_numbers).collect());
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
fn every_line_but_the_failed_dial_is_an_end() {
    let (ends, others): (Vec<&str>, Vec<&str>) =
        GOLDEN.lines().partition(|line| serde_json::from_str::<Disconnect>(line).is_ok());
    assert_eq!(others.len(), 1);
    assert!(others[0].contains("failed to dial coordinator"));
    assert!(ends.len() > 50);
}

#[test]
fn an_outage_is_one_line_without_an_origin() {
    for scene in ["coordinator killed", "network resets", "two tabs"] {
        let lines = GOLDEN
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .filter(|line| line["scene"] == scene && line[keys::DISCONNECT_INITIATOR] == "network");
        let (inherited, seen): (Vec<Value>, Vec<Value>) =
            lines.partition(|line| line.get(keys::DISCONNECT_ORIGIN).is_some());
        assert_eq!(seen.len(), 1, "{scene}");
        assert!(!inherited.is_empty(), "{scene}");
    }
}

#[test]
fn people_get_80_columns_without_colour_in_a_pipe() {
    let output = agent().output().expect("runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for part in [
        "\n8. exit 7\nA command ends with status 7.",
        "INFO ssh session closed\n     \
         connect_type=agent_to_client disconnect_reason=process_exited\n     \
         disconnect_expected=false exit_code=7 connection_duration_ms=",
        "│ scene ┆ message ",
        "\nNext: `cargo run -p agent -- serve`",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
    let widest = text.lines().max_by_key(|line| line.chars().count());
    assert!(widest.is_some_and(|line| line.chars().count() <= 80), "{widest:?}");
}

/// Processes that carry a mark in their environment.
#[cfg(target_os = "linux")]
fn marked(mark: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("Linux has one");
    processes
        .filter_map(|process| Some(process.ok()?.path()))
        .filter(|process| {
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark.as_bytes())
        })
        .map(|process| std::fs::read_to_string(process.join("cmdline")).unwrap_or_default())
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_the_walk_at_once_and_leaves_no_child() {
    let mark = format!("MARK_OF_A_TEST={}", std::process::id());
    let (name, value) = mark.split_once('=').expect("has one");
    let mut agent = agent()
        .arg("--json")
        .env(name, value)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(agent.stdout.take().expect("piped")).lines();
    // The second line is about a coordinator, so there is one.
    lines.nth(1).expect("a line").expect("UTF-8");
    let id = i32::try_from(agent.id()).expect("an id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("interrupted");
    assert_eq!(agent.wait().expect("ended").code(), Some(1));

    // A killed child takes a moment to die.
    while !marked(&mark).is_empty() {
        std::thread::yield_now();
    }
}
