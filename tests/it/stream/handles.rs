//! Handles of one socket, one after the other and at the same time.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use disconnect_attribution::TrackedStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Empty, ReadBuf};

use crate::support::{END_OF_FILE, Lines, client_closed, connection, reset, tokio_connection, track, words};

const GRACEFUL: &str = "agent_to_client ended by agent: graceful";

#[test]
fn a_peer_that_spoke_has_spoken_to_a_socket_that_is_tracked_again() {
    let lines = Lines::default();
    let guard = lines.guard();
    guard.cause().presume(client_closed());
    let (mut client, socket) = connection();
    let mut stream = track(&guard, socket);
    client.write_all(b"upgrade").expect("sent");
    stream.read_exact(&mut [0; 7]).expect("read");
    let mut stream = track(&guard, stream.into_inner());
    drop(client);
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    drop(guard);
    assert_eq!(words(&lines.one()), END_OF_FILE);
}

#[tokio::test]
async fn a_socket_that_was_shut_down_and_tracked_again_reads_an_answer() {
    let (client, socket) = tokio_connection();
    let lines = Lines::default();
    let guard = lines.guard();
    let mut stream = track(&guard, socket);
    stream.shutdown().await.expect("shut down");
    let mut stream = track(&guard, stream.into_inner());
    drop(client);
    assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
    drop(guard);
    assert_eq!(words(&lines.one()), GRACEFUL);
}

#[tokio::test]
async fn a_half_that_is_tracked_after_the_other_was_shut_down_and_dropped_reads_an_answer() {
    let (mut client, socket) = tokio_connection();
    let lines = Lines::default();
    let guard = lines.guard();
    let (read, write) = socket.into_split();
    let mut write = track(&guard, write);
    write.write_all(b"bye").await.expect("written");
    write.shutdown().await.expect("shut down");
    drop(write);
    let mut read = track(&guard, read);
    client.read_to_end(&mut Vec::new()).await.expect("read");
    drop(client);
    assert_eq!(read.read(&mut [0]).await.expect("the end"), 0);
    drop(guard);
    assert_eq!(words(&lines.one()), GRACEFUL);
}

/// What was known of the first one says nothing of the next, once that is read.
#[tokio::test]
async fn a_second_socket_of_the_same_peer_stands_for_itself() {
    let lines = Lines::default();
    let guard = lines.guard();
    let (client, socket) = tokio_connection();
    let mut stream = track(&guard, socket).with_half_close();
    drop(client);
    assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
    drop(stream);
    let (client, socket) = tokio_connection();
    let mut stream = track(&guard, socket).with_half_close();
    reset(client.into_std().expect("a socket"));
    stream.read(&mut [0]).await.expect_err("reset");
    drop(guard);
    assert!(words(&lines.one()).starts_with("agent_to_client ended by network: network_error (reset"));
}

/// A half whose peer answers a shutdown at once, so that the other half reads that before the call returns.
struct Answered(TrackedStream<Empty>);

impl AsyncWrite for Answered {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, &mut ReadBuf::new(&mut [0]))
    }
}

#[tokio::test]
async fn an_answer_that_the_other_half_reads_before_the_shutdown_returns_is_an_answer() {
    let lines = Lines::default();
    let guard = lines.guard();
    let read = track(&guard, tokio::io::empty());
    let mut write = track(&guard, Answered(read));
    write.write_all(b"bye").await.expect("written");
    write.shutdown().await.expect("shut down");
    drop(guard);
    assert_eq!(words(&lines.one()), GRACEFUL);
}
