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

use super::{PATIENCE, echo, records};
use crate::support::respawned::{RESPAWNED, is_respawned, respawn};
use crate::support::{END_OF_FILE, PANICKED, connection, words};

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
        let serving = thread::spawn(move || echo(&log, &process, socket, PATIENCE));
        client.write_all(bytes).expect("written");
        client.shutdown(std::net::Shutdown::Write).expect("shut down");
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).expect("a clean end");
        assert_eq!(answered, answer);
        assert_eq!(serving.join().is_err(), bytes.ends_with(b"?"));
    }
    std::process::exit(7); // libtest would fail to report
}

/// Closed at the start, when std gives a process `/dev/null`; open for reading alone, which fails as a descriptor that was
/// closed later does, with `EBADF`; and without a reader.
#[test]
fn standard_streams_that_are_closed_or_can_not_be_written_or_have_no_reader() {
    const TEST: &str =
        "faults::standard_streams::standard_streams_that_are_closed_or_can_not_be_written_or_have_no_reader";
    if is_respawned() {
        if std::env::var_os("WAITS").is_some() {
            while writeln!(io::stdout(), "ready").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        }
        serve(&std::env::var(RESPAWNED).expect("a file"));
    }
    for redirection in [">&- 2>&-", "1</dev/null 2</dev/null", ""] {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let command = respawn(TEST);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!(r#"exec "$0" "$@" {redirection}"#)]);
        shell.arg(command.get_program()).args(command.get_args()).env(RESPAWNED, file.path());
        if redirection.is_empty() {
            shell.env("WAITS", "1").stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut process = shell.spawn().expect("a shell");
        drop(process.stderr.take());
        if let Some(mut output) = process.stdout.take() {
            output.read_exact(&mut [0]).expect("it writes");
        }
        let status = process.wait().expect("reaped").code();
        let log = std::fs::read_to_string(file.path()).expect("read");
        assert_eq!(status, Some(7), "{redirection}: {log}");
        let lines: Vec<String> = records(&log).iter().map(words).collect();
        assert_eq!(lines, ["agent_to_client ended by client: client_closed", PANICKED, END_OF_FILE]);
    }
}
