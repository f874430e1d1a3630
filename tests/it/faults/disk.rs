//! A disk that fills up under the log, and has room again: a tmpfs in a mount namespace of its own.

#[path = "../../../examples/recipes/src/whole_lines.rs"]
#[allow(unreachable_pub)]
mod whole_lines;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use disconnect_attribution::{Cause, Disconnect};
use slog::{Drain, Logger, o};

use super::echo;
use whole_lines::WholeLines;

use crate::support::connection;
use crate::support::respawned::{RESPAWNED, is_respawned, respawn};

/// Lines are of 330 bytes or so: 8 KiB are full after 25, and the other 8 KiB hold what comes after 32.
const CONNECTIONS: usize = 44;
const FULL_UNTIL: usize = 32;

/// Serves connections while the disk fills up, and after there is room again; then prints the log.
fn serve(folder: &Path, is_whole: bool) {
    let ballast = folder.join("ballast");
    fs::write(&ballast, [0; 8192]).expect("room at first");
    let file = folder.join("agent.log");
    let sink = File::create(&file).expect("created");
    let sink: Box<dyn Write + Send> = if is_whole { Box::new(WholeLines::new(sink)) } else { Box::new(sink) };
    let log = Logger::root(Mutex::new(slog_json::Json::default(sink)).fuse(), o!());
    for number in 0..CONNECTIONS {
        if number == FULL_UNTIL {
            fs::remove_file(&ballast).expect("removed");
        }
        let (mut client, socket) = connection();
        let log = log.clone();
        let serving = thread::spawn(move || echo(&log, &Cause::default(), socket));
        client.write_all(b"hi!").expect("written");
        client.shutdown(std::net::Shutdown::Write).expect("shut down");
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).expect("a clean end");
        assert_eq!(answered, b"hi!");
        serving.join().expect("no panic").expect("a clean end");
    }
    let log = fs::read_to_string(&file).expect("read");
    print!("BEGIN{log}\nEND");
}

/// Runs a test in a process of its own that has a small disk; `None` if that needs rights it has not.
fn on_a_small_disk(test: &str) -> Option<Output> {
    let folder = tempfile::tempdir().expect("a folder");
    let command = respawn(&format!("faults::disk::{test}"));
    let mount = r#"mount -t tmpfs -o size=16k none "$0" && exec "$@""#;
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", mount])
        .arg(folder.path())
        .arg(command.get_program())
        .args(command.get_args())
        .env(RESPAWNED, folder.path())
        .output()
        .expect("unshare of util-linux");
    let error = String::from_utf8_lossy(&output.stderr);
    let has_begun = String::from_utf8_lossy(&output.stdout).contains("BEGIN");
    let is_refused =
        !output.status.success() && !has_begun && (error.contains("unshare") || error.contains("mount:"));
    if is_refused {
        eprintln!("skipped: no namespace of its own: {error}");
    }
    (!is_refused).then_some(output)
}

/// How many lines of the log are records, how many are not, and how many the guards reported as lost.
#[track_caller]
fn counts(output: &Output) -> (usize, usize, usize) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, log) = text.split_once("BEGIN").expect("begun");
    let (log, _) = log.split_once("END").expect("ended");
    let is_record = |line: &&str| serde_json::from_str::<Disconnect>(line).is_ok();
    let all = log.lines().filter(|line| !line.is_empty());
    let (records, others): (Vec<&str>, Vec<&str>) = all.partition(is_record);
    (records.len(), others.len(), error.matches("panicked, lost: ").count())
}

#[test]
fn a_disk_that_fills_up_disturbs_no_connection_and_tears_one_line_and_the_next() {
    let test = "a_disk_that_fills_up_disturbs_no_connection_and_tears_one_line_and_the_next";
    if is_respawned() {
        return serve(Path::new(&std::env::var(RESPAWNED).expect("a folder")), false);
    }
    let Some(output) = on_a_small_disk(test) else {
        return;
    };
    let (records, torn, lost) = counts(&output);
    assert!(lost > 0, "the disk was full");
    // The torn half of a line and the next whole one, which is lost too, and not reported. None is torn where
    // the disk was full exactly between two.
    assert!(torn <= 1, "{torn}");
    assert_eq!(records + lost + torn, CONNECTIONS);
}

#[test]
fn a_writer_of_whole_lines_loses_what_was_reported_and_no_more() {
    let test = "a_writer_of_whole_lines_loses_what_was_reported_and_no_more";
    if is_respawned() {
        return serve(Path::new(&std::env::var(RESPAWNED).expect("a folder")), true);
    }
    let Some(output) = on_a_small_disk(test) else {
        return;
    };
    let (records, torn, lost) = counts(&output);
    assert!(lost > 0, "the disk was full");
    assert!(torn <= 1, "{torn}");
    assert_eq!(records + lost, CONNECTIONS);
}
