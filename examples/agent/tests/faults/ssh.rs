//! Sessions of OpenSSH's own client, ended in every way that its users know.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use tokio_tungstenite::tungstenite::{Message, accept};

use crate::agent::{Agent, CHANNEL, CONNECTION, SESSION};
use crate::client::{agent_for_openssh, has_openssh};
use crate::network::{listen, reset_when_dropped};
use crate::{check, check_any};

/// A client that is killed: its kernel sends a FIN, or resets if there were bytes unread.
const KILLED: [&str; 2] = ["SSH client killed with SIGKILL", "SSH client killed with bytes unread"];

#[test]
fn a_session_ends_as_its_command_did_and_its_client_leaves_politely() {
    let Some(mut agent) = agent_for_openssh() else { return };
    for (fault, command, status) in [
        ("SSH exit 0", "exit 0", 0),
        ("SSH exit 7", "exit 7", 7),
        ("SSH command killed by a signal", "kill -KILL $$", 255),
    ] {
        assert_eq!(agent.run(&["agent", command]), Some(status), "{fault}");
        check(fault, &agent.end(SESSION));
        check("SSH client leaves politely after its session", &agent.end(CONNECTION));
    }
}

#[test]
fn a_shell_on_a_terminal_ends_its_session() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let mut client = agent.client(&["-tt", "agent"]);
    client.write("tty && exit 7\n");
    let mut output = String::new();
    client.output.read_to_string(&mut output).expect("UTF-8");
    assert!(output.contains("/dev/pts/"), "a real terminal: {output}");
    assert_eq!(client.wait(), Some(7));
    check("SSH exit 7", &agent.end(SESSION));
}

#[test]
fn a_client_ends_its_session_by_dying_leaving_or_disconnecting() {
    let Some(mut agent) = agent_for_openssh() else { return };
    agent.open_session(&[]).kill();
    check_any(&KILLED, &agent.end(SESSION));

    let mut client = agent.open_session(&["-tt"]);
    client.write("\r~.");
    client.wait();
    check("SSH client leaves with ~.", &agent.end(SESSION));

    agent.open_session(&[]).terminate();
    check("SSH client sends disconnect 11", &agent.end(SESSION));
}

#[test]
fn garbage_instead_of_ssh_ends_a_connection() {
    let mut agent = Agent::start();
    let mut socket = TcpStream::connect(agent.address()).expect("accepted");
    let garbage = "GET / HTTP/1.1\r\nHost: agent\r\n\r\n".repeat(64);
    let _ = socket.write_all(garbage.as_bytes());
    let _ = socket.read_to_end(&mut Vec::new());
    check("garbage instead of SSH", &agent.end(CONNECTION));
}

#[test]
fn ctrl_c_ends_the_connection_of_a_silent_client() {
    let mut agent = Agent::start();
    let mut socket = TcpStream::connect(agent.address()).expect("accepted");
    // The agent introduces itself first, so it has seen the client.
    socket.read_exact(&mut [0; 8]).expect("SSH-2.0-");
    agent.signal(Signal::SIGINT);
    check("agent Ctrl-C with a silent SSH client", &agent.end(CONNECTION));
}

#[test]
fn an_unsupported_subsystem_is_rejected() {
    let Some(mut agent) = agent_for_openssh() else { return };
    assert_eq!(agent.run(&["-s", "agent", "sftp"]), Some(255));
    check("SSH unsupported subsystem", &agent.end(SESSION));
}

#[test]
fn a_signal_ends_the_agent_and_an_open_session_in_good_order() {
    for (fault, signal) in [
        ("agent Ctrl-C with an open SSH session", Signal::SIGINT),
        ("agent SIGHUP with an open SSH session", Signal::SIGHUP),
    ] {
        let Some(mut agent) = agent_for_openssh() else { return };
        let mut client = agent.open_session(&[]);
        agent.signal(signal);
        check(fault, &agent.end(SESSION));
        client.wait(); // sent away
        assert!(agent.wait().success());
        let left = std::fs::read_dir(agent.temporary.path()).expect("a directory");
        assert_eq!(left.count(), 0, "the key is gone");
    }
}

#[test]
fn a_workspace_that_is_stopped_ends_an_open_session() {
    if !has_openssh() {
        return;
    }
    let (listener, coordinator) = listen();
    let mut agent = Agent::dialling(coordinator, "600000");
    let mut socket = accept(listener.accept().expect("an agent").0).expect("a WebSocket");
    let mut client = agent.open_session(&[]);
    socket.send(Message::text("workspace stopped")).expect("sent");
    check("workspace stopped with an open SSH session", &agent.end(SESSION));
    client.wait(); // sent away
}

#[test]
fn a_forwarded_channel_ends_by_its_client_or_its_target() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let (target, _) = listen();

    let (mut client, mut socket) = agent.forward(&target);
    client.close_input();
    assert_eq!(socket.read(&mut [0]).expect("the client stopped"), 0);
    drop(socket);
    client.wait();
    check("forwarded channel closed by the client", &agent.end(CHANNEL));

    let (mut client, socket) = agent.forward(&target);
    drop(socket);
    // The agent logs it while the client is still there.
    check("forwarded channel closed by its target", &agent.end(CHANNEL));
    client.close_input();
    client.wait();

    let (mut client, socket) = agent.forward(&target);
    reset_when_dropped(&socket);
    drop(socket);
    check("forwarded channel reset by its target", &agent.end(CHANNEL));
    client.wait();

    let (mut client, _socket) = agent.forward(&target);
    client.kill();
    let killed = [
        "forwarded channel of a client killed with SIGKILL",
        "one of 65 channels of a connection that is reset",
    ];
    check_any(&killed, &agent.end(CHANNEL));
}
