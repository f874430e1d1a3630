//! A tracked stream beside the bare one.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use disconnect_attribution::Cause;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::runtime::{Builder, Runtime};

use crate::parts::tracked;
use crate::{Batch, Counted, Row, Table, each};

/// Gives and takes bytes at once, so that nothing hides the wrapper.
struct Memory;

impl Read for Memory {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(7);
        Ok(buffer.len())
    }
}

impl Write for Memory {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
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
        buffer.put_slice(&[7]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(black_box(bytes).len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_io().build().expect("a runtime")
}

fn reading(mut stream: impl Read + 'static) -> Batch {
    each(move || assert!(stream.read(black_box(&mut [0])).is_ok()))
}

fn writing(mut stream: impl Write + 'static) -> Batch {
    each(move || assert!(stream.write(black_box(&[0])).is_ok()))
}

fn reading_in_tokio(mut stream: impl AsyncRead + Unpin + 'static) -> Batch {
    let runtime = runtime();
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                assert!(stream.read(black_box(&mut [0])).await.is_ok());
            }
        });
    })
}

fn writing_in_tokio(mut stream: impl AsyncWrite + Unpin + 'static) -> Batch {
    let runtime = runtime();
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                assert!(stream.write(black_box(&[0])).await.is_ok());
            }
        });
    })
}

/// The bare one, and the tracked one beside it.
fn pair(
    names: [&'static str; 2],
    counted: Counted,
    bare: impl Fn() -> Batch + 'static,
    tracked: impl Fn() -> Batch + 'static,
) -> [Row; 2] {
    [Row::new(names[0], counted, bare), Row::new(names[1], counted, tracked).beside(names[0])]
}

pub(crate) fn memory() -> Table {
    let ours = || tracked(Memory, Cause::default());
    let nearly = Counted::Nearly;
    let rows = [
        pair(["std, read", "std, read, tracked"], nearly, || reading(Memory), move || reading(ours())),
        pair(["std, write", "std, write, tracked"], nearly, || writing(Memory), move || writing(ours())),
        pair(
            ["tokio, read", "tokio, read, tracked"],
            nearly,
            || reading_in_tokio(Memory),
            move || reading_in_tokio(ours()),
        ),
        pair(
            ["tokio, write", "tokio, write, tracked"],
            nearly,
            || writing_in_tokio(Memory),
            move || writing_in_tokio(ours()),
        ),
    ];
    Table { title: "A tracked stream: a byte of memory", rows: rows.into_iter().flatten().collect() }
}

/// A socket whose peer answers every message, on a thread of its own.
fn socket() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let socket = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (mut peer, _) = listener.accept().expect("accepted");
    for socket in [&socket, &peer] {
        socket.set_nodelay(true).expect("set");
    }
    thread::spawn(move || {
        let mut message = [0; 64];
        while peer.read_exact(&mut message).is_ok() && peer.write_all(&message).is_ok() {}
    });
    socket
}

fn asking(mut socket: impl Read + Write + 'static) -> Batch {
    let mut message = [7; 64];
    each(move || {
        assert!(socket.write_all(black_box(&message)).is_ok());
        assert!(socket.read_exact(black_box(&mut message)).is_ok());
    })
}

fn asking_in_tokio(is_tracked: bool) -> Batch {
    async fn ask(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), count: u32) {
        let mut message = [7; 64];
        for _ in 0..count {
            assert!(socket.write_all(black_box(&message)).await.is_ok());
            assert!(socket.read_exact(black_box(&mut message)).await.is_ok());
        }
    }
    let (runtime, socket) = (runtime(), socket());
    socket.set_nonblocking(true).expect("set");
    let entered = runtime.enter();
    let mut socket = tokio::net::TcpStream::from_std(socket).expect("registered");
    drop(entered);
    if is_tracked {
        let mut socket = tracked(socket, Cause::default());
        Box::new(move |count| runtime.block_on(ask(&mut socket, count)))
    } else {
        Box::new(move |count| runtime.block_on(ask(&mut socket, count)))
    }
}

pub(crate) fn loopback() -> Table {
    let never = Counted::Never;
    let rows = [
        pair(
            ["std, question and answer", "std, question and answer, tracked"],
            never,
            || asking(socket()),
            || asking(tracked(socket(), Cause::default())),
        ),
        pair(
            ["tokio, question and answer", "tokio, question and answer, tracked"],
            never,
            || asking_in_tokio(false),
            || asking_in_tokio(true),
        ),
    ];
    Table { title: "A tracked stream: 64 bytes over loopback", rows: rows.into_iter().flatten().collect() }
}
