//! OpenSSH's own client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::network::Relay;

/// Whether it is here; a test that needs it prints that it is skipped.
pub(crate) fn has_openssh() -> bool {
    let version = Command::new("ssh").arg("-V").stderr(Stdio::null()).status();
    let is_here = version.is_ok_and(|status| status.success());
    if !is_here {
        eprintln!("skipped: needs OpenSSH's client, `ssh`");
    }
    is_here
}

/// An agent that it can log in to, if it is here.
pub(crate) fn agent_for_openssh() -> Option<Agent> {
    has_openssh().then(Agent::start)
}

/// A client that runs, until its agent ends at the latest.
pub(crate) struct Client {
    pub(crate) process: Child,
    pub(crate) output: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("OpenSSH's client");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, output }
    }

    /// Sends what its user types, or a program writes.
    pub(crate) fn write(&mut self, text: &str) {
        self.process.stdin.as_mut().expect("piped").write_all(text.as_bytes()).expect("written");
    }

    pub(crate) fn close_input(&mut self) {
        drop(self.process.stdin.take());
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("output");
        line.trim().to_owned()
    }

    /// Reads that much of its output.
    pub(crate) fn read(&mut self, count: usize) {
        self.output.read_exact(&mut vec![0; count]).expect("output");
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("SIGKILL");
        self.wait();
    }

    /// Ends it with SIGTERM, on which it sends SSH_MSG_DISCONNECT 11, or closes its part of a connection
    /// that it shares.
    pub(crate) fn terminate(&mut self) {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).expect("terminated");
        self.wait();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.process.wait().expect("ended").code()
    }
}

impl Agent {
    pub(crate) fn ssh(&self, arguments: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.config()).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
        ssh
    }

    /// Runs a client to its end, and returns its exit code.
    pub(crate) fn run(&self, arguments: &[&str]) -> Option<i32> {
        self.ssh(arguments).status().expect("OpenSSH's client").code()
    }

    pub(crate) fn client(&self, arguments: &[&str]) -> Client {
        Client::spawn(self.ssh(arguments).stdin(Stdio::piped()))
    }

    /// The arguments that lead over a relay.
    pub(crate) fn over(&self, relay: &Relay) -> [String; 2] {
        let host = format!("-oHostKeyAlias=[127.0.0.1]:{}", self.address().port());
        [host, format!("-p{}", relay.port)]
    }

    /// A session whose command runs until it is ended from outside.
    pub(crate) fn open_session(&self, arguments: &[&str]) -> Client {
        self.open(arguments, "echo up; exec sleep 600")
    }

    /// A session whose command prints that it is up.
    pub(crate) fn open(&self, arguments: &[&str], command: &str) -> Client {
        let mut client = self.client(&[arguments, &["agent", command]].concat());
        assert_eq!(client.line(), "up");
        client
    }

    /// A channel that the client forwards to a target, and the target's socket.
    pub(crate) fn forward(&self, target: &TcpListener) -> (Client, TcpStream) {
        let address = target.local_addr().expect("bound").to_string();
        let mut client = self.client(&["-W", &address, "agent"]);
        let (mut socket, _) = target.accept().expect("forwarded");
        // A byte that gets through shows that both halves are established.
        socket.write_all(b"x").expect("sent");
        client.read(1);
        (client, socket)
    }
}

/// A socket over which clients share one connection, and the directory that it is in.
pub(crate) fn control() -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let control = directory.path().join("control").display().to_string();
    (directory, control)
}
