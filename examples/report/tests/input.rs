//! Files, pipes, gzip, threads, and what goes wrong with them.

mod support;

use std::fs::{hard_link, rename, write};
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use support::{command, holds, json_of, json_of_input, report, shows, text};

const END: &str = r#"{"ts":"2026-01-02T03:00:00Z","msg":"closed","connect_type":"agent_to_client","disconnect_reason":"network_error","disconnect_detail":"reset"}"#;
const BAD: &str = r#"{"connect_type":"moon_to_mars","disconnect_reason":"graceful"}"#;
const CHATTER: &str = r#"{"ts":"2026-01-02T03:00:00Z","msg":"still here","peer":"10.0.0.7:44312"}"#;
const HUMAN: &str = "2026-05-13 17:42:21.701 [debu]  lost  connect_type=server_to_agent  disconnect_reason=network_error ...\n    disconnect_detail= read tcp:\n                       connection reset by peer\n";

fn gzip(log: impl AsRef<[u8]>) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(log.as_ref()).expect("written");
    gzip.finish().expect("written")
}

fn started(arguments: &[&str], directory: &Path) -> (Child, ChildStdin) {
    let mut process = command(arguments, directory).stdin(Stdio::piped()).spawn().expect("started");
    let input = process.stdin.take().expect("piped");
    (process, input)
}

fn json_at_the_end(process: Child) -> Value {
    serde_json::from_str(&text(&process.wait_with_output().expect("ended"))).expect("JSON")
}

#[test]
fn gzip_is_read_however_it_was_made() {
    let members = [gzip(END), gzip("\n"), gzip(END)].concat();
    let padded = [&members[..], &[0; 10_000]].concat();
    shows(&[], gzip(gzip(END)), &json!({"/ends": 1, "/skipped": {}}));
    shows(&[], &padded, &json!({"/ends": 2, "/skipped": {}}));
    let error = |error| json!({"count": 1, "first": format!("standard input: {error}")});
    let expected = json!({"/ends": 2, "/skipped/read_error": error("invalid gzip header")});
    shows(&[], [&padded[..], b"no member of gzip"].concat(), &expected);
    // What came before the damage counts.
    let expected = json!({"/ends": 2, "/skipped/read_error": error("unexpected end of file")});
    shows(&[], &members[..members.len() - 4], &expected);
}

#[test]
fn a_pipe_may_give_one_byte_first_and_need_not_be_named() {
    let (process, mut input) = started(&["--json"], Path::new("."));
    let log = gzip(END);
    for part in [&log[..1], &log[1..]] {
        input.write_all(part).expect("written");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    drop(input);
    holds(&json_at_the_end(process), &json!({"/ends": 1}), "a pipe");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (mut process, mut input) = started(&["-"], Path::new("."));
    drop(process.stdout.take());
    input.write_all(END.as_bytes()).expect("written");
    drop(input);
    let output = process.wait_with_output().expect("ended");
    assert!(output.status.success() && output.stderr.is_empty());
}

/// Standard input comes first, so that the files are found and not yet opened when they are rotated.
#[cfg(unix)]
#[test]
fn a_log_that_is_rotated_while_it_is_read_is_named_and_not_read_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    write(path("agent.log"), END).expect("written");
    write(path("agent.log.1"), format!("{END}\n{END}\n")).expect("written");
    let (process, mut input) = started(&["--json", "-", "agent.log", "agent.log.1"], directory.path());
    // More than a pipe holds: by then the program reads.
    input.write_all(format!("{CHATTER}\n").repeat(2_000).as_bytes()).expect("written");
    // As a rotation half done has it: the new file is not there yet, so the old one has both names.
    rename(path("agent.log.1"), path("agent.log.2")).expect("renamed");
    hard_link(path("agent.log"), path("agent.log.1")).expect("linked");
    drop(input);
    let replaced = json!({"count": 1, "first": "agent.log.1"});
    holds(&json_at_the_end(process), &json!({"/ends": 1, "/skipped/replaced": replaced}), "a rotation");
}

/// The kernel gives the size of a page, and less to read.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_ends_early_is_named() {
    let file = "/sys/kernel/uevent_seqnum";
    if Path::new(file).exists() {
        let report = json_of(&[file], Path::new("."), b"");
        holds(&report, &json!({"/skipped/cut": {"count": 1, "first": file}}), file);
    }
}

/// Blocks of a megabyte end anywhere in the story; a block of the human format stays with its line.
#[test]
fn many_blocks_on_any_number_of_threads_give_the_same_report() {
    let bad = "2026-05-13 17:42:21.701 [info]  bad  connect_type=mars  disconnect_reason=graceful\n";
    let other =
        "2026-05-13 17:42:22.015 [info]  agent: reported metadata  count=3 ...\n    key= a\n         b\n";
    let ten = format!("{HUMAN}{bad}{}", other.repeat(8));
    let log = format!("{}{}\n{}", ten.repeat(3_000), "x".repeat(3 << 20), ten.repeat(1_000));
    let one = json_of_input(&["--threads", "1"], log.as_bytes());
    let expected = json!({
        "/lines": log.lines().count(),
        "/ends": 4_000,
        "/unexpected_details":
            [{"disconnect_detail": "read tcp:\\nconnection reset by peer", "count": 4_000}],
        "/skipped/too_long": {"count": 1, "first": "standard input:84001"},
        "/skipped/unreadable/count": 4_000,
        "/skipped/no_end/count": 32_000 * 3,
    });
    holds(&one, &expected, "many blocks");
    for threads in ["2", "3", "7"] {
        assert_eq!(json_of_input(&["--threads", threads], log.as_bytes()), one);
    }
}

#[test]
fn a_line_may_be_almost_a_megabyte_long() {
    let end = |padding: usize| END.replace("closed", &"x".repeat(padding));
    let log = [end(10), end(300_000), end(1_000_000), end(1_100_000), end(20)].join("\n");
    let too_long = json!({"count": 1, "first": "standard input:4"});
    shows(&[], log, &json!({"/ends": 4, "/lines": 5, "/skipped/too_long": too_long}));
}

/// Three dots before a line end announce a block; the next megabyte may start in it.
#[test]
fn a_log_of_one_long_block_ends_somewhere() {
    let log = format!("{HUMAN}{}{HUMAN}", "    more\n".repeat(300_000));
    shows(&[], log, &json!({"/ends": 2, "/lines": 300_006}));
}

#[test]
fn lines_are_numbered_from_the_start_of_each_file() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path().join("a.log"), format!("{CHATTER}\n").repeat(20_000)).expect("written");
    write(directory.path().join("b.log"), format!("{CHATTER}\n{BAD}\n")).expect("written");
    let report = json_of(&["--threads", "2", "a.log", "b.log"], directory.path(), b"");
    let first = report["skipped"]["unreadable"]["first"].as_str().expect("a text");
    assert!(first.starts_with("b.log:2: "), "{first}");
    assert_eq!(report["lines"], 20_002);
}

/// A person sees it first, and a program gets it on standard error too.
#[test]
fn an_unreadable_record_is_loud() {
    let warning = "1 record that holds a disconnect_reason can't be read, so it is not counted. \
                   The first is standard input:1: invalid connect_type \"moon_to_mars\"";
    let people = text(&report(&["-"], Path::new("."), BAD.as_bytes()));
    assert!(people.starts_with(&format!("0 ends in 1 line\n\n! {warning}")), "{people}");
    let machines = report(&["--json", "-"], Path::new("."), BAD.as_bytes());
    let error = String::from_utf8(machines.stderr).expect("UTF-8");
    assert!(error.starts_with(&format!("disconnect-report: {warning}")), "{error}");
}

#[test]
fn the_same_file_is_read_once_whatever_it_is_called() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    write(path("a.log"), END).expect("written");
    write(path("other.log"), END).expect("written");
    hard_link(path("a.log"), path("b.log")).expect("linked");
    #[cfg(unix)]
    std::os::unix::fs::symlink(path("a.log"), path("c.log")).expect("linked");
    // Standard input may be the same file, too.
    let files = ["--json", "-", "a.log", "./a.log", "b.log", "c.log", "other.log"];
    let stdin = std::fs::File::open(path("a.log")).expect("opened");
    let process = command(&files, directory.path()).stdin(stdin).spawn().expect("started");
    let same = json!({"count": 4, "first": "a.log"});
    holds(&json_at_the_end(process), &json!({"/ends": 2, "/skipped/same_file": same}), "six names");
}

#[cfg(unix)]
#[test]
fn names_of_files_drive_no_terminal() {
    let directory = tempfile::tempdir().expect("a directory");
    let name = "x\u{1b}[2J\u{202e}.log";
    write(directory.path().join(name), "disconnect_reason").expect("written");
    let people = text(&report(&[name], directory.path(), b""));
    assert!(people.contains("The first is x\\u{1b}[2J\\u{202e}.log:1: "), "{people}");
    let missing = report(&["no\u{1b}[2J"], directory.path(), b"");
    assert_eq!(
        String::from_utf8(missing.stderr).expect("UTF-8"),
        "disconnect-report: can't read no\\u{1b}[2J: No such file or directory (os error 2)\n"
    );
}

#[test]
fn what_is_packed_otherwise_is_named_with_what_reads_it() {
    for (magic, advice) in [
        (&b"\x28\xb5\x2f\xfdx"[..], "zstdcat FILE"),
        (b"\xfd7zXZ\0", "xzcat FILE"),
        (b"BZh9", "bzcat FILE"),
        (b"PK\x03\x04", "unzip -p FILE"),
        (b"\x04\x22\x4d\x18", "lz4cat FILE"),
        (b"\x1f\x9d\x90", "zcat FILE"),
        (b"LZIP\x01", "lzip -dc FILE"),
        (b"LPKSHHRH", "journalctl -o json --all --file FILE"),
        (b"\xff\xfe{\0", "iconv -f UTF-16 "),
        (b"\xfe\xff\0{", "iconv -f UTF-16 "),
        (b"{\0\"\0m\0", "iconv -f UTF-16LE"),
        (b"\0{\0\"\0m", "iconv -f UTF-16BE"),
    ] {
        for log in [magic.to_vec(), gzip(magic)] {
            let report = json_of_input(&[], &log);
            let first = report["skipped"]["read_error"]["first"].as_str().expect("a text");
            assert!(first.contains(advice), "{first}");
        }
    }
}
