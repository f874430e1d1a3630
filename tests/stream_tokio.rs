//! A tracked stream over tokio's traits.
#![cfg(feature = "tokio")]

mod lines;
#[path = "support/words.rs"]
mod words;

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectReason, Initiator, TrackedStream};
use lines::Lines;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use words::words;

const END_OF_FILE: &str = "agent_to_client ended by network: network_error (end_of_file)";

async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.expect("connected"), accepted.expect("accepted").0)
}

fn tracked<S>(stream: S) -> (TrackedStream<S>, Cause) {
    let cause = Cause::default();
    let stream = TrackedStream::new(stream, AgentToClient, cause.clone());
    (stream, cause)
}

fn known(cause: &Cause) -> Option<String> {
    cause.get().as_ref().map(words)
}

#[tokio::test]
async fn a_read_of_nothing_is_no_end_of_file() {
    let (client, socket) = connection().await;
    let (mut stream, cause) = tracked(socket);
    drop(client);
    assert_eq!(stream.read(&mut []).await.expect("nothing"), 0);
    assert_eq!(cause.get(), None);
    assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
    assert_eq!(known(&cause).as_deref(), Some(END_OF_FILE));
}

/// A reader may pass a buffer that holds earlier bytes, or that has no room.
#[tokio::test]
async fn an_end_of_file_is_seen_after_earlier_bytes_and_not_in_a_full_buffer() {
    let (client, socket) = connection().await;
    let (mut stream, cause) = tracked(socket);
    drop(client);
    for (room, expected) in [(0, None), (9, Some(END_OF_FILE))] {
        let mut storage = [0; 16];
        let mut buffer = ReadBuf::new(&mut storage[..7 + room]);
        buffer.put_slice(b"earlier");
        std::future::poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer))
            .await
            .expect("the end, or nothing");
        assert_eq!(buffer.filled(), b"earlier");
        assert_eq!(known(&cause).as_deref(), expected);
    }
}

#[tokio::test]
async fn a_reset_while_reading_ends_the_connection() {
    let (client, socket) = connection().await;
    let (mut stream, cause) = tracked(socket);
    let linger = socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO));
    linger.expect("set");
    drop(client);
    let error = stream.read(&mut [0]).await.expect_err("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let expected =
        format!("agent_to_client ended by network: network_error (reset): read failed: {error}");
    assert_eq!(known(&cause), Some(expected));
}

#[tokio::test]
async fn a_shutdown_of_this_side_is_a_weak_graceful_and_its_answer_nothing_new() {
    let (mut client, socket) = connection().await;
    let lines = Lines::default();
    let guard = lines.guard();
    let mut stream = guard.track(socket);
    stream.shutdown().await.expect("shut down");
    assert_eq!(client.read(&mut [0]).await.expect("the end"), 0);
    drop(client);
    assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
    drop(guard);
    assert_eq!(words(&lines.one()), "agent_to_client ended: graceful");
}

#[tokio::test]
async fn a_shutdown_of_this_side_voids_its_own_expected_presumption() {
    let client = || Disconnect::closed_by(AgentToClient, Initiator::Client);
    let rejected = || Disconnect::new(AgentToClient, DisconnectReason::Rejected);
    let rows: [(Option<Disconnect>, Option<Disconnect>, bool, &str); 5] = [
        (
            None,
            Some(client()),
            false,
            "agent_to_client ended: graceful",
        ),
        (
            None,
            Some(rejected()),
            false,
            "agent_to_client ended: rejected",
        ),
        (
            Some(client()),
            Some(client()),
            false,
            "agent_to_client ended by client: client_closed (from agent_to_client)",
        ),
        // The latest presumption counts.
        (
            None,
            Some(client()),
            true,
            "agent_to_client ended by client: client_closed",
        ),
        (None, None, false, "agent_to_client ended: graceful"),
    ];
    for (parents, own, again, expected) in rows {
        let (lines, parent) = (Lines::default(), Cause::default());
        let guard = lines.guard().with_cause(parent.child());
        parent.presume(parents);
        guard.cause().presume(own.clone());
        guard
            .track(tokio::io::empty())
            .shutdown()
            .await
            .expect("shut down");
        if again {
            guard.cause().presume(own);
        }
        drop(guard);
        assert_eq!(words(&lines.one()), expected);
    }
}

#[tokio::test]
async fn a_shutdown_after_the_peer_stopped_voids_nothing() {
    let lines = Lines::default();
    let guard = lines.guard();
    guard
        .cause()
        .presume(Disconnect::closed_by(AgentToClient, Initiator::Client));
    let mut stream = guard
        .track(tokio::io::empty())
        .with_half_close(Initiator::Client);
    assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
    stream.shutdown().await.expect("shut down");
    drop(guard);
    assert_eq!(
        words(&lines.one()),
        "agent_to_client ended by client: client_closed"
    );
}

#[tokio::test]
async fn vectored_writes_reach_the_socket_as_such() {
    let (mut client, socket) = connection().await;
    assert!(socket.is_write_vectored());
    let (mut stream, cause) = tracked(socket);
    assert!(stream.is_write_vectored());
    let buffers = [IoSlice::new(b"one "), IoSlice::new(b"two")];
    assert_eq!(stream.write_vectored(&buffers).await.expect("in one go"), 7);
    let mut text = [0; 7];
    client.read_exact(&mut text).await.expect("sent");
    assert_eq!(&text, b"one two");
    assert_eq!(cause.get(), None);
    assert!(!tracked(Always(|| Ok(1))).0.is_write_vectored());
}

/// A stream that is always ready, with one answer.
struct Always(fn() -> io::Result<usize>);

impl AsyncRead for Always {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready((self.0)().map(drop))
    }
}

impl AsyncWrite for Always {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready((self.0)())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready((self.0)().map(drop))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready((self.0)().map(drop))
    }
}

#[tokio::test]
async fn each_operation_that_fails_is_named() {
    for operation in ["read", "write", "flush", "shutdown"] {
        let (mut stream, cause) = tracked(Always(|| Err(ErrorKind::BrokenPipe.into())));
        let failed = match operation {
            "read" => stream.read(&mut [0]).await.is_err(),
            "write" => stream.write(&[0]).await.is_err(),
            "flush" => stream.flush().await.is_err(),
            _ => stream.shutdown().await.is_err(),
        };
        assert!(failed, "the error goes through");
        let end = cause.get().expect("recorded");
        assert_eq!(
            end.detail(),
            Some(format!("{operation} failed: broken pipe").as_str())
        );
    }
}

#[tokio::test]
async fn a_write_that_takes_nothing_ends_the_connection() {
    let (mut stream, cause) = tracked(Always(|| Ok(0)));
    assert_eq!(stream.write(&[]).await.expect("nothing"), 0);
    assert_eq!(cause.get(), None);
    assert_eq!(stream.write(&[1]).await.expect("unchanged"), 0);
    let broken = "agent_to_client ended by network: network_error (broken_pipe): \
                  write failed: write zero";
    assert_eq!(known(&cause).as_deref(), Some(broken));
}

#[tokio::test]
async fn numbers_of_a_task_are_those_of_its_first_tracked_stream() {
    let lines = Lines::default();
    let guard = lines.guard();
    let (stream, _peer) = tokio::io::duplex(16);
    let mut stream = guard.track(stream);
    let mut second_leg = guard.track(std::io::Cursor::new(vec![0; 1000]));
    tokio::time::sleep(Duration::from_millis(60)).await;
    second_leg
        .read_exact(&mut [0; 500])
        .await
        .expect("received");
    second_leg.write_all(&[0; 500]).await.expect("sent");
    stream.write_all(&[0; 7]).await.expect("sent");
    assert_eq!(stream.read(&mut []).await.expect("nothing"), 0);
    let mut byte = [0];
    let waiting = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte));
    waiting.await.expect_err("a silent peer");
    drop(guard);
    let line = lines.one();
    assert_eq!(
        (line.bytes_received(), line.bytes_sent()),
        (Some(0), Some(7))
    );
    assert_eq!(line.peer_silence(), line.connection_duration());
}
