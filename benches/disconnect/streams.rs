//! A tracked stream beside the bare one: large and tiny operations, blocking and tokio.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use criterion::{Criterion, Throughput};
use disconnect_attribution::{Cause, ConnectType, TrackedStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::table;

/// Gives and takes bytes as fast as memory does, like a socket whose buffers are never empty or full.
struct Memory(Vec<u8>);

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

const SIZES: [(usize, &str); 2] = [(64 * 1024, "64 KiB"), (1, "1 byte")];
const KINDS: [&str; 2] = ["bare", "tracked"];

fn blocking<S: Read + Write>(criterion: &mut Criterion, kind: &str, mut stream: S) {
    for (size, name) in SIZES {
        let mut buffer = vec![0; size];
        let mut group = criterion.benchmark_group(format!("stream read {name}"));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(kind, |bench| {
            bench.iter(|| stream.read(black_box(&mut buffer)).is_ok());
        });
        group.finish();
        let mut group = criterion.benchmark_group(format!("stream write {name}"));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(kind, |bench| {
            bench.iter(|| stream.write(black_box(&buffer)).is_ok());
        });
        group.finish();
    }
}

fn asynchronous<S: AsyncRead + AsyncWrite + Unpin>(
    criterion: &mut Criterion,
    kind: &str,
    mut stream: S,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for (size, name) in SIZES {
        let mut buffer = vec![0; size];
        let mut group = criterion.benchmark_group(format!("stream tokio read {name}"));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(kind, |bench| {
            bench.iter_custom(|iterations| {
                runtime.block_on(async {
                    let start = std::time::Instant::now();
                    for _ in 0..iterations {
                        black_box(stream.read(black_box(&mut buffer)).await.is_ok());
                    }
                    start.elapsed()
                })
            });
        });
        group.finish();
        let mut group = criterion.benchmark_group(format!("stream tokio write {name}"));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(kind, |bench| {
            bench.iter_custom(|iterations| {
                runtime.block_on(async {
                    let start = std::time::Instant::now();
                    for _ in 0..iterations {
                        black_box(stream.write(black_box(&buffer)).await.is_ok());
                    }
                    start.elapsed()
                })
            });
        });
        group.finish();
    }
}

fn memory() -> Memory {
    Memory(vec![0; 64 * 1024])
}

fn tracked() -> TrackedStream<Memory> {
    TrackedStream::new(memory(), ConnectType::AgentToClient, Cause::default())
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let [bare, ours] = KINDS;
    blocking(criterion, bare, memory());
    blocking(criterion, ours, tracked());
    asynchronous(criterion, bare, memory());
    asynchronous(criterion, ours, tracked());
}

pub(crate) fn report() {
    let mut rows = Vec::new();
    for operation in ["read", "write", "tokio read", "tokio write"] {
        for (_, size) in SIZES {
            let group = format!("stream {operation} {size}");
            let [bare, tracked] = KINDS.map(|kind| table::nanoseconds(&group, kind));
            let both = bare.zip(tracked);
            rows.push([
                format!("{operation} {size}"),
                table::time(bare),
                table::time(tracked),
                table::time(both.map(|(bare, tracked)| tracked - bare)),
                table::ratio(both.map(|(bare, tracked)| bare / tracked)),
            ]);
        }
    }
    table::print(
        "A tracked stream",
        ["operation", "bare", "tracked", "more", "throughput of bare"],
        rows,
    );
}
