//! A tracked stream beside the bare one.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use disconnect_attribution::{Cause, ConnectType, TrackedStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::case::{Batch, Case, Counted, each};
use crate::table::{Row, Table};

const KIBIBYTES_64: usize = 64 * 1024;

/// Where a page begins: how fast bytes are copied depends on how far apart they are within one.
struct Page {
    bytes: Vec<u8>,
    start: usize,
}

impl Page {
    const SIZE: usize = 4096;

    fn new(size: usize) -> Self {
        let bytes = vec![0; size + Self::SIZE];
        let start = bytes.as_ptr().align_offset(Self::SIZE);
        Self { bytes, start }
    }

    fn first(&mut self, count: usize) -> &mut [u8] {
        &mut self.bytes[self.start..][..count]
    }
}

/// Gives and takes bytes as fast as memory does, so that nothing hides the wrapper.
struct Memory(Page);

impl Memory {
    fn new() -> Self {
        Self(Page::new(KIBIBYTES_64))
    }
}

impl Read for Memory {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(KIBIBYTES_64);
        buffer[..count].copy_from_slice(self.0.first(count));
        Ok(count)
    }
}

impl Write for Memory {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(KIBIBYTES_64);
        self.0.first(count).copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = buffer.remaining().min(KIBIBYTES_64);
        buffer.put_slice(self.0.first(count));
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
    let mut buffer = Page::new(size);
    each(move || assert!(stream.read(black_box(buffer.first(size))).is_ok()))
}

fn writing(mut stream: impl Write + 'static, size: usize) -> Batch {
    let mut buffer = Page::new(size);
    each(move || assert!(stream.write(black_box(buffer.first(size))).is_ok()))
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime")
}

fn reading_in_tokio(mut stream: impl AsyncRead + Unpin + 'static, size: usize) -> Batch {
    let (runtime, mut buffer) = (runtime(), Page::new(size));
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                assert!(stream.read(black_box(buffer.first(size))).await.is_ok());
            }
        });
    })
}

fn writing_in_tokio(mut stream: impl AsyncWrite + Unpin + 'static, size: usize) -> Batch {
    let (runtime, mut buffer) = (runtime(), Page::new(size));
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                assert!(stream.write(black_box(buffer.first(size))).await.is_ok());
            }
        });
    })
}

pub(crate) fn table() -> Table {
    let sizes = [
        (1, "1 byte", Counted::Nearly),
        // Copied by one instruction, which counts once a byte or once in all.
        (KIBIBYTES_64, "64 KiB", Counted::Never),
    ];
    let rows = sizes.into_iter().flat_map(|(size, name, counted)| {
        let row = |operation: &str, cases: [Case; 2]| {
            Row::new(&format!("{operation} {name}"), cases).counted(counted)
        };
        [
            row(
                "std, read",
                [
                    Case::new(move || reading(Memory::new(), size)),
                    Case::new(move || reading(tracked(), size)),
                ],
            ),
            row(
                "std, write",
                [
                    Case::new(move || writing(Memory::new(), size)),
                    Case::new(move || writing(tracked(), size)),
                ],
            ),
            row(
                "tokio, read",
                [
                    Case::new(move || reading_in_tokio(Memory::new(), size)),
                    Case::new(move || reading_in_tokio(tracked(), size)),
                ],
            ),
            row(
                "tokio, write",
                [
                    Case::new(move || writing_in_tokio(Memory::new(), size)),
                    Case::new(move || writing_in_tokio(tracked(), size)),
                ],
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
