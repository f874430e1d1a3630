//! A test in a process of its own, so that it can be killed.
#![allow(dead_code)] // each test binary uses its own part

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Set in the environment of a respawned test; a caller of [`respawn`] may give it a text of its own.
pub(crate) const RESPAWNED: &str = "RESPAWNED_TEST";

/// A command that runs one test of this binary in a process of its own.
pub(crate) fn respawn(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test binary"));
    command.args(["--exact", test, "--nocapture"]);
    command.env(RESPAWNED, "1");
    command
}

/// A test in a process of its own, which reports on standard output and can be killed.
#[derive(Debug)]
pub(crate) struct Respawned(pub(crate) Child);

impl Respawned {
    pub(crate) fn new(test: &str) -> Self {
        Self::start(&mut respawn(test))
    }

    /// Starts a command that comes from [`respawn`].
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().expect("respawned"))
    }

    /// Reads its output up to and with a word.
    pub(crate) fn read_until(&mut self, word: &str) -> String {
        let output = self.0.stdout.as_mut().expect("piped");
        let mut text = String::new();
        while !text.ends_with(word) {
            let mut byte = [0];
            output.read_exact(&mut byte).expect("more output");
            text.push(char::from(byte[0]));
        }
        text
    }

    /// Reads the address that it prints with [`print_address`].
    pub(crate) fn address(&mut self) -> SocketAddr {
        self.read_until(ADDRESS);
        let address = self.read_until(" ");
        address.trim().parse().expect("an address")
    }

    /// Sends it a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = ["-c", r#"kill -s "$0" "$1""#, name];
        let mut shell = Command::new("sh");
        let sent = shell.args(kill).arg(self.0.id().to_string()).status();
        assert!(sent.expect("a shell").success(), "SIG{name}");
        // A thread that runs stops a moment after the signal was sent.
        while name == "STOP" && !self.is_stopped() {
            std::thread::yield_now();
        }
    }

    /// Whether every thread of it is stopped.
    fn is_stopped(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).expect("it is there");
        threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        })
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("SIGKILL");
        self.0.wait().expect("reaped");
    }
}

/// A test that fails must not leave a process behind, suspended perhaps.
impl Drop for Respawned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ADDRESS: &str = "listening on ";

/// Prints where this process listens, for the test that respawned it.
pub(crate) fn print_address(address: SocketAddr) {
    println!("{ADDRESS}{address} .");
}

/// Whether this process is a test's own child.
pub(crate) fn is_respawned() -> bool {
    std::env::var_os(RESPAWNED).is_some()
}
