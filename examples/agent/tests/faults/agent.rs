//! The example agent as a process, and the lines that it logs.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use disconnect_attribution::Disconnect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

// The messages of its lines.
pub(crate) const SESSION: &str = "ssh session closed";
pub(crate) const CONNECTION: &str = "ssh connection closed";
pub(crate) const CHANNEL: &str = "JetBrains channel closed";

/// An agent that ends with the test, however that ends.
pub(crate) struct Agent {
    process: Child,
    /// Where it keeps its key: what a killed agent leaves there goes with the test.
    pub(crate) temporary: TempDir,
    log: Lines<BufReader<ChildStdout>>,
    _words: Lines<BufReader<ChildStderr>>,
    /// The command that logs in, as the agent prints it.
    pub(crate) login: String,
}

impl Agent {
    /// Starts one with a coordinator of its own.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one that dials a coordinator of the test's.
    pub(crate) fn dialling(coordinator: SocketAddr, ping_interval: &str) -> Self {
        Self::with(&["--coordinator", &coordinator.to_string(), "--ping-interval", ping_interval])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::after(":", arguments)
    }

    /// Starts one in a shell that has run a command first, such as `ulimit`.
    pub(crate) fn after(command: &str, arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a directory");
        let mut process = Command::new("sh")
            .args(["-c", &format!("{command}; exec \"$0\" serve --json \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_agent"))
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let log = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut words = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut printed = words.by_ref().map(|line| line.expect("UTF-8").trim().to_owned());
        let login = printed.find(|line| line.starts_with("ssh -F ")).expect("how to log in");
        Self { process, temporary, log, _words: words, login }
    }

    /// The config that lets `ssh` in.
    pub(crate) fn config(&self) -> PathBuf {
        let config = self.login.strip_prefix("ssh -F ").expect("a config");
        PathBuf::from(config.strip_suffix(" agent").expect("a host").trim_matches('\''))
    }

    /// Where its SSH server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let config = std::fs::read_to_string(self.config()).expect("written");
        let port = config.lines().find_map(|line| line.strip_prefix("Port ")).expect("a port");
        format!("127.0.0.1:{port}").parse().expect("an address")
    }

    /// The lines that it logs from now on, until it ends.
    pub(crate) fn lines(&mut self) -> impl Iterator<Item = Value> {
        let lines = self.log.by_ref().map(|line| line.expect("UTF-8"));
        lines.map(|line| serde_json::from_str(&line).expect("JSON"))
    }

    /// The next line with a message, however long that takes.
    pub(crate) fn line(&mut self, message: &str) -> Value {
        let line = self.lines().find(|line| line["msg"] == message);
        line.unwrap_or_else(|| panic!("the agent ended without a line {message:?}"))
    }

    /// The next end that the agent logs with a message, however long that takes.
    pub(crate) fn end(&mut self, message: &str) -> Disconnect {
        end(&self.line(message))
    }

    /// How many pages of memory it holds.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> usize {
        let pages = std::fs::read_to_string(format!("/proc/{}/statm", self.process.id()));
        let pages = pages.expect("Linux has one");
        pages.split(' ').nth(1).expect("a number").parse().expect("a number")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("an id");
        kill(Pid::from_raw(id), signal).expect("signalled");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait().expect("ended")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines with a message.
pub(crate) fn with_message<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["msg"] == message).collect()
}

/// The end that a line is about.
pub(crate) fn end(line: &Value) -> Disconnect {
    serde_json::from_value(line.clone()).expect("a disconnect")
}
