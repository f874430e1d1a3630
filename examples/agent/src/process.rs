//! The process behind a session: how it starts, what it prints, and how it ends.

use std::future::pending;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use russh::server::{Handle, Msg};
use russh::{ChannelId, ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a process may take to leave.
const PATIENCE: Duration = Duration::from_millis(500);

type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// What the client is told of a command that could not be started.
pub(crate) const CANNOT_RUN: i32 = 126;

/// The process group that a session's process leads. Dropped, it is killed, whatever it ignores.
#[derive(Default)]
struct Group(Option<Pid>);

impl Group {
    fn of(id: Option<u32>) -> Self {
        let id = id.and_then(|id| i32::try_from(id).ok());
        Self(id.map(Pid::from_raw))
    }

    /// Sends a signal, or none; false if no process is left.
    fn signal(&self, signal: impl Into<Option<Signal>>) -> bool {
        self.0.is_some_and(|group| killpg(group, signal).is_ok())
    }

    /// Gives it time to leave.
    async fn leave(mut self) {
        let gone = async {
            while self.signal(None) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(PATIENCE, gone).await.is_ok() {
            self.0 = None; // the number may name another by now
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

pub(crate) struct Process {
    child: Child,
    group: Group,
    output: JoinSet<()>,
}

impl Process {
    /// Starts a command, or a shell, on a terminal where the client has asked for one.
    pub(crate) fn spawn(
        command: Option<String>,
        terminal: Option<pty_process::Size>,
        client: &ChannelWriteHalf<Msg>,
    ) -> io::Result<(Self, Input)> {
        let arguments = command.map(|command| vec!["-c".to_owned(), command]).unwrap_or_default();
        if arguments.iter().any(|argument| argument.contains('\0')) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NUL in a command"));
        }
        let mut output = JoinSet::new();
        let (child, input): (Child, Input) = if let Some(size) = terminal {
            let (terminal, child) = on_a_terminal(arguments, size).map_err(io::Error::other)?;
            let (printed, typed) = terminal.into_split();
            output.spawn(print(printed, client.make_writer()));
            (child, Box::new(typed))
        } else {
            let mut child = Command::new("sh")
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0)
                .spawn()?;
            let missing = io::ErrorKind::BrokenPipe;
            output.spawn(print(child.stdout.take().ok_or(missing)?, client.make_writer()));
            output.spawn(print(child.stderr.take().ok_or(missing)?, client.make_writer_ext(Some(1))));
            let input = child.stdin.take().ok_or(missing)?;
            (child, Box::new(input))
        };
        let group = Group::of(child.id());
        Ok((Self { child, group, output }, input))
    }

    /// Waits for the process, and for its last words to reach the client.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.group.0 = None; // what goes on in the background may
        let last_words = async { while self.output.join_next().await.is_some() {} };
        // A process in the background may hold the pipe for ever.
        let _ = timeout(Duration::from_millis(200), last_words).await;
        status
    }

    /// Ends the process as a terminal that goes away does, and what it has started with it.
    pub(crate) async fn hang_up(&mut self) -> io::Result<ExitStatus> {
        let group = std::mem::take(&mut self.group);
        group.signal(Signal::SIGHUP);
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            group.signal(Signal::SIGKILL);
        }
        let status = self.child.wait().await;
        tokio::spawn(group.leave()); // its line waits for its own end
        status
    }
}

fn on_a_terminal(
    arguments: Vec<String>,
    size: pty_process::Size,
) -> pty_process::Result<(pty_process::Pty, Child)> {
    let (terminal, process_side) = pty_process::open()?;
    terminal.resize(size)?;
    let child = pty_process::Command::new("sh").args(arguments).spawn(process_side)?;
    Ok((terminal, child))
}

/// Passes on what a process prints.
///
/// Where the client is gone, the pipe stays open until the process has been hung up on: a pipe that
/// closes would end it by SIGPIPE, and that would look like an end of its own.
async fn print(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Reports to the client how its process ended. A client that is gone does not hear it.
pub(crate) async fn report(client: &Handle, channel: ChannelId, status: &io::Result<ExitStatus>) {
    let code = status.as_ref().map_or(Some(CANNOT_RUN), ExitStatus::code);
    if let Some(code) = code {
        let _ = client.exit_status_request(channel, code.unsigned_abs()).await;
    } else if let Ok(status) = status
        && let Some(signal) = status.signal().and_then(|raw| Signal::try_from(raw).ok())
    {
        let name = signal.as_str().trim_start_matches("SIG").to_owned();
        let (dumped, text) = (status.core_dumped(), status.to_string());
        let _ = client.exit_signal_request(channel, Sig::Custom(name), dumped, text, String::new()).await;
    }
    let _ = client.eof(channel).await;
    let _ = client.close(channel).await;
}
