//! What tokio's traits alone have: buffers that hold bytes, vectored writes.

use std::future::poll_fn;
use std::io::{IoSlice, Read, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::script::Scripted;
use crate::support::{END_OF_FILE, known, tokio_connection, tracked};

/// Reads into a buffer that holds earlier bytes, and so much room; returns what it holds then.
async fn read_after_earlier(stream: &mut (impl AsyncRead + Unpin), room: usize) -> Vec<u8> {
    let mut storage = [0; 16];
    let mut buffer = ReadBuf::new(&mut storage[..7 + room]);
    buffer.put_slice(b"earlier");
    let read = poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer));
    read.await.expect("the end, or nothing");
    buffer.filled().to_vec()
}

#[tokio::test]
async fn an_end_of_file_is_seen_after_earlier_bytes_and_not_in_a_full_buffer() {
    let (client, socket) = tokio_connection();
    let (mut stream, cause) = tracked(socket);
    drop(client);
    for (room, expected) in [(0, None), (9, Some(END_OF_FILE))] {
        assert_eq!(read_after_earlier(&mut stream, room).await, b"earlier");
        assert_eq!(known(&cause).as_deref(), expected);
    }
}

#[tokio::test]
async fn a_reader_that_takes_bytes_back_panics_nothing() {
    struct TakesBack;
    impl AsyncRead for TakesBack {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<Result<()>> {
            buffer.clear();
            Poll::Ready(Ok(()))
        }
    }
    assert_eq!(read_after_earlier(&mut tracked(TakesBack).0, 9).await, b"");
}

#[tokio::test]
async fn vectored_writes_reach_the_socket_as_such() {
    let (mut client, socket) = tokio_connection();
    assert!(socket.is_write_vectored());
    let (mut stream, cause) = tracked(socket);
    assert!(stream.is_write_vectored());
    let buffers = [IoSlice::new(b"one "), IoSlice::new(b"two")];
    assert_eq!(stream.write_vectored(&buffers).await.expect("in one go"), 7);
    let mut text = [0; 7];
    client.read_exact(&mut text).expect("sent");
    assert_eq!(&text, b"one two");
    assert_eq!(cause.get(), None);
    assert!(!tracked(Scripted::new(&[])).0.is_write_vectored());
}
