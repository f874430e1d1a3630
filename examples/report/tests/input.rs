//! Files, pipes, gzip, threads, and what goes wrong with them.

mod support;

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use support::{command, json_of, json_of_input, report, text};

const END: &str = r#"{"ts":"2026-01-02T03:00:00Z","msg":"closed","connect_type":"agent_to_client","disconnect_reason":"network_error","disconnect_detail":"reset"}"#;
const CHATTER: &str = r#"{"ts":"2026-01-02T03:00:00Z","msg":"still here","peer":"10.0.0.7:44312"}"#;
const HUMAN: &str = "2026-05-13 17:42:21.701 [debu]  lost  connect_type=server_to_agent  disconnect_reason=network_error ...\n    disconnect_detail= read tcp:\n                       connection reset by peer\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).expect("written");
    gzip.finish().expect("written")
}

#[test]
fn members_of_gzip_and_zeros_after_them_are_no_error() {
    let mut log = [gzip(END), gzip("\n"), gzip(END)].concat();
    log.extend([0; 10_000]);
    let report = json_of_input(&[], &log);
    assert_eq!((&report["ends"], &report["skipped"]), (&json!(2), &json!({})));
    log.extend(b"no member of gzip");
    let report = json_of_input(&[], &log);
    assert_eq!(report["ends"], 2);
    assert_eq!(
        report["skipped"]["read_error"],
        json!({"count": 1, "first": "standard input: invalid gzip header"})
    );
}

#[test]
fn what_is_packed_is_read_or_named_however_it_comes() {
    let twice = |log: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(log).expect("written");
        gzip.finish().expect("written")
    };
    assert_eq!(json_of_input(&[], &twice(&gzip(END)))["ends"], 1);
    let wide: Vec<u8> = END.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let report = json_of_input(&[], &twice(&wide));
    assert!(report["skipped"]["read_error"]["first"].to_string().contains("UTF-16BE"), "{report}");

    // A pipe that gives one byte first.
    let mut process = command(&["--json", "-"], Path::new("."))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = process.stdin.take().expect("piped");
    let log = gzip(END);
    for part in [&log[..1], &log[1..]] {
        input.write_all(part).expect("written");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    drop(input);
    let report: Value =
        serde_json::from_str(&text(&process.wait_with_output().expect("ended"))).expect("JSON");
    assert_eq!(report["ends"], 1);
}

/// Standard input comes first, so that the files are found and not yet opened when they are rotated.
#[cfg(unix)]
#[test]
fn a_log_that_is_rotated_while_it_is_read_is_named_and_not_read_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("agent.log"), END).expect("written");
    std::fs::write(path("agent.log.1"), format!("{END}\n{END}\n")).expect("written");
    let files = ["--json", "-", "agent.log", "agent.log.1"];
    let mut process =
        command(&files, directory.path()).stdin(std::process::Stdio::piped()).spawn().expect("started");
    let mut input = process.stdin.take().expect("piped");
    // More than a pipe holds: by then the program reads.
    input.write_all(format!("{CHATTER}\n").repeat(2_000).as_bytes()).expect("written");
    // As a rotation half done has it: the new file is not there yet, so the old one has both names.
    std::fs::rename(path("agent.log.1"), path("agent.log.2")).expect("renamed");
    std::fs::hard_link(path("agent.log"), path("agent.log.1")).expect("linked");
    drop(input);
    let report: Value =
        serde_json::from_str(&text(&process.wait_with_output().expect("ended"))).expect("JSON");
    assert_eq!(report["ends"], 1);
    assert_eq!(report["skipped"]["replaced"], json!({"count": 1, "first": "agent.log.1"}));
}

/// The kernel gives the size of a page, and less to read.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_ends_early_is_named() {
    let file = "/sys/kernel/uevent_seqnum";
    if Path::new(file).exists() {
        let report = json_of(&[file], Path::new("."), b"");
        assert_eq!(report["skipped"]["cut"], json!({"count": 1, "first": file}));
    }
}

/// Blocks of a megabyte end anywhere in the story; a block of the human format stays with its line.
#[test]
fn many_blocks_on_any_number_of_threads_give_the_same_report() {
    let mut log = String::new();
    for number in 0..40_000 {
        log += match number % 10 {
            0 => HUMAN,
            1 => "2026-05-13 17:42:21.701 [info]  bad  connect_type=mars  disconnect_reason=graceful\n",
            _ => {
                "2026-05-13 17:42:22.015 [info]  agent: reported metadata  count=3 ...\n    key= a\n         b\n"
            }
        };
        if number == 30_000 {
            log += &"x".repeat(3 << 20);
            log.push('\n');
        }
    }
    let one = json_of_input(&["--threads", "1"], log.as_bytes());
    assert_eq!(one["lines"], log.lines().count());
    assert_eq!(one["ends"], 4_000);
    assert_eq!(
        one["unexpected_details"],
        json!([{"disconnect_detail": "read tcp:\\nconnection reset by peer", "count": 4_000}])
    );
    assert_eq!(one["skipped"]["too_long"], json!({"count": 1, "first": "standard input:84004"}));
    assert_eq!(one["skipped"]["unreadable"]["count"], 4_000);
    assert_eq!(one["skipped"]["no_end"]["count"], 32_000 * 3);
    for threads in ["2", "3", "7"] {
        assert_eq!(json_of_input(&["--threads", threads], log.as_bytes()), one);
    }
}

#[test]
fn a_line_may_be_almost_a_megabyte_long() {
    let end = |padding: usize| END.replace("closed", &"x".repeat(padding));
    let log = [end(10), end(300_000), end(1_000_000), end(1_100_000), end(20)].join("\n");
    let report = json_of_input(&[], log.as_bytes());
    assert_eq!((&report["ends"], &report["lines"]), (&json!(4), &json!(5)));
    assert_eq!(report["skipped"]["too_long"], json!({"count": 1, "first": "standard input:4"}));
}

/// Three dots before a line end announce a block; the next megabyte may start in it.
#[test]
fn a_log_of_one_long_block_ends_somewhere() {
    let log = format!("{HUMAN}{}{HUMAN}", "    more\n".repeat(300_000));
    let report = json_of_input(&[], log.as_bytes());
    assert_eq!(report["ends"], 2);
    assert_eq!(report["lines"], 300_006);
}

#[test]
fn the_first_unreadable_record_is_named_with_its_place_and_format() {
    let place = |log: &str| json_of_input(&[], log.as_bytes())["skipped"]["unreadable"].clone();
    let bad = END.replace("agent_to_client", "moon_to_mars");
    let docker = |line: &str| json!({"log": format!("{line}\n"), "stream": "stdout"}).to_string();
    let human = "2026-05-13 17:42:21.701 [info]  x  disconnect_reason=graceful";
    for (log, likely) in [
        (bad.clone(), "JSON"),
        (END[..END.len() - 5].to_owned(), "JSON that was cut"),
        (docker(&bad), "JSON, in log"),
        (human.to_owned(), "the Go agents' human format"),
        (format!("agent-1 | {human}"), "the Go agents' human format"),
        ("level=INFO msg=x disconnect_reason=graceful".to_owned(), "the text of Go's log/slog"),
        (
            "2026-05-13T17:42:21Z  INFO a: x disconnect_reason=\"graceful\"".to_owned(),
            "the text of tracing-subscriber",
        ),
        (
            "  \"disconnect_reason\": \"graceful\",".to_owned(),
            "JSON spread over lines (jq -c puts it on one)",
        ),
        ("disconnect_reason".to_owned(), "no format that is known here"),
    ] {
        let unreadable = place(&format!("{CHATTER}\n{CHATTER}\n{log}\n{log}\n"));
        assert_eq!(unreadable["count"], 2, "{log}");
        assert_eq!(unreadable["likely"], likely, "{log}");
        let first = unreadable["first"].as_str().expect("a text");
        assert!(first.starts_with("standard input:3: "), "{first}");
    }
}

#[test]
fn lines_are_numbered_from_the_start_of_each_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let bad = END.replace("agent_to_client", "moon_to_mars");
    std::fs::write(directory.path().join("a.log"), format!("{CHATTER}\n").repeat(20_000)).expect("written");
    std::fs::write(directory.path().join("b.log"), format!("{CHATTER}\n{bad}\n")).expect("written");
    let report = json_of(&["--threads", "2", "a.log", "b.log"], directory.path(), b"");
    let first = report["skipped"]["unreadable"]["first"].as_str().expect("a text");
    assert!(first.starts_with("b.log:2: "), "{first}");
    assert_eq!(report["lines"], 20_002);
}

/// A person sees it first, and a program gets it on standard error too.
#[test]
fn an_unreadable_record_is_loud() {
    let log = END.replace("agent_to_client", "moon_to_mars");
    let warning = "1 record that holds a disconnect_reason can't be read, so it is not counted. \
                   The first is standard input:1: invalid connect_type \"moon_to_mars\"";
    let people = text(&report(&[], Path::new("."), log.as_bytes()));
    assert!(people.starts_with(&format!("0 ends in 1 line\n\n! {warning}")), "{people}");
    let machines = report(&["--json"], Path::new("."), log.as_bytes());
    let error = String::from_utf8(machines.stderr).expect("UTF-8");
    assert!(error.starts_with(&format!("disconnect-report: {warning}")), "{error}");
}

#[test]
fn odd_bytes_in_a_detail_lose_no_end() {
    let detail = |bytes: &[u8]| {
        let log = [&END.as_bytes()[..END.len() - 7], bytes, b"\"}"].concat();
        let report = json_of_input(&[], &log);
        assert_eq!(report["ends"], 1, "{report}");
        report["unexpected_details"][0]["disconnect_detail"].clone()
    };
    assert_eq!(detail(b"ung\xfcltig"), "ung\u{fffd}ltig");
    assert_eq!(detail(br"cut \ud83d here"), "cut \u{fffd} here");
    assert_eq!(detail(br"\udc00 and \ud83d\ude00"), "\u{fffd} and \u{1f600}");
    assert_eq!(detail(b"tab\there"), "tab\\there");
    assert_eq!(detail(b"a\x1bb"), "a\\u{1b}b");
}

#[test]
fn the_same_file_is_read_once_whatever_it_is_called() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("a.log"), END).expect("written");
    std::fs::write(path("other.log"), END).expect("written");
    std::fs::hard_link(path("a.log"), path("b.log")).expect("linked");
    #[cfg(unix)]
    std::os::unix::fs::symlink(path("a.log"), path("c.log")).expect("linked");
    let files = ["a.log", "./a.log", "b.log", "c.log", "other.log"];
    let report = json_of(&files, directory.path(), b"");
    assert_eq!(report["ends"], 2);
    assert_eq!(report["skipped"]["same_file"], json!({"count": 3, "first": "./a.log"}));
    // Standard input may be the same file, too.
    let stdin = std::fs::File::open(path("a.log")).expect("opened");
    let output = command(&["--json", "-", "a.log"], directory.path()).stdin(stdin).output();
    let report: Value = serde_json::from_str(&text(&output.expect("ended"))).expect("JSON");
    assert_eq!((&report["ends"], &report["skipped"]["same_file"]["first"]), (&json!(1), &json!("a.log")));
}

#[cfg(unix)]
#[test]
fn names_of_files_drive_no_terminal() {
    let directory = tempfile::tempdir().expect("a directory");
    let name = "x\u{1b}[2J\u{202e}.log";
    std::fs::write(directory.path().join(name), "disconnect_reason").expect("written");
    let people = text(&report(&[name], directory.path(), b""));
    assert!(people.contains("The first is x\\u{1b}[2J\\u{202e}.log:1: "), "{people}");
    let missing = report(&["no\u{1b}[2J"], directory.path(), b"");
    assert_eq!(
        String::from_utf8(missing.stderr).expect("UTF-8"),
        "disconnect-report: can't read no\\u{1b}[2J: No such file or directory (os error 2)\n"
    );
}

#[test]
fn other_compressions_are_named_with_what_reads_them() {
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
        let report = json_of_input(&[], magic);
        let first = report["skipped"]["read_error"]["first"].as_str().expect("a text");
        assert!(first.contains(advice), "{first}");
    }
}

#[test]
fn a_pipe_is_read_where_no_file_is_named_and_a_closed_one_is_no_error() {
    let report = json_of(&[], Path::new("."), END.as_bytes());
    assert_eq!(report["ends"], 1);
    let mut process =
        command(&["-"], Path::new(".")).stdin(std::process::Stdio::piped()).spawn().expect("started");
    drop(process.stdout.take());
    process.stdin.take().expect("piped").write_all(END.as_bytes()).expect("written");
    let output = process.wait_with_output().expect("ended");
    assert!(output.status.success() && output.stderr.is_empty());
}
