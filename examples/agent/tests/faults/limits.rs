//! What clients and operators do to an agent that must not end it, or must end it well.

use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::Trigger;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::agent::{Agent, CONNECTION, SESSION, end, with_message};
use crate::client::{Client, agent_for_openssh, has_openssh};
use crate::{check, check_any};

#[test]
fn too_many_open_files_end_nothing() {
    if !has_openssh() {
        return;
    }
    let mut agent = Agent::after("ulimit -n 64", &[]);
    let mut client = agent.open(&[], "echo up; exec cat");
    let address = agent.address();
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(address).expect("in the backlog")).collect();
    let line = agent.line("failed to accept");
    assert_eq!(line["error"], "Too many open files (os error 24)");
    client.write("still here\n");
    assert_eq!(client.line(), "still here");

    drop(crowd);
    assert_eq!(agent.run(&["agent", "exit 7"]), Some(7));
    check("SSH exit 7", &agent.end(SESSION));
}

#[test]
fn a_crowd_that_only_waits_is_few_and_locks_no_client_out() {
    let mut agent = Agent::with(&["--login-time", "8000"]);
    let address = agent.address();
    let connect = || {
        let mut socket = TcpStream::connect(address).expect("accepted");
        socket.read_exact(&mut [0]).expect("the agent's introduction");
        socket
    };
    let mut crowd: Vec<_> = (0..500).map(|_| connect()).collect();
    let has_openssh = has_openssh();
    if has_openssh {
        assert_eq!(agent.run(&["agent", "exit 7"]), Some(7));
    }
    for socket in &mut crowd {
        let _ = socket.read_to_end(&mut Vec::new()); // returns: the agent has closed it
    }
    agent.signal(Signal::SIGTERM);
    let lines: Vec<Value> = agent.lines().collect();
    let sessions = with_message(&lines, SESSION);
    assert_eq!(sessions.len(), usize::from(has_openssh));
    for line in sessions {
        check("SSH exit 7", &end(line));
    }
    let refused = with_message(&lines, "ssh connections refused");
    let number = |line: &&Value| line["connections"].as_u64().expect("a number");
    let sum: u64 = refused.iter().map(number).sum();
    assert!((400..=401).contains(&sum), "{sum}"); // OpenSSH's client takes a place
    assert!(refused.len() < 10, "{}", refused.len());
    for line in refused {
        check("SSH clients beyond the cap on half-open connections", &end(line));
    }
    let others = with_message(&lines, CONNECTION);
    for end in others.iter().map(|line| end(line)) {
        if end.trigger() == Some(Trigger::HandshakeTimeout) {
            check("SSH handshake that never came", &end);
        }
    }
    assert!((99..=101).contains(&others.len()));
}

#[test]
fn a_client_that_leaves_before_its_handshake_never_logged_in() {
    let mut agent = Agent::start();
    drop(TcpStream::connect(agent.address()).expect("accepted"));
    let end = agent.end(CONNECTION);
    // Its kernel resets where the agent's introduction came first.
    if end.trigger() == Some(Trigger::EndOfFile) {
        check("SSH client leaves before it has logged in", &end);
    }
    assert_eq!(end.detail(), Some("before the client had logged in"));
}

#[test]
fn a_login_with_a_strangers_key_or_without_one_is_refused() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let key = agent.config().with_file_name("key");
    std::fs::remove_file(&key).expect("removed");
    let stranger = ["-q", "-t", "ed25519", "-N", "", "-f"];
    let keygen = Command::new("ssh-keygen").args(stranger).arg(&key).status();
    assert!(keygen.expect("comes with ssh").success());
    for arguments in [&["agent", "exit 0"][..], &["-oPubkeyAuthentication=no", "agent", "exit 0"]] {
        assert_eq!(agent.run(arguments), Some(255));
        check("SSH login refused", &agent.end(CONNECTION));
    }
}

#[test]
fn the_directory_of_the_key_is_private_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let agent = Agent::after(&format!("umask {umask}"), &[]);
        let config = agent.config();
        let directory = config.parent().expect("a directory");
        let mode = directory.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "umask {umask}");
    }
}

#[test]
fn a_temporary_directory_may_have_any_name() {
    if !has_openssh() {
        return;
    }
    let name = r#"export TMPDIR="$TMPDIR/a \"b\" 'c' 100%h"; mkdir "$TMPDIR""#;
    let mut agent = Agent::after(name, &[]);
    let command = format!("{} 'exit 7'", agent.login);
    let client = Command::new("sh").args(["-c", &command]).status();
    assert_eq!(client.expect("a shell").code(), Some(7), "{command}");
    check("SSH exit 7", &agent.end(SESSION));
}

#[test]
fn what_ignores_a_hangup_ends_with_its_session() {
    let Some(mut agent) = agent_for_openssh() else { return };
    for terminal in ["-T", "-tt"] {
        let ignoring = "trap '' HUP; sleep 599 & echo $!; echo up; wait";
        let mut client = agent.client(&[terminal, "agent", ignoring]);
        let process = client.line();
        assert_eq!(client.line(), "up");
        assert!(is_running(&process));
        client.kill();
        agent.end(SESSION);
        let started = Instant::now();
        while is_running(&process) {
            assert!(started.elapsed() < Duration::from_secs(5), "still there");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether a process does more than wait for its parent, which in a container may never come.
fn is_running(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat"));
    status.is_ok_and(|status| !status.contains(") Z "))
}

#[test]
fn a_client_killed_under_heavy_output_is_not_its_commands_broken_pipe() {
    let Some(mut agent) = agent_for_openssh() else { return };
    for _ in 0..5 {
        let mut client = agent.open(&[], "echo up; exec yes");
        client.read(100_000);
        let Client { mut process, mut output } = client;
        let reader = thread::spawn(move || output.read_to_end(&mut Vec::new()));
        process.kill().expect("SIGKILL");
        process.wait().expect("reaped");
        reader.join().expect("no panic").expect("output");
        let faults = [
            "SSH client killed with SIGKILL",
            "SSH client killed with bytes unread",
            "SSH client killed under heavy output",
            "SSH client killed under heavy output, seen by a later write",
        ];
        check_any(&faults, &agent.end(SESSION));
    }
}
