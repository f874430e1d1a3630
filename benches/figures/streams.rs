//! A tracked stream beside the bare one.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use disconnect_attribution::{Cause, TrackedStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::runtime::Builder;

use crate::parts::{Peer, tracked};
use crate::{Batch, Row, Table, Unit, each};

/// Without an end, so that nothing hides the wrapper.
const MEMORY: Peer = Peer(u32::MAX);

impl AsyncRead for Peer {
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

impl AsyncWrite for Peer {
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

fn read(stream: &mut impl Read) {
    assert!(stream.read(black_box(&mut [0])).is_ok());
}

fn write(stream: &mut impl Write) {
    assert!(stream.write(black_box(&[0])).is_ok());
}

fn ask(socket: &mut (impl Read + Write)) {
    let mut message = [7; 64];
    assert!(socket.write_all(black_box(&message)).is_ok());
    assert!(socket.read_exact(black_box(&mut message)).is_ok());
}

async fn poll_read(stream: &mut (impl AsyncRead + Unpin)) {
    assert!(stream.read(black_box(&mut [0])).await.is_ok());
}

async fn poll_write(stream: &mut (impl AsyncWrite + Unpin)) {
    assert!(stream.write(black_box(&[0])).await.is_ok());
}

fn blocking<S: 'static>(mut stream: S, call: impl Fn(&mut S) + 'static) -> Batch {
    each(move || call(&mut stream))
}

fn in_tokio<S: 'static>(mut stream: S, call: impl AsyncFn(&mut S) + 'static) -> Batch {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                call(&mut stream).await;
            }
        });
    })
}

fn ours<S>(stream: S) -> TrackedStream<S> {
    tracked(stream, Cause::default())
}

/// The bare one, and the tracked one beside it.
fn pair(name: &'static str, bare: fn() -> Batch, tracked: fn() -> Batch) -> [Row; 2] {
    [Row::new(name, bare), Row::new(&format!("{name}, tracked"), tracked).beside(name)]
}

pub(crate) fn memory() -> Table {
    let rows = [
        pair("std, read", || blocking(MEMORY, read), || blocking(ours(MEMORY), read)),
        pair("std, write", || blocking(MEMORY, write), || blocking(ours(MEMORY), write)),
        pair("tokio, read", || in_tokio(MEMORY, poll_read), || in_tokio(ours(MEMORY), poll_read)),
        pair("tokio, write", || in_tokio(MEMORY, poll_write), || in_tokio(ours(MEMORY), poll_write)),
    ];
    let rows = rows.into_iter().flatten().collect();
    Table { title: "A tracked stream: a byte of memory", unit: Unit::Instructions, rows }
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

pub(crate) fn loopback() -> Table {
    let rows = pair("question and answer", || blocking(socket(), ask), || blocking(ours(socket()), ask));
    Table { title: "A tracked stream: 64 bytes over loopback", unit: Unit::Nanoseconds, rows: rows.into() }
}
