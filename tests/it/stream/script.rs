//! A stream that answers from a script, and what is asked of it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::iter::Cycle;
use std::ops::RangeInclusive;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// One answer of the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// At most so many bytes.
    Bytes(usize),
    /// Nothing yet: a poll that waits, a call that would block.
    Wait,
    Error(ErrorKind),
    /// An error with a text of its own.
    Text(ErrorKind, &'static str),
    /// An error with the operating system's own code: `ETIMEDOUT` of TCP itself.
    Errno(i32),
}

pub(crate) fn any_answer() -> impl Strategy<Value = Answer> {
    let kinds = [
        ErrorKind::Interrupted,
        ErrorKind::TimedOut,
        ErrorKind::ConnectionReset,
        ErrorKind::NotConnected,
        ErrorKind::UnexpectedEof,
        ErrorKind::PermissionDenied,
    ];
    prop_oneof![
        6 => (1_usize..9).prop_map(Answer::Bytes),
        1 => Just(Answer::Bytes(0)),
        3 => Just(Answer::Wait),
        2 => select(kinds.to_vec()).prop_map(Answer::Error),
    ]
}

/// Two of the same script answer alike.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    answers: VecDeque<Answer>,
    bytes: Cycle<RangeInclusive<u8>>,
    pub(crate) written: Vec<u8>,
}

impl Scripted {
    pub(crate) fn new(answers: &[Answer]) -> Self {
        let answers = answers.iter().copied().collect();
        Self { answers, bytes: (0..=u8::MAX).cycle(), written: Vec::new() }
    }

    /// When the script is over, everything waits.
    fn answer(&mut self, at_most: usize) -> Poll<io::Result<usize>> {
        match self.answers.pop_front() {
            None | Some(Answer::Wait) => Poll::Pending,
            Some(Answer::Bytes(count)) => Poll::Ready(Ok(count.min(at_most))),
            Some(Answer::Error(kind)) => Poll::Ready(Err(kind.into())),
            Some(Answer::Text(kind, text)) => Poll::Ready(Err(io::Error::new(kind, text))),
            Some(Answer::Errno(errno)) => Poll::Ready(Err(io::Error::from_raw_os_error(errno))),
        }
    }

    fn reads(&mut self, at_most: usize) -> Poll<io::Result<Vec<u8>>> {
        self.answer(at_most).map_ok(|count| self.bytes.by_ref().take(count).collect())
    }

    fn writes(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.answer(bytes.len()).map_ok(|count| {
            self.written.extend_from_slice(&bytes[..count]);
            count
        })
    }
}

/// What a blocking call returns.
fn blocking<T>(answer: Poll<io::Result<T>>) -> io::Result<T> {
    match answer {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = blocking(self.reads(buffer.len()))?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        blocking(self.writes(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocking(self.answer(0)).map(drop)
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads(buffer.remaining()).map_ok(|bytes| buffer.put_slice(&bytes))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes(bytes)
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
    ReadVectored(usize),
    Write(usize),
    WriteVectored(usize),
    Flush,
    Shutdown,
}

impl Call {
    /// What a blocking stream returns, and the bytes that were read. std has no shutdown of a stream.
    pub(crate) fn blocking(self, stream: &mut (impl Read + Write)) -> (io::Result<usize>, Vec<u8>) {
        match self {
            Self::Read(room) => {
                let mut buffer = vec![0; room];
                (stream.read(&mut buffer), buffer)
            }
            Self::ReadVectored(room) => {
                let mut buffer = vec![0; room];
                let result =
                    stream.read_vectored(&mut [IoSliceMut::new(&mut []), IoSliceMut::new(&mut buffer)]);
                (result, buffer)
            }
            Self::Write(count) => (stream.write(&vec![7; count]), Vec::new()),
            Self::WriteVectored(count) => {
                (stream.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&vec![7; count])]), Vec::new())
            }
            Self::Flush | Self::Shutdown => (stream.flush().map(|()| 0), Vec::new()),
        }
    }

    /// The same of an asynchronous one, which is polled once: a call that waits is cancelled, as a `select!`
    /// cancels it.
    pub(crate) fn polled<S>(self, stream: &mut S) -> Poll<(io::Result<usize>, Vec<u8>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let call = pin!(async {
            match self {
                Self::Read(room) | Self::ReadVectored(room) => {
                    let mut buffer = vec![0; room];
                    (stream.read(&mut buffer).await, buffer)
                }
                Self::Write(count) => (stream.write(&vec![7; count]).await, Vec::new()),
                Self::WriteVectored(count) => {
                    let bytes = vec![7; count];
                    (stream.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&bytes)]).await, Vec::new())
                }
                Self::Flush => (stream.flush().await.map(|()| 0), Vec::new()),
                Self::Shutdown => (stream.shutdown().await.map(|()| 0), Vec::new()),
            }
        });
        call.poll(&mut Context::from_waker(Waker::noop()))
    }
}

pub(crate) fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        9 => (0_usize..12).prop_map(Call::Read),
        3 => (0_usize..12).prop_map(Call::ReadVectored),
        6 => (0_usize..12).prop_map(Call::Write),
        2 => (0_usize..12).prop_map(Call::WriteVectored),
        2 => Just(Call::Flush),
        2 => Just(Call::Shutdown),
    ]
}
