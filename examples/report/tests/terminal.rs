//! A terminal, and the keys that people press in it.
#![cfg(unix)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const END: &str =
    r#"{"ts":"2026-01-02T03:00:00Z","connect_type":"agent_to_client","disconnect_reason":"network_error"}"#;

/// The program with a terminal of so many columns as its output.
fn in_terminal(columns: u16, arguments: &[&str], settings: &[(&str, &str)], log: &str) -> String {
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None).expect("a terminal");
    let mut process = Command::new(env!("CARGO_BIN_EXE_disconnect-report"))
        .args(arguments)
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(File::from(terminal.slave))
        .spawn()
        .expect("started");
    let mut input = process.stdin.take().expect("piped");
    input.write_all(log.as_bytes()).expect("written");
    drop(input);
    let mut output = Vec::new();
    // A terminal that has no writer any more is an error to read on Linux.
    let _ = File::from(terminal.master).read_to_end(&mut output);
    assert!(process.wait().expect("ended").success());
    String::from_utf8(output).expect("UTF-8")
}

#[test]
fn a_terminal_gets_its_width_and_colours_unless_they_are_not_wanted() {
    let log = format!("{END}\n").repeat(3);
    let bars = |text: &str| text.chars().filter(|c| *c == '█').count();
    let narrow = in_terminal(70, &["-"], &[], &log);
    let wide = in_terminal(160, &["-"], &[], &log);
    assert!(narrow.contains("\u{1b}[") && wide.contains("\u{1b}["));
    assert!(bars(&narrow) < bars(&wide), "{narrow}\n{wide}");
    for settings in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let plain = in_terminal(80, &["-"], &settings, &log);
        assert!(!plain.contains('\u{1b}'), "{settings:?}: {plain}");
    }
}

fn started(arguments: &[&str]) -> Child {
    support::command(arguments, Path::new(".")).stdin(Stdio::piped()).spawn().expect("started")
}

/// More than a pipe holds, so that the program reads by then, and with that handles Ctrl-C.
fn write_lines(input: &mut impl Write, lines: usize) {
    let lines = format!("{END}\n").repeat(lines);
    assert!(lines.len() > 128 << 10);
    input.write_all(lines.as_bytes()).expect("written");
}

fn interrupt(process: &Child) {
    let process = Pid::from_raw(process.id().try_into().expect("an id"));
    kill(process, Signal::SIGINT).expect("sent");
}

/// `tail -f agent.log | disconnect-report -`: Ctrl-C ends both, and what came is reported.
#[test]
fn after_ctrl_c_there_is_a_report_of_what_was_read() {
    let mut process = started(&["--json", "-"]);
    let mut input = process.stdin.take().expect("piped");
    write_lines(&mut input, 2_000);
    interrupt(&process);
    drop(input);
    let output = process.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["ends"], 2_000);
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"));
}

#[test]
fn ctrl_c_ends_a_read_of_a_pipe_in_which_nothing_comes() {
    let mut process = started(&["-"]);
    let mut input = process.stdin.take().expect("piped");
    write_lines(&mut input, 30_000);
    let start = Instant::now();
    interrupt(&process);
    let output = process.wait_with_output().expect("ended");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // Whole blocks count.
    assert!(text.contains(" ends in ") && !text.starts_with("0 "), "{text}");
    drop(input);
}
