//! The example agent as a process, and the lines that it logs.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use disconnect_attribution::Disconnect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// An agent that ends with the test, however that ends.
pub(crate) struct Agent {
    process: Child,
    /// Where it keeps its key: what a killed agent leaves there goes with the test.
    pub(crate) temporary: TempDir,
    log: Lines<BufReader<ChildStdout>>,
    words: Lines<BufReader<ChildStderr>>,
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
        let words = BufReader::new(process.stderr.take().expect("piped")).lines();
        Self { process, temporary, log, words }
    }

    /// The command that logs in, as the agent prints it.
    pub(crate) fn login_command(&mut self) -> String {
        let mut lines = self.words.by_ref().map(|line| line.expect("UTF-8"));
        let line = lines.find(|line| line.trim_start().starts_with("ssh -F "));
        line.expect("how to log in").trim().to_owned()
    }

    /// The config that lets `ssh` in.
    pub(crate) fn ssh_config(&mut self) -> PathBuf {
        let command = self.login_command();
        let config = command.strip_prefix("ssh -F ").expect("a config");
        PathBuf::from(config.strip_suffix(" agent").expect("a host"))
    }

    /// The next line with a message, however long that takes.
    pub(crate) fn line(&mut self, message: &str) -> serde_json::Value {
        self.log
            .by_ref()
            .map(|line| serde_json::from_str(&line.expect("UTF-8")).expect("JSON"))
            .find(|line: &serde_json::Value| line["msg"] == message)
            .unwrap_or_else(|| panic!("the agent ended without a line {message:?}"))
    }

    /// The next end that the agent logs with a message, however long that takes.
    pub(crate) fn end(&mut self, message: &str) -> Disconnect {
        serde_json::from_value(self.line(message)).expect("a disconnect")
    }

    /// As many ends as there should be, with their messages.
    pub(crate) fn ends(&mut self, count: usize) -> Vec<(String, Disconnect)> {
        let end = |line: std::io::Result<String>| {
            let line: serde_json::Value = serde_json::from_str(&line.expect("UTF-8")).expect("JSON");
            let message = line["msg"].as_str().expect("a message").to_owned();
            Some((message, serde_json::from_value(line).ok()?))
        };
        self.log.by_ref().filter_map(end).take(count).collect()
    }

    /// All that the agent still logs, until it ends.
    pub(crate) fn rest(&mut self) -> Vec<serde_json::Value> {
        let lines = self.log.by_ref().map(|line| line.expect("UTF-8"));
        lines.map(|line| serde_json::from_str(&line).expect("JSON")).collect()
    }

    /// The memory that it holds, in kB.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("Linux has one");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.expect("a line").parse().expect("a number")
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
