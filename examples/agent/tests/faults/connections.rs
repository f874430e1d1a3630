//! What runs over one connection: it shares the connection's cause, and never a sibling's.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use disconnect_attribution::Disconnect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::check;
use crate::network::Relay;
use crate::ssh::{CHANNEL_LINE, CONNECTION_LINE, LINE, terminate, with_ssh};

/// A socket over which OpenSSH's clients share one connection, and the directory that it is in.
pub(crate) fn control() -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let control = directory.path().join("control").display().to_string();
    (directory, control)
}

#[test]
fn a_network_that_resets_ends_a_session_and_its_connection() {
    with_ssh(|mut agent| {
        let relay = Relay::to(agent.address());
        let over = agent.over(&relay);
        let (mut client, _output) = agent.open_session(&over.each_ref().map(String::as_str));
        relay.reset();
        check("SSH network reset", &agent.end());
        check("SSH network reset, the connection's own line", &agent.agent.end(CONNECTION_LINE));
        client.wait().expect("ended");
    });
}

#[test]
fn a_tab_that_its_user_closes_does_not_explain_the_outage_of_the_next() {
    with_ssh(|mut agent| {
        let relay = Relay::to(agent.address());
        let (_directory, control) = control();
        let [o, alias, p, port] = agent.over(&relay);
        let (mut one, _output) = agent.open_session(&["-M", "-S", &control, &o, &alias, &p, &port]);
        let (mut other, _output) = agent.open_session(&["-S", &control]);

        terminate(&other);
        other.wait().expect("ended");
        check("SSH tab that its user closes", &agent.end());

        relay.reset();
        check("SSH tab that is open when the link dies", &agent.end());
        check("SSH connection of both tabs", &agent.agent.end(CONNECTION_LINE));
        one.wait().expect("ended");
    });
}

#[test]
fn a_tab_closed_under_heavy_output_is_not_its_commands_broken_pipe() {
    with_ssh(|mut agent| {
        let (_directory, control) = control();
        let (mut master, _output) = agent.open_session(&["-M", "-S", &control]);
        for _ in 0..10 {
            let (mut tab, mut output) = agent.open(&["-S", &control], "echo up; exec yes");
            output.read_exact(&mut vec![0; 100_000]).expect("output");
            terminate(&tab);
            tab.wait().expect("ended");
            check("SSH tab that its user closes", &agent.end());
        }
        master.kill().expect("SIGKILL");
        master.wait().expect("reaped");
    });
}

#[test]
fn an_outage_under_65_channels_is_one_line_without_an_origin() {
    with_ssh(|mut agent| {
        let relay = Relay::to(agent.address());
        let directory = tempfile::tempdir().expect("a directory");
        let local = directory.path().join("forwarded");
        let target = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let forward = format!("{}:{}", local.display(), target.local_addr().expect("bound"));
        let mut client = agent
            .ssh(&agent.over(&relay).each_ref().map(String::as_str))
            .args(["-L", &forward, "agent", "echo up; exec sleep 600"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("OpenSSH's client");
        let output = client.stdout.as_mut().expect("piped");
        output.read_exact(&mut [0; 3]).expect("up");
        let channels: Vec<_> = (0..65)
            .map(|_| {
                let mut near = UnixStream::connect(&local).expect("forwarded");
                let (mut far, _) = target.accept().expect("forwarded");
                near.write_all(b"x").expect("sent");
                far.read_exact(&mut [0]).expect("received");
                (near, far)
            })
            .collect();

        relay.reset();
        // The channels, the command and the connection.
        let ends = agent.agent.ends(67);
        let with = |message: &str| -> Vec<&Disconnect> {
            let is_it = |end: &&(String, Disconnect)| end.0 == message;
            ends.iter().filter(is_it).map(|(_, end)| end).collect()
        };
        assert_eq!(with(CHANNEL_LINE).len(), 65);
        for end in with(CHANNEL_LINE) {
            check("one of 65 channels of a connection that is reset", end);
        }
        check("SSH network reset", with(LINE)[0]);
        check("SSH connection of 65 channels that is reset", with(CONNECTION_LINE)[0]);
        let seen = ends.iter().filter(|(_, end)| end.origin().is_none());
        assert_eq!(seen.count(), 1);
        drop(channels);
        client.wait().expect("ended");
    });
}

#[test]
fn a_client_may_leave_without_a_word_after_its_session() {
    with_ssh(|mut agent| {
        let (_directory, control) = control();
        let persist = ["-M", "-S", &control, "-o", "ControlPersist=yes", "-N", "-f"];
        let master = agent.ssh(&persist).arg("agent").status();
        assert!(master.expect("OpenSSH's client").success());
        let command = agent.ssh(&["-S", &control, "agent", "exit 7"]).status();
        assert_eq!(command.expect("OpenSSH's client").code(), Some(7));
        check("SSH exit 7", &agent.end());

        let process = agent
            .ssh(&["-S", &control, "-O", "check", "agent"])
            .stderr(Stdio::piped())
            .output()
            .expect("OpenSSH's client");
        // "Master running (pid=1234)"
        let text = String::from_utf8_lossy(&process.stderr).into_owned();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        kill(Pid::from_raw(digits.parse().expect("an id")), Signal::SIGKILL).expect("killed");
        check("SSH client leaves with a FIN after its session", &agent.agent.end(CONNECTION_LINE));
    });
}

#[test]
fn a_client_may_leave_with_a_goodbye_after_its_session() {
    with_ssh(|mut agent| {
        agent.ssh(&["agent", "exit 0"]).status().expect("OpenSSH's client");
        check("SSH client leaves politely after its session", &agent.agent.end(CONNECTION_LINE));
    });
}
