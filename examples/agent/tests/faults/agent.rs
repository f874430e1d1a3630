//! The example agent as a process, and the lines that it logs.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use disconnect_attribution::Disconnect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// An agent that ends with the test, however that ends.
pub(crate) struct Agent {
    process: Child,
    log: Lines<BufReader<ChildStdout>>,
    pub(crate) words: Lines<BufReader<ChildStderr>>,
}

impl Agent {
    /// Starts one with a coordinator of its own.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one that dials a coordinator of the test's.
    pub(crate) fn dialling(coordinator: SocketAddr, ping_interval: &str) -> Self {
        Self::with(&[
            "--coordinator",
            &coordinator.to_string(),
            "--ping-interval",
            ping_interval,
        ])
    }

    fn with(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_agent"))
            .args(["serve", "--json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let log = BufReader::new(process.stdout.take().expect("piped")).lines();
        let words = BufReader::new(process.stderr.take().expect("piped")).lines();
        Self {
            process,
            log,
            words,
        }
    }

    /// The next end that the agent logs with a message, however long that takes.
    pub(crate) fn end(&mut self, message: &str) -> Disconnect {
        self.log
            .by_ref()
            .map(|line| line.expect("UTF-8"))
            .find_map(|line| {
                let fields: serde_json::Value = serde_json::from_str(&line).expect("JSON");
                (fields["msg"] == message)
                    .then(|| serde_json::from_value(fields).expect("a disconnect"))
            })
            .unwrap_or_else(|| panic!("the agent ended without a line {message:?}"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("an id");
        kill(Pid::from_raw(id), signal).expect("signalled");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
