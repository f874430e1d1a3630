//! A tracked stream tells how its transport ended, and changes nothing else.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectReason, Initiator, TrackedStream};

fn end(reason: DisconnectReason) -> Disconnect {
    Disconnect::new(AgentToClient, reason)
}

fn tracked<S>(stream: S) -> (TrackedStream<S>, Cause) {
    let cause = Cause::default();
    (
        TrackedStream::new(stream, AgentToClient, cause.clone()),
        cause,
    )
}

/// Answers every call with the same result.
struct Always(fn() -> io::Result<usize>);

impl Read for Always {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        (self.0)()
    }
}

impl Write for Always {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        (self.0)()
    }

    fn flush(&mut self) -> io::Result<()> {
        (self.0)().map(drop)
    }
}

/// Makes an error, and what has to be recorded for it.
type Row = (fn() -> io::Error, Option<Disconnect>);

#[test]
fn errors_that_end_a_connection_and_errors_that_do_not() {
    let network = |detail: &str| {
        Some(
            end(DisconnectReason::NetworkError)
                .with_initiator(Initiator::Network)
                .with_detail(detail.to_owned()),
        )
    };
    let rows: [Row; 7] = [
        (|| ErrorKind::Interrupted.into(), None),
        (|| ErrorKind::WouldBlock.into(), None),
        (|| ErrorKind::TimedOut.into(), None),
        (
            || io::Error::new(ErrorKind::TimedOut, "deadline has elapsed"),
            None,
        ),
        (
            || ErrorKind::ConnectionReset.into(),
            network("read failed: connection reset"),
        ),
        (
            || io::Error::other("device gone"),
            network("read failed: device gone"),
        ),
        (
            || io::Error::new(ErrorKind::InvalidData, "bad record\n"),
            Some(end(DisconnectReason::ProtocolError).with_detail(r"read failed: bad record\n")),
        ),
    ];
    #[cfg(target_os = "linux")]
    let rows = {
        let linux: [Row; 2] = [
            (|| io::Error::from_raw_os_error(11), None), // EAGAIN: SO_RCVTIMEO
            (
                || io::Error::from_raw_os_error(110), // ETIMEDOUT: TCP itself gave up
                network("read failed: Connection timed out (os error 110)"),
            ),
        ];
        rows.into_iter().chain(linux)
    };
    for (error, recorded) in rows {
        struct Failing(fn() -> io::Error);
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err((self.0)())
            }
        }
        let (mut stream, cause) = tracked(Failing(error));
        let seen = stream.read(&mut [0]).expect_err("the stream's own error");
        assert_eq!(seen.to_string(), error().to_string());
        assert_eq!(cause.get(), recorded, "{seen}");
    }
}

#[test]
fn a_read_of_nothing_is_no_end_of_file() {
    let (mut stream, cause) = tracked(io::empty());
    assert_eq!(
        stream.read(&mut []).expect("nothing asked, nothing given"),
        0
    );
    assert_eq!(
        stream
            .read_vectored(&mut [IoSliceMut::new(&mut [])])
            .expect("nothing"),
        0
    );
    assert_eq!(cause.get(), None);
    assert_eq!(
        stream
            .read_vectored(&mut [IoSliceMut::new(&mut [0])])
            .expect("the end"),
        0
    );
    assert!(cause.get().is_some());
}

#[test]
fn a_write_that_takes_nothing_ends_the_connection() {
    let (mut stream, cause) = tracked(Always(|| Ok(0)));
    assert_eq!(stream.write(&[]).expect("nothing"), 0);
    assert_eq!(
        stream
            .write_vectored(&[IoSlice::new(&[])])
            .expect("nothing"),
        0
    );
    assert_eq!(cause.get(), None);
    assert_eq!(stream.write(&[1]).expect("unchanged"), 0);
    assert_eq!(
        cause.get().map(|end| end.reason()),
        Some(DisconnectReason::NetworkError)
    );
}

#[test]
fn a_vectored_write_that_takes_nothing_ends_the_connection_too() {
    let (mut stream, cause) = tracked(Always(|| Ok(0)));
    let buffers = [IoSlice::new(&[]), IoSlice::new(&[1])];
    assert_eq!(stream.write_vectored(&buffers).expect("unchanged"), 0);
    let detail = cause.get().and_then(|end| end.detail().map(str::to_owned));
    assert_eq!(detail.as_deref(), Some("write failed: write zero"));
}

#[test]
fn each_operation_that_fails_is_named() {
    let broken = || Always(|| Err(ErrorKind::BrokenPipe.into()));
    let detail = |run: fn(&mut TrackedStream<Always>) -> bool| {
        let (mut stream, cause) = tracked(broken());
        assert!(run(&mut stream), "the error goes through");
        cause
            .get()
            .and_then(|end| end.detail().map(str::to_owned))
            .expect("recorded")
    };
    assert_eq!(
        detail(|stream| stream.read(&mut [0]).is_err()),
        "read failed: broken pipe"
    );
    assert_eq!(
        detail(|stream| stream.write(&[0]).is_err()),
        "write failed: broken pipe"
    );
    assert_eq!(
        detail(|stream| stream.write_vectored(&[IoSlice::new(&[0])]).is_err()),
        "write failed: broken pipe",
    );
    assert_eq!(
        detail(|stream| stream.flush().is_err()),
        "flush failed: broken pipe"
    );
}

#[test]
fn a_drop_is_presumed_and_unwrapping_is_no_end() {
    let (stream, cause) = tracked(io::empty());
    drop(stream);
    assert_eq!(
        cause.get(),
        Some(end(DisconnectReason::Unknown).with_detail("closed here, nobody said why")),
    );
    let (stream, cause) = tracked(vec![7]);
    assert_eq!(stream.into_inner(), [7]);
    assert_eq!(cause.get(), None);
}

#[test]
fn an_end_of_file_by_nobody_in_particular_leaves_the_initiator_out() {
    let (stream, cause) = tracked(io::empty());
    let mut stream = stream.with_end_of_file(DisconnectReason::Graceful, Initiator::Unknown);
    stream.read_to_end(&mut Vec::new()).expect("empty");
    assert_eq!(cause.get(), Some(end(DisconnectReason::Graceful)));
}

#[test]
fn bytes_go_through_unchanged() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let (mut reader, _) = tracked(&bytes[..]);
    let (mut writer, _) = tracked(Vec::new());
    assert_eq!(io::copy(&mut reader, &mut writer).expect("copied"), 100_000);
    assert_eq!(writer.get_ref(), &bytes);
    assert_eq!(writer.get_mut(), &bytes);
}

#[cfg(feature = "tokio")]
mod tokio_traits {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
    use tokio::net::{TcpListener, TcpStream};

    use super::{
        Always, DisconnectReason, ErrorKind, Initiator, IoSlice, Read, Write, end, io, tracked,
    };

    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.expect("connected"), accepted.expect("accepted").0)
    }

    #[tokio::test]
    async fn an_end_of_file_and_a_drop() {
        let (client, socket) = connection().await;
        let (mut stream, cause) = tracked(socket);
        drop(client);
        assert_eq!(stream.read(&mut []).await.expect("nothing"), 0);
        assert_eq!(cause.get(), None);
        assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
        let network_error = end(DisconnectReason::NetworkError).with_initiator(Initiator::Network);
        assert_eq!(cause.get(), Some(network_error));
    }

    /// A reader may pass a buffer that holds earlier bytes.
    #[tokio::test]
    async fn an_end_of_file_is_seen_behind_earlier_bytes() {
        let (client, socket) = connection().await;
        let (mut stream, cause) = tracked(socket);
        drop(client);
        let mut storage = [0; 16];
        let mut buffer = ReadBuf::new(&mut storage);
        buffer.put_slice(b"earlier");
        std::future::poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer))
            .await
            .expect("the end");
        assert_eq!(buffer.filled(), b"earlier");
        assert!(cause.get().is_some());
    }

    #[tokio::test]
    async fn a_reset_while_reading() {
        let (client, socket) = connection().await;
        let (mut stream, cause) = tracked(socket);
        socket2::SockRef::from(&client)
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("set");
        drop(client);
        let error = stream.read(&mut [0]).await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let end = cause.get().expect("recorded");
        assert_eq!(end.detail(), Some(format!("read failed: {error}").as_str()));
    }

    #[tokio::test]
    async fn an_end_of_file_that_answers_a_shutdown_says_nothing_new() {
        let (mut client, socket) = connection().await;
        let (mut stream, cause) = tracked(socket);
        stream.shutdown().await.expect("shut down");
        assert_eq!(client.read(&mut [0]).await.expect("the end"), 0);
        drop(client);
        assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
        assert_eq!(
            cause.get().map(|end| end.reason()),
            Some(DisconnectReason::Unknown)
        );
    }

    #[tokio::test]
    async fn vectored_writes_reach_the_socket_as_such() {
        let (mut client, socket) = connection().await;
        assert!(socket.is_write_vectored());
        let (mut stream, cause) = tracked(socket);
        assert!(stream.is_write_vectored());
        let written = stream
            .write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")])
            .await;
        assert_eq!(written.expect("small enough for one go"), 7);
        let mut text = [0; 7];
        client.read_exact(&mut text).await.expect("sent");
        assert_eq!(&text, b"one two");
        assert_eq!(cause.get(), None);

        let (stream, _) = tracked(Polled(Always(|| Ok(1))));
        assert!(!stream.is_write_vectored());
    }

    /// A stream that is always ready.
    struct Polled(Always);

    impl AsyncRead for Polled {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(self.0.read(&mut []).map(drop))
        }
    }

    impl AsyncWrite for Polled {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(self.0.write(bytes))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.0.flush())
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.0.flush())
        }
    }

    #[tokio::test]
    async fn each_operation_that_fails_is_named() {
        for operation in ["read", "write", "flush", "shutdown"] {
            let (mut stream, cause) = tracked(Polled(Always(|| Err(ErrorKind::BrokenPipe.into()))));
            let failed = match operation {
                "read" => stream.read(&mut [0]).await.is_err(),
                "write" => stream.write(&[0]).await.is_err(),
                "flush" => stream.flush().await.is_err(),
                _ => stream.shutdown().await.is_err(),
            };
            assert!(failed, "the error goes through");
            let detail = cause.get().and_then(|end| end.detail().map(str::to_owned));
            assert_eq!(detail, Some(format!("{operation} failed: broken pipe")));
        }
    }

    #[tokio::test]
    async fn a_write_that_takes_nothing_ends_the_connection() {
        let (mut stream, cause) = tracked(Polled(Always(|| Ok(0))));
        assert_eq!(stream.write(&[]).await.expect("nothing"), 0);
        assert_eq!(cause.get(), None);
        assert_eq!(stream.write(&[1]).await.expect("unchanged"), 0);
        assert_eq!(
            cause.get().map(|end| end.reason()),
            Some(DisconnectReason::NetworkError)
        );
    }
}
