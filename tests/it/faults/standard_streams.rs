//! Standard output and standard error that are closed: no connection is disturbed, and what goes elsewhere
//! is whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use disconnect_attribution::Cause;
use slog::{Drain, Duplicate, Logger, o};

use super::{echo, records};
use crate::support::connection;
use crate::support::respawned::{RESPAWNED, is_respawned, respawn};
use crate::support::words;

/// Serves a client with a goodbye, one that meets a bug and one without a word; logs to standard output and to
/// a file.
fn serve(file: &str) -> ! {
    let json = |sink: Box<dyn Write + Send>| Mutex::new(slog_json::Json::default(sink));
    let file = File::create(file).expect("created");
    let log = Duplicate(json(Box::new(io::stdout())), json(Box::new(file)));
    let log = Logger::root(log.fuse(), o!());
    let process = Cause::default();
    for (bytes, answer) in [(&b"hi!"[..], &b"hi!"[..]), (b"hi?", b"hi"), (b"hi", b"hi")] {
        let (mut client, socket) = connection();
        let (log, process) = (log.clone(), process.clone());
        let serving = thread::spawn(move || echo(&log, &process, socket));
        client.write_all(bytes).expect("written");
        client.shutdown(std::net::Shutdown::Write).expect("shut down");
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).expect("a clean end");
        assert_eq!(answered, answer);
        assert_eq!(serving.join().is_err(), bytes.ends_with(b"?"));
    }
    std::process::exit(7); // libtest would fail to report
}

/// Waits until standard output has no reader.
fn wait_for_a_broken_pipe() {
    while writeln!(io::stdout(), "ready").is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn all_lines_are_there(file: &tempfile::NamedTempFile, status: Option<i32>) {
    let log = std::fs::read_to_string(file.path()).expect("read");
    assert_eq!(status, Some(7), "{log}");
    let lines: Vec<String> = records(&log).iter().map(words).collect();
    let expected = [
        "agent_to_client ended by client: client_closed",
        "agent_to_client ended: unknown (panic): ended by a panic",
        "agent_to_client ended by network: network_error (end_of_file, peer client)",
    ];
    assert_eq!(lines, expected);
}

/// std gives a process that starts without them `/dev/null`; what is open for reading alone fails as a
/// descriptor that was closed later does, with `EBADF`.
#[test]
fn standard_streams_that_are_closed_at_the_start_or_can_not_be_written() {
    const TEST: &str =
        "faults::standard_streams::standard_streams_that_are_closed_at_the_start_or_can_not_be_written";
    if is_respawned() {
        serve(&std::env::var(RESPAWNED).expect("a file"));
    }
    for redirection in [">&- 2>&-", "1</dev/null 2</dev/null"] {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let command = respawn(TEST);
        let status = Command::new("sh")
            .args(["-c", &format!(r#"exec "$0" "$@" {redirection}"#)])
            .arg(command.get_program())
            .args(command.get_args())
            .env(RESPAWNED, file.path())
            .status();
        all_lines_are_there(&file, status.expect("a shell").code());
    }
}

#[test]
fn standard_streams_whose_readers_are_gone() {
    const TEST: &str = "faults::standard_streams::standard_streams_whose_readers_are_gone";
    if is_respawned() {
        wait_for_a_broken_pipe();
        serve(&std::env::var(RESPAWNED).expect("a file"));
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut process = respawn(TEST)
        .env(RESPAWNED, file.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("respawned");
    drop(process.stderr.take());
    let mut output = process.stdout.take().expect("piped");
    output.read_exact(&mut [0]).expect("it writes");
    drop(output);
    all_lines_are_there(&file, process.wait().expect("reaped").code());
}
