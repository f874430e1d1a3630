//! Sessions of OpenSSH's own client, ended in every way that its users know.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use disconnect_attribution::Disconnect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::SockRef;
use tokio_tungstenite::tungstenite::{Message, accept};

use crate::agent::Agent;
use crate::network::Relay;
use crate::{check, check_killed};

pub(crate) const LINE: &str = "ssh session closed";
pub(crate) const CONNECTION_LINE: &str = "ssh connection closed";
const UNREAD: &str = "SSH client killed with bytes unread";
pub(crate) const CHANNEL_LINE: &str = "JetBrains channel closed";

/// Whether OpenSSH's client is here; a test that needs it prints that it is skipped.
pub(crate) fn has_openssh() -> bool {
    let version = Command::new("ssh").arg("-V").stderr(Stdio::null()).status();
    let is_here = version.is_ok_and(|status| status.success());
    if !is_here {
        eprintln!("skipped: needs OpenSSH's client, `ssh`");
    }
    is_here
}

/// Runs a test with an agent that OpenSSH's client can log in to.
pub(crate) fn with_ssh(test: impl FnOnce(SshAgent)) {
    if has_openssh() {
        test(SshAgent::start());
    }
}

/// Ends a client with SIGTERM, on which it sends its goodbye.
pub(crate) fn terminate(client: &Child) {
    kill(Pid::from_raw(client.id().cast_signed()), Signal::SIGTERM).expect("terminated");
}

/// An agent, and the config that lets `ssh` in.
pub(crate) struct SshAgent {
    pub(crate) agent: Agent,
    pub(crate) config: PathBuf,
}

impl SshAgent {
    pub(crate) fn start() -> Self {
        Self::of(Agent::start())
    }

    pub(crate) fn of(mut agent: Agent) -> Self {
        let config = agent.ssh_config();
        Self { agent, config }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let config = std::fs::read_to_string(&self.config).expect("written");
        let port = config.lines().find_map(|line| line.strip_prefix("Port ")).expect("a port");
        format!("127.0.0.1:{port}").parse().expect("an address")
    }

    pub(crate) fn ssh(&self, arguments: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&self.config).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
        ssh
    }

    /// The arguments that lead over a relay.
    pub(crate) fn over(&self, relay: &Relay) -> [String; 4] {
        let alias = format!("HostKeyAlias=[127.0.0.1]:{}", self.address().port());
        let port = relay.port.to_string();
        ["-o".to_owned(), alias, "-p".to_owned(), port]
    }

    /// A session whose command runs until it is ended from outside.
    pub(crate) fn open_session(&self, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
        self.open(arguments, "echo up; exec sleep 600")
    }

    /// A session whose command prints that it is up.
    pub(crate) fn open(&self, arguments: &[&str], command: &str) -> (Child, BufReader<ChildStdout>) {
        let mut client = self
            .ssh(arguments)
            .args(["agent", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("OpenSSH's client");
        let mut output = BufReader::new(client.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("output");
        assert_eq!(line.trim(), "up");
        (client, output)
    }

    /// A channel that the client forwards to a target, and the target's socket.
    fn forward(&self, target: &TcpListener) -> (Child, TcpStream) {
        let address = target.local_addr().expect("bound").to_string();
        let mut client = self
            .ssh(&["-W", &address, "agent"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("OpenSSH's client");
        let (mut socket, _) = target.accept().expect("forwarded");
        // A byte that gets through shows that both halves are established.
        socket.write_all(b"x").expect("sent");
        let output = client.stdout.as_mut().expect("piped");
        output.read_exact(&mut [0]).expect("forwarded");
        (client, socket)
    }

    pub(crate) fn end(&mut self) -> Disconnect {
        self.agent.end(LINE)
    }
}

#[test]
fn a_session_ends_as_its_command_did() {
    with_ssh(|mut agent| {
        for (fault, command, status) in [
            ("SSH exit 0", "exit 0", 0),
            ("SSH exit 7", "exit 7", 7),
            ("SSH command killed by a signal", "kill -KILL $$", 255),
        ] {
            let client = agent.ssh(&["agent", command]).status().expect("OpenSSH's client");
            assert_eq!(client.code(), Some(status), "{fault}");
            check(fault, &agent.end());
        }
    });
}

#[test]
fn a_shell_on_a_terminal_ends_its_session() {
    with_ssh(|mut agent| {
        let mut client = agent
            .ssh(&["-tt", "agent"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("OpenSSH's client");
        client.stdin.take().expect("piped").write_all(b"tty && exit 7\n").expect("typed");
        let output = client.wait_with_output().expect("ended");
        assert!(String::from_utf8_lossy(&output.stdout).contains("/dev/pts/"), "a real terminal");
        assert_eq!(output.status.code(), Some(7));
        check("SSH exit 7", &agent.end());
    });
}

#[test]
fn a_client_ends_its_session_by_dying_leaving_or_disconnecting() {
    with_ssh(|mut agent| {
        let (mut client, _output) = agent.open_session(&[]);
        client.kill().expect("SIGKILL");
        client.wait().expect("reaped");
        check_killed("SSH client killed with SIGKILL", UNREAD, &agent.end());

        let (mut client, _output) = agent.open_session(&["-tt"]);
        client.stdin.take().expect("piped").write_all(b"\r~.").expect("typed");
        client.wait().expect("ended");
        check("SSH client leaves with ~.", &agent.end());

        // The client answers SIGTERM with SSH_MSG_DISCONNECT 11 and leaves.
        let (mut client, _output) = agent.open_session(&[]);
        terminate(&client);
        client.wait().expect("ended");
        check("SSH client sends disconnect 11", &agent.end());
    });
}

#[test]
fn garbage_instead_of_ssh_ends_a_connection() {
    let mut agent = SshAgent::start();
    let mut socket = TcpStream::connect(agent.address()).expect("accepted");
    let garbage = "GET / HTTP/1.1\r\nHost: agent\r\n\r\n".repeat(64);
    let _ = socket.write_all(garbage.as_bytes());
    let _ = socket.read_to_end(&mut Vec::new());
    check("garbage instead of SSH", &agent.agent.end("ssh connection closed"));
}

#[test]
fn ctrl_c_ends_the_connection_of_a_silent_client() {
    let mut agent = SshAgent::start();
    let mut socket = TcpStream::connect(agent.address()).expect("accepted");
    // The agent introduces itself first, so it has seen the client.
    socket.read_exact(&mut [0; 8]).expect("SSH-2.0-");
    agent.agent.signal(Signal::SIGINT);
    let end = agent.agent.end("ssh connection closed");
    check("agent Ctrl-C with a silent SSH client", &end);
}

#[test]
fn an_unsupported_subsystem_is_rejected() {
    with_ssh(|mut agent| {
        let client = agent.ssh(&["-s", "agent", "sftp"]).status().expect("OpenSSH's client");
        assert_eq!(client.code(), Some(255));
        check("SSH unsupported subsystem", &agent.end());
    });
}

#[test]
fn ctrl_c_ends_an_open_session() {
    with_ssh(|mut agent| {
        let (mut client, _output) = agent.open_session(&[]);
        agent.agent.signal(Signal::SIGINT);
        check("agent Ctrl-C with an open SSH session", &agent.end());
        client.wait().expect("sent away");
    });
}

#[test]
fn a_workspace_that_is_stopped_ends_an_open_session() {
    if !has_openssh() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let coordinator = listener.local_addr().expect("bound");
    let mut agent = SshAgent::of(Agent::dialling(coordinator, "600000"));
    let mut socket = accept(listener.accept().expect("an agent").0).expect("a WebSocket");
    let (mut client, _output) = agent.open_session(&[]);
    socket.send(Message::text("workspace stopped")).expect("sent");
    check("workspace stopped with an open SSH session", &agent.end());
    client.wait().expect("sent away");
}

#[test]
fn a_forwarded_channel_ends_by_its_client_or_its_target() {
    with_ssh(|mut agent| {
        let target = TcpListener::bind("127.0.0.1:0").expect("a free port");

        let (mut client, mut socket) = agent.forward(&target);
        drop(client.stdin.take());
        assert_eq!(socket.read(&mut [0]).expect("the client stopped"), 0);
        drop(socket);
        client.wait().expect("ended");
        check("forwarded channel closed by the client", &agent.agent.end(CHANNEL_LINE));

        let (mut client, socket) = agent.forward(&target);
        drop(socket);
        // The agent logs it while the client is still there.
        check("forwarded channel closed by its target", &agent.agent.end(CHANNEL_LINE));
        drop(client.stdin.take());
        client.wait().expect("ended");

        let (mut client, socket) = agent.forward(&target);
        SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("set");
        drop(socket);
        check("forwarded channel reset by its target", &agent.agent.end(CHANNEL_LINE));
        client.wait().expect("ended");

        let (mut client, _socket) = agent.forward(&target);
        client.kill().expect("SIGKILL");
        client.wait().expect("reaped");
        check_killed(
            "forwarded channel of a client killed with SIGKILL",
            "one of 65 channels of a connection that is reset",
            &agent.agent.end(CHANNEL_LINE),
        );
    });
}
