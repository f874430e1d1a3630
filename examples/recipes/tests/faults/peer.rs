//! Peers that are not ours, and how a socket ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::SockRef;

use crate::respawned::{RESPAWNED, respawn};

/// Debian's Python, which has the packages that `.ci/run` installs.
const PYTHON: &str = "/usr/bin/python3";

/// A client of Python's that sends its standard input, prints what begins the answer, and stays.
const RAW_CLIENT: &str = "
import socket, sys, time
socket = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
socket.sendall(sys.stdin.buffer.read())
print(socket.recv(5))
time.sleep(600)
";

/// Whether this machine has a program, or its Python the module `websockets`.
pub(crate) fn has(program: &str) -> bool {
    let (interpreter, question) = match program {
        "websockets" => (PYTHON, "import websockets".to_owned()),
        _ => ("sh", format!("command -v {program}")),
    };
    let answer = Command::new(interpreter).args(["-c", &question]).output();
    answer.is_ok_and(|answer| answer.status.success())
}

/// A program that is killed with the test, at the latest.
#[derive(Debug)]
pub(crate) struct Peer {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, input, output }
    }

    pub(crate) fn python(script: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(PYTHON).args(["-u", "-c", script]).args(arguments))
    }

    /// A client whose bytes are answered.
    pub(crate) fn served(address: SocketAddr, bytes: &[u8]) -> Self {
        let mut client = Self::python(RAW_CLIENT, &[&address.port().to_string()]);
        client.type_bytes(bytes).expect("sent");
        client.close_input();
        client.line();
        client
    }

    /// A test of this binary in a process of its own, once it has printed where it listens.
    pub(crate) fn serving(test: &str, what: &str) -> (Self, SocketAddr) {
        let mut process = Self::spawn(respawn(test).env(RESPAWNED, what));
        let line = process.read_until("listening on ");
        let (_, address) = line.trim().rsplit_once(' ').expect("an address");
        (process, address.parse().expect("an address"))
    }

    /// Reads its next line of output.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("UTF-8");
        line.trim_end().to_owned()
    }

    /// Reads up to a line that contains a word.
    #[track_caller]
    pub(crate) fn read_until(&mut self, word: &str) -> String {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            let length = self.output.read_line(&mut line).expect("UTF-8");
            assert_ne!(length, 0, "ended before {word:?}");
        }
        line
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("open");
        writeln!(input, "{line}").expect("typed");
    }

    /// Writes to its input, for as long as that is read.
    pub(crate) fn type_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.input.as_mut().expect("open").write_all(bytes)
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("reaped");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("an id");
        kill(Pid::from_raw(id), signal).expect("signalled");
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.process.wait().expect("reaped").code()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port of its own.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Sends nothing more.
pub(crate) fn send_fin(socket: &TcpStream) {
    socket.shutdown(Shutdown::Write).expect("connected");
}

/// Ends a connection without a goodbye, as a host that has lost its state does.
pub(crate) fn reset(socket: TcpStream) {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("set");
    drop(socket);
}
