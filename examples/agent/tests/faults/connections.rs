//! What runs over one connection: it shares the connection's cause, and never a sibling's.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use disconnect_attribution::keys::DISCONNECT_ORIGIN;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::agent::{CHANNEL, CONNECTION, SESSION, end, with_message};
use crate::check;
use crate::client::{agent_for_openssh, control};
use crate::network::{Relay, listen};

#[test]
fn a_network_that_resets_ends_a_session_and_its_connection() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let relay = Relay::to(agent.address());
    let [host, port] = agent.over(&relay);
    let mut client = agent.open_session(&[&host, &port]);
    relay.reset();
    check("SSH network reset", &agent.end(SESSION));
    check("SSH network reset, the connection's own line", &agent.end(CONNECTION));
    client.wait();
}

#[test]
fn a_tab_that_its_user_closes_does_not_explain_the_outage_of_the_next() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let relay = Relay::to(agent.address());
    let [host, port] = agent.over(&relay);
    let (_directory, control) = control();
    let mut one = agent.open_session(&["-M", "-S", &control, &host, &port]);
    let mut other = agent.open_session(&["-S", &control]);

    other.terminate();
    check("SSH tab that its user closes", &agent.end(SESSION));

    relay.reset();
    check("SSH tab that is open when the link dies", &agent.end(SESSION));
    check("SSH connection of both tabs", &agent.end(CONNECTION));
    one.wait();
}

#[test]
fn a_tab_closed_under_heavy_output_is_not_its_commands_broken_pipe() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let (_directory, control) = control();
    let _master = agent.open_session(&["-M", "-S", &control]);
    for _ in 0..10 {
        let mut tab = agent.open(&["-S", &control], "echo up; exec yes");
        tab.read(100_000);
        tab.terminate();
        check("SSH tab that its user closes", &agent.end(SESSION));
    }
}

#[test]
fn an_outage_under_65_channels_is_one_line_without_an_origin() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let relay = Relay::to(agent.address());
    let [host, port] = agent.over(&relay);
    let directory = tempfile::tempdir().expect("a directory");
    let local = directory.path().join("forwarded");
    let (target, address) = listen();
    let forward = format!("{}:{address}", local.display());
    let mut client = agent.open_session(&[&host, &port, "-L", &forward]);
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
    let lines: Vec<Value> = agent.lines().take(67).collect();
    let of_channels = with_message(&lines, CHANNEL);
    assert_eq!(of_channels.len(), 65);
    for line in of_channels {
        check("one of 65 channels of a connection that is reset", &end(line));
    }
    check("SSH network reset", &end(with_message(&lines, SESSION)[0]));
    check("SSH connection of 65 channels that is reset", &end(with_message(&lines, CONNECTION)[0]));
    let seen = lines.iter().filter(|line| line.get(DISCONNECT_ORIGIN).is_none());
    assert_eq!(seen.count(), 1);
    drop(channels);
    client.wait();
}

#[test]
fn a_client_may_leave_without_a_word_after_its_session() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let (_directory, control) = control();
    let persist = ["-M", "-S", &control, "-o", "ControlPersist=yes", "-N", "-f", "agent"];
    assert_eq!(agent.run(&persist), Some(0));
    assert_eq!(agent.run(&["-S", &control, "agent", "exit 7"]), Some(7));
    check("SSH exit 7", &agent.end(SESSION));

    let mut process = agent.ssh(&["-S", &control, "-O", "check", "agent"]);
    let process = process.stderr(Stdio::piped()).output().expect("OpenSSH's client");
    // "Master running (pid=1234)"
    let text = String::from_utf8_lossy(&process.stderr).into_owned();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    kill(Pid::from_raw(digits.parse().expect("an id")), Signal::SIGKILL).expect("killed");
    check("SSH client leaves with a FIN after its session", &agent.end(CONNECTION));
}
