//! What clients and operators do to an agent that must not end it, or must end it well.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::Trigger;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::agent::Agent;
use crate::ssh::{CONNECTION_LINE, LINE, SshAgent, has_openssh, with_ssh};
use crate::{check, check_any};

#[test]
fn too_many_open_files_end_nothing() {
    if !has_openssh() {
        return;
    }
    let mut agent = SshAgent::of(Agent::after("ulimit -n 64", &[]));
    let (mut client, mut output) = agent.open(&[], "echo up; exec cat");
    let address = agent.address();
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(address).expect("in the backlog")).collect();
    let line = agent.agent.line("failed to accept");
    assert_eq!(line["error"], "Too many open files (os error 24)");

    let input = client.stdin.as_mut().expect("piped");
    input.write_all(b"still here\n").expect("typed");
    let mut echo = String::new();
    output.read_line(&mut echo).expect("output");
    assert_eq!(echo, "still here\n");

    drop(crowd);
    let command = agent.ssh(&["agent", "exit 7"]).status();
    assert_eq!(command.expect("OpenSSH's client").code(), Some(7));
    check("SSH exit 7", &agent.end());
    client.kill().expect("SIGKILL");
    client.wait().expect("reaped");
}

#[test]
fn a_crowd_that_only_waits_is_few_and_locks_no_client_out() {
    let mut agent = SshAgent::of(Agent::with(&["--login-time", "8000"]));
    let address = agent.address();
    let connect = || {
        let mut socket = TcpStream::connect(address).expect("accepted");
        socket.read_exact(&mut [0]).expect("the agent's introduction");
        socket
    };
    let mut crowd: Vec<_> = (0..500).map(|_| connect()).collect();
    if has_openssh() {
        let command = agent.ssh(&["agent", "exit 7"]).status();
        assert_eq!(command.expect("OpenSSH's client").code(), Some(7));
        check("SSH exit 7", &agent.end());
    }
    for socket in &mut crowd {
        let _ = socket.read_to_end(&mut Vec::new()); // returns: the agent has closed it
    }
    agent.agent.signal(Signal::SIGTERM);
    let lines = agent.agent.rest();
    let with = |message: &str| -> Vec<_> {
        let is_it = |line: &&serde_json::Value| line["msg"] == message;
        lines.iter().filter(is_it).collect()
    };
    let end = |line: &serde_json::Value| serde_json::from_value(line.clone()).expect("an end");
    let refused = with("ssh connections refused");
    let number = |line: &&serde_json::Value| line["connections"].as_u64().expect("a number");
    let sum: u64 = refused.iter().map(number).sum();
    assert!((400..=401).contains(&sum), "{sum}"); // OpenSSH's client takes a place
    assert!(refused.len() < 10, "{}", refused.len());
    for line in refused {
        check("SSH clients beyond the cap on half-open connections", &end(line));
    }
    for line in with(CONNECTION_LINE) {
        let end = end(line);
        if end.trigger() == Some(Trigger::HandshakeTimeout) {
            check("SSH handshake that never came", &end);
        }
    }
    assert!((99..=101).contains(&with(CONNECTION_LINE).len()));
}

#[test]
fn a_client_that_leaves_before_its_handshake_never_logged_in() {
    let mut agent = SshAgent::start();
    drop(TcpStream::connect(agent.address()).expect("accepted"));
    let end = agent.agent.end(CONNECTION_LINE);
    // Its kernel resets where the agent's introduction came first.
    if end.trigger() == Some(Trigger::EndOfFile) {
        check("SSH client leaves before it has logged in", &end);
    }
    assert_eq!(end.detail(), Some("before the client had logged in"));
}

#[test]
fn a_login_with_a_strangers_key_or_without_one_is_refused() {
    with_ssh(|mut agent| {
        let directory = tempfile::tempdir().expect("a directory");
        let stranger = directory.path().join("stranger");
        let keygen =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&stranger).status();
        assert!(keygen.expect("comes with ssh").success());
        let key = agent.config.with_file_name("key").display().to_string();
        let config = std::fs::read_to_string(&agent.config).expect("written");
        let config = config.replace(&key, &stranger.display().to_string());
        let strange_config = directory.path().join("ssh_config");
        std::fs::write(&strange_config, config).expect("written");

        agent.config = strange_config;
        for arguments in [&[][..], &["-o", "PubkeyAuthentication=no"]] {
            let client = agent.ssh(arguments).args(["agent", "exit 0"]).status();
            assert_eq!(client.expect("OpenSSH's client").code(), Some(255));
            check("SSH login refused", &agent.agent.end(CONNECTION_LINE));
        }
    });
}

#[test]
fn a_hangup_ends_the_agent_in_good_order() {
    with_ssh(|mut agent| {
        let (mut client, _output) = agent.open_session(&[]);
        agent.agent.signal(Signal::SIGHUP);
        check("agent SIGHUP with an open SSH session", &agent.end());
        client.wait().expect("sent away");
        assert!(agent.agent.wait().success());
        let left = std::fs::read_dir(agent.agent.temporary.path()).expect("a directory");
        assert_eq!(left.count(), 0, "the key is gone");
    });
}

#[test]
fn the_directory_of_the_key_is_private_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let agent = SshAgent::of(Agent::after(&format!("umask {umask}"), &[]));
        let directory = agent.config.parent().expect("a directory");
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
    let command = agent.login_command() + " 'exit 7'";
    let client = Command::new("sh").args(["-c", &command]).status();
    assert_eq!(client.expect("a shell").code(), Some(7), "{command}");
    check("SSH exit 7", &agent.end(LINE));
}

#[test]
fn what_ignores_a_hangup_ends_with_its_session() {
    with_ssh(|mut agent| {
        let ignoring = "trap '' HUP; sleep 599 & echo $!; echo up; wait";
        for terminal in ["-T", "-tt"] {
            let (mut client, process) = {
                let mut client = agent.ssh(&[terminal, "agent", ignoring]);
                let mut client = client.stdout(Stdio::piped()).spawn().expect("OpenSSH's");
                let mut output = BufReader::new(client.stdout.take().expect("piped")).lines();
                let line = output.next().expect("a line").expect("UTF-8");
                output.next().expect("a line").expect("up");
                (client, line.trim().parse().expect("an id"))
            };
            client.kill().expect("SIGKILL");
            client.wait().expect("reaped");
            agent.end();
            let started = Instant::now();
            while kill(Pid::from_raw(process), None).is_ok() && is_running(process) {
                assert!(started.elapsed() < Duration::from_secs(5), "still there");
                thread::sleep(Duration::from_millis(10));
            }
        }
    });
}

/// Whether a process does more than wait for its parent, which in a container may never come.
fn is_running(process: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat"));
    status.is_ok_and(|status| !status.contains(") Z "))
}

#[test]
fn a_client_killed_under_heavy_output_is_not_its_commands_broken_pipe() {
    with_ssh(|mut agent| {
        for _ in 0..5 {
            let (mut client, mut output) = agent.open(&[], "echo up; exec yes");
            output.read_exact(&mut vec![0; 100_000]).expect("output");
            let reader = thread::spawn(move || output.read_to_end(&mut Vec::new()));
            client.kill().expect("SIGKILL");
            client.wait().expect("reaped");
            reader.join().expect("no panic").expect("output");
            let faults = [
                "SSH client killed with SIGKILL",
                "SSH client killed with bytes unread",
                "SSH client killed under heavy output",
                "SSH client killed under heavy output, seen by a later write",
            ];
            check_any(&faults, &agent.agent.end(LINE));
        }
    });
}
