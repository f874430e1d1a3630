//! What depends on the operating system: its codes, its handles, its exit statuses.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, TrackedStream, Trigger};

/// Of a connection, the client's side and a tracked one.
fn connection() -> (TcpStream, TrackedStream<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (socket, _) = listener.accept().expect("accepted");
    (client, tracked(socket))
}

fn tracked<S>(stream: S) -> TrackedStream<S> {
    TrackedStream::new(stream, AgentToClient, Cause::default())
}

fn trigger<S>(stream: &TrackedStream<S>) -> Option<Trigger> {
    stream.cause().get()?.trigger()
}

/// Fails each read with a code of the operating system.
struct Failing(i32);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(self.0))
    }
}

/// The code with which TCP gives up.
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
const GAVE_UP: i32 = if cfg!(target_os = "linux") {
    110 // ETIMEDOUT
} else if cfg!(target_os = "macos") {
    60 // ETIMEDOUT
} else {
    10060 // WSAETIMEDOUT
};

/// A blocking socket of Windows has the same code for its own timeout.
#[test]
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
fn tcp_that_gives_up_ends_the_connection_where_it_can_be_known() {
    let mut stream = tracked(Failing(GAVE_UP));
    stream.read(&mut [0]).expect_err("gave up");
    let expected = (!cfg!(windows)).then_some(Trigger::TimedOut);
    assert_eq!(trigger(&stream), expected);
    let detail = stream
        .cause()
        .get()
        .and_then(|end| Some(end.detail()?.to_owned()));
    let text = format!("read failed: {}", io::Error::from_raw_os_error(GAVE_UP));
    assert_eq!(detail, expected.map(|_| text));
}

#[test]
#[cfg(target_os = "linux")]
fn a_timeout_of_the_socket_ends_nothing() {
    const EAGAIN: i32 = 11; // SO_RCVTIMEO
    let mut stream = tracked(Failing(EAGAIN));
    stream.read(&mut [0]).expect_err("would block");
    assert_eq!(stream.cause().get(), None);
}

#[cfg(all(
    feature = "tokio",
    any(target_os = "linux", target_os = "macos", windows)
))]
mod asynchronous {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use disconnect_attribution::Trigger;
    use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

    use super::{Failing, GAVE_UP, tracked, trigger};

    impl AsyncRead for Failing {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::Error::from_raw_os_error(self.0)))
        }
    }

    #[tokio::test]
    async fn tcp_that_gives_up_under_tokio_ends_the_connection() {
        let mut stream = tracked(Failing(GAVE_UP));
        let error = AsyncReadExt::read(&mut stream, &mut [0]).await;
        assert_eq!(error.expect_err("gave up").kind(), io::ErrorKind::TimedOut);
        assert_eq!(trigger(&stream), Some(Trigger::TimedOut));
    }
}

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsFd, AsRawFd};

    #[test]
    fn the_handle_of_a_socket_is_its_own() {
        let (_client, stream) = super::connection();
        let handle = stream.get_ref().as_raw_fd();
        assert_eq!(stream.as_raw_fd(), handle);
        assert_eq!(stream.as_fd().as_raw_fd(), handle);
    }
}

#[cfg(windows)]
mod windows {
    use std::io::Read;
    use std::os::windows::io::{AsRawSocket, AsSocket};
    use std::os::windows::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};
    use std::time::Duration;

    use disconnect_attribution::ConnectType::AgentToClient;
    use disconnect_attribution::{
        Disconnect, DisconnectGuard, DisconnectReason, Initiator, Trigger, classify_session_exit,
    };

    use super::{GAVE_UP, connection};

    #[test]
    fn the_handle_of_a_socket_is_its_own() {
        let (_client, stream) = connection();
        let handle = stream.get_ref().as_raw_socket();
        assert_eq!(stream.as_raw_socket(), handle);
        assert_eq!(stream.as_socket().as_raw_socket(), handle);
    }

    /// As `ExitStatus` itself prints it.
    #[test]
    fn a_crash_is_in_hex() {
        let rows = [
            (7, 7, "7"),
            (0x7fff_ffff, i32::MAX, "2147483647"),
            (0x8000_0003, -2_147_483_645, "0x80000003"),
            (0xc000_0005, -1_073_741_819, "0xc0000005"),
            (0xffff_ffff, -1, "0xffffffff"),
        ];
        for (raw, code, text) in rows {
            let status = ExitStatus::from_raw(raw);
            assert_eq!(status.to_string(), format!("exit code: {text}"));
            let expected = Disconnect::new(AgentToClient, DisconnectReason::ProcessExited)
                .with_exit_code(code)
                .with_detail(format!("process exited with error status: {text}"));
            assert_eq!(
                classify_session_exit(false, &std::io::Result::Ok(status)),
                expected
            );
        }
    }

    #[test]
    fn a_process_that_crashes() {
        let result = Command::new("cmd")
            .args(["/c", "exit -1073741819"])
            .status();
        let end = classify_session_exit(true, &result);
        assert_eq!(end.exit_code(), Some(-1_073_741_819));
        assert_eq!(end.initiator(), Some(Initiator::Agent));
        assert_eq!(
            end.detail(),
            Some("process exited with error status: 0xc0000005")
        );
    }

    #[test]
    fn a_timeout_that_a_site_gives_up_at_counts_beside_a_tracked_stream() {
        let mut line = None;
        let guard = DisconnectGuard::new(AgentToClient, |end| line = Some(end));
        let (_client, stream) = connection();
        let mut stream = guard.track(stream.into_inner());
        let timeout = Some(Duration::from_millis(1));
        stream.get_ref().set_read_timeout(timeout).expect("set");
        let error = stream.read(&mut [0]).expect_err("nothing to read");
        assert_eq!(error.raw_os_error(), Some(GAVE_UP));
        guard.failed(&error);
        drop(guard);
        assert_eq!(line.and_then(|end| end.trigger()), Some(Trigger::TimedOut));
    }
}
