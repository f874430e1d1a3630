//! A stream that answers from a script, and what the docs of a tracked stream make of it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use disconnect_attribution::{DisconnectReason, Trigger};
use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One answer of the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// At most so many bytes.
    Bytes(usize),
    /// Nothing yet: a poll that waits, a call that would block.
    Wait,
    Error(ErrorKind),
    /// An error with the operating system's own code: `ETIMEDOUT` of TCP itself.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    Errno(i32),
}

pub(crate) fn any_answer() -> impl Strategy<Value = Answer> {
    let kinds = [
        ErrorKind::Interrupted,
        ErrorKind::TimedOut,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
        ErrorKind::NotConnected,
        ErrorKind::HostUnreachable,
        ErrorKind::UnexpectedEof,
        ErrorKind::InvalidData,
        ErrorKind::PermissionDenied,
    ];
    let errnos = if cfg!(target_os = "linux") {
        vec![11, 104, 110]
    } else {
        vec![]
    };
    let mut errors: Vec<Answer> = kinds.into_iter().map(Answer::Error).collect();
    errors.extend(errnos.into_iter().map(Answer::Errno));
    prop_oneof![
        6 => (1_usize..9).prop_map(Answer::Bytes),
        1 => Just(Answer::Bytes(0)),
        3 => Just(Answer::Wait),
        2 => select(errors),
    ]
}

/// Two of the same script answer alike.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    answers: VecDeque<Answer>,
    next_byte: u8,
    pub(crate) written: Vec<u8>,
}

impl Scripted {
    pub(crate) fn new(answers: &[Answer]) -> Self {
        Self {
            answers: answers.iter().copied().collect(),
            next_byte: 0,
            written: Vec::new(),
        }
    }

    /// Where the script is over, everything waits.
    fn answer(&mut self, at_most: usize) -> Poll<io::Result<usize>> {
        match self.answers.pop_front() {
            None | Some(Answer::Wait) => Poll::Pending,
            Some(Answer::Bytes(count)) => Poll::Ready(Ok(count.min(at_most))),
            Some(Answer::Error(kind)) => Poll::Ready(Err(kind.into())),
            Some(Answer::Errno(errno)) => Poll::Ready(Err(io::Error::from_raw_os_error(errno))),
        }
    }

    fn blocking(&mut self, at_most: usize) -> io::Result<usize> {
        match self.answer(at_most) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next_byte;
            self.next_byte = self.next_byte.wrapping_add(1);
        }
    }
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.blocking(buffer.len())?;
        self.fill(&mut buffer[..count]);
        Ok(count)
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.blocking(bytes.len())?;
        self.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blocking(0).map(drop)
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        self.answer(room).map_ok(|count| {
            let mut bytes = vec![0; count];
            self.fill(&mut bytes);
            buffer.put_slice(&bytes);
        })
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answer(bytes.len()).map_ok(|count| {
            self.written.extend_from_slice(&bytes[..count]);
            count
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.answer(0).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.answer(0).map_ok(drop)
    }
}

/// What is asked of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Read(usize),
    Write(usize),
    Flush,
    Shutdown,
}

pub(crate) fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => (0_usize..12).prop_map(Call::Read),
        4 => (0_usize..12).prop_map(Call::Write),
        1 => Just(Call::Flush),
        1 => Just(Call::Shutdown),
    ]
}

/// The reason and the trigger of an end.
pub(crate) type End = (DisconnectReason, Option<Trigger>);

/// What a cause knows after some calls, by the table in the docs.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) known: Option<End>,
    /// What `NotConnected` left, as long as nothing better is known.
    weak: Option<End>,
    is_shut_down: bool,
    has_stopped: bool,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Oracle {
    pub(crate) fn end(&self) -> Option<End> {
        let graceful = (DisconnectReason::Graceful, None);
        let shut_down = self.is_shut_down.then_some(graceful);
        self.known.or(self.weak).or(shut_down)
    }

    pub(crate) fn saw(&mut self, call: Call, result: &io::Result<usize>) {
        match (call, result) {
            (Call::Read(wanted), Ok(0)) if wanted > 0 => {
                self.has_stopped = true;
                if !self.is_shut_down {
                    self.ends(DisconnectReason::NetworkError, Some(Trigger::EndOfFile));
                }
            }
            (Call::Write(offered), Ok(0)) if offered > 0 => {
                self.failed(ErrorKind::WriteZero, false);
            }
            (Call::Read(_), Ok(count)) => self.received += *count as u64,
            (Call::Write(_), Ok(count)) => self.sent += *count as u64,
            (Call::Flush, Ok(_)) => {}
            (Call::Shutdown, Ok(_)) => self.is_shut_down = true,
            (_, Err(error)) => self.failed(error.kind(), error.raw_os_error().is_some()),
        }
    }

    fn failed(&mut self, kind: ErrorKind, is_of_the_system: bool) {
        let is_broken = matches!(
            kind,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::WriteZero
        );
        match kind {
            ErrorKind::Interrupted | ErrorKind::WouldBlock => {}
            ErrorKind::TimedOut if !is_of_the_system => {}
            _ if is_broken && self.has_stopped => {}
            ErrorKind::NotConnected => {
                let aborted = (DisconnectReason::NetworkError, Some(Trigger::Aborted));
                self.weak.get_or_insert(aborted);
            }
            ErrorKind::InvalidData => self.ends(DisconnectReason::ProtocolError, None),
            kind => {
                let trigger = match kind {
                    ErrorKind::UnexpectedEof => Some(Trigger::EndOfFile),
                    ErrorKind::ConnectionReset => Some(Trigger::Reset),
                    ErrorKind::ConnectionAborted => Some(Trigger::Aborted),
                    ErrorKind::BrokenPipe | ErrorKind::WriteZero => Some(Trigger::BrokenPipe),
                    ErrorKind::HostUnreachable => Some(Trigger::Unreachable),
                    ErrorKind::TimedOut => Some(Trigger::TimedOut),
                    _ => None,
                };
                self.ends(DisconnectReason::NetworkError, trigger);
            }
        }
    }

    fn ends(&mut self, reason: DisconnectReason, trigger: Option<Trigger>) {
        self.known.get_or_insert((reason, trigger));
    }
}
