//! A disk that fills up under the log, and has room again: a tmpfs in a mount namespace of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use disconnect_attribution::{Cause, Disconnect};
use slog::{Drain, Logger, o};

use super::echo;
use crate::support::connection;
use crate::support::respawned::{RESPAWNED, is_respawned, respawn};

/// Lines are of 330 bytes or so: 8 KiB are full after 25, and the other 8 KiB hold what comes after 32.
const CONNECTIONS: usize = 44;
const FULL_UNTIL: usize = 32;

/// Serves connections while the disk fills up, and after there is room again; then prints the log.
fn serve(folder: &Path) {
    let ballast = folder.join("ballast");
    fs::write(&ballast, [0; 8192]).expect("room at first");
    let file = folder.join("agent.log");
    let sink = File::create(&file).expect("created");
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

#[test]
fn a_disk_that_fills_up_disturbs_no_connection_and_tears_one_line_and_the_next() {
    const TEST: &str =
        "faults::disk::a_disk_that_fills_up_disturbs_no_connection_and_tears_one_line_and_the_next";
    if is_respawned() {
        return serve(Path::new(&std::env::var(RESPAWNED).expect("a folder")));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let command = respawn(TEST);
    let mount = r#"mount -t tmpfs -o size=16k none "$0" && exec "$@""#;
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--mount", "sh", "-c", mount]).arg(folder.path());
    unshare.arg(command.get_program()).args(command.get_args()).env(RESPAWNED, folder.path());
    let output = unshare.output().expect("unshare of util-linux");
    let [text, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    if !text.contains("BEGIN") && (error.contains("unshare") || error.contains("mount:")) {
        return eprintln!("skipped: no namespace of its own: {error}");
    }
    assert!(output.status.success(), "{error}");
    let (_, log) = text.split_once("BEGIN").expect("begun");
    let (log, _) = log.split_once("END").expect("ended");
    let is_record = |line: &&str| serde_json::from_str::<Disconnect>(line).is_ok();
    let all = log.lines().filter(|line| !line.is_empty());
    let (records, torn): (Vec<&str>, Vec<&str>) = all.partition(is_record);
    let lost = error.matches("panicked, lost: ").count();
    assert!(lost > 0, "the disk was full");
    // The torn half of a line and the next whole one, which is lost too, and not reported. None is torn if the disk was
    // full exactly between two.
    assert!(torn.len() <= 1, "{torn:?}");
    assert_eq!(records.len() + lost + torn.len(), CONNECTIONS);
}
