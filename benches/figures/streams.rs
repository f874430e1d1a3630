//! A tracked stream beside the bare one.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use disconnect_attribution::{Cause, ConnectType, TrackedStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::case::{Batch, Case, each};
use crate::table::{Row, Table};

const KIBIBYTES_64: usize = 64 * 1024;

/// Gives and takes bytes as fast as memory does, so that nothing hides the wrapper.
struct Memory(Vec<u8>);

impl Memory {
    fn new() -> Self {
        Self(vec![0; KIBIBYTES_64])
    }
}

impl Read for Memory {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.0.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        Ok(count)
    }
}

impl Write for Memory {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.0.len());
        self.0[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = buffer.remaining().min(self.0.len());
        buffer.put_slice(&self.0[..count]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Write::write(&mut *self, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn tracked() -> TrackedStream<Memory> {
    TrackedStream::new(Memory::new(), ConnectType::AgentToClient, Cause::default())
}

fn reading(mut stream: impl Read + 'static, size: usize) -> Batch {
    let mut buffer = vec![0; size];
    each(move || assert!(stream.read(black_box(&mut buffer)).is_ok()))
}

fn writing(mut stream: impl Write + 'static, size: usize) -> Batch {
    let buffer = vec![0; size];
    each(move || assert!(stream.write(black_box(&buffer)).is_ok()))
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime")
}

fn reading_in_tokio(mut stream: impl AsyncRead + Unpin + 'static, size: usize) -> Batch {
    let (runtime, mut buffer) = (runtime(), vec![0; size]);
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                assert!(stream.read(black_box(&mut buffer)).await.is_ok());
            }
        });
    })
}

fn writing_in_tokio(mut stream: impl AsyncWrite + Unpin + 'static, size: usize) -> Batch {
    let (runtime, buffer) = (runtime(), vec![0; size]);
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                assert!(stream.write(black_box(&buffer)).await.is_ok());
            }
        });
    })
}

pub(crate) fn table() -> Table {
    let sizes = [(1, "1 byte"), (KIBIBYTES_64, "64 KiB")];
    let rows = sizes.into_iter().flat_map(|(size, name)| {
        let row = |operation: &str, bare, tracked| {
            Row::new(&format!("{operation} {name}"), [bare, tracked])
        };
        [
            row(
                "std, read",
                Case::new(move || reading(Memory::new(), size)),
                // Each read that returned bytes reads the clock.
                Case::only_timed(move || reading(tracked(), size)),
            ),
            row(
                "std, write",
                Case::new(move || writing(Memory::new(), size)),
                Case::new(move || writing(tracked(), size)),
            ),
            row(
                "tokio, read",
                Case::new(move || reading_in_tokio(Memory::new(), size)),
                Case::new(move || reading_in_tokio(tracked(), size)),
            ),
            row(
                "tokio, write",
                Case::new(move || writing_in_tokio(Memory::new(), size)),
                Case::new(move || writing_in_tokio(tracked(), size)),
            ),
        ]
    });
    Table::new(
        "A tracked stream",
        "operation",
        ["bare", "tracked"],
        rows.collect(),
    )
}
