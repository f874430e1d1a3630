//! What errors explain: by kind, by chain, and the common ones of std and tokio.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::DisconnectReason::{NetworkError, ProtocolError, Unknown};
use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};

#[test]
fn each_kind_of_io_error_has_its_reason_and_trigger() {
    use ErrorKind as Kind;
    use Trigger::{Aborted, BrokenPipe, EndOfFile, Refused, Reset, TimedOut, Unreachable};
    let rows = [
        (Kind::UnexpectedEof, NetworkError, Some(EndOfFile)),
        (Kind::ConnectionReset, NetworkError, Some(Reset)),
        (Kind::BrokenPipe, NetworkError, Some(BrokenPipe)),
        (Kind::WriteZero, NetworkError, Some(BrokenPipe)),
        (Kind::ConnectionAborted, NetworkError, Some(Aborted)),
        (Kind::NotConnected, NetworkError, Some(Aborted)),
        (Kind::ConnectionRefused, NetworkError, Some(Refused)),
        (Kind::HostUnreachable, NetworkError, Some(Unreachable)),
        (Kind::NetworkUnreachable, NetworkError, Some(Unreachable)),
        (Kind::NetworkDown, NetworkError, Some(Unreachable)),
        (Kind::TimedOut, NetworkError, Some(TimedOut)),
        (Kind::InvalidData, ProtocolError, None),
        (Kind::AddrInUse, Unknown, None),
        (Kind::AddrNotAvailable, Unknown, None),
        (Kind::AlreadyExists, Unknown, None),
        (Kind::ArgumentListTooLong, Unknown, None),
        (Kind::Deadlock, Unknown, None),
        (Kind::DirectoryNotEmpty, Unknown, None),
        (Kind::ExecutableFileBusy, Unknown, None),
        (Kind::FileTooLarge, Unknown, None),
        (Kind::Interrupted, Unknown, None),
        (Kind::InvalidInput, Unknown, None),
        (Kind::IsADirectory, Unknown, None),
        (Kind::NotADirectory, Unknown, None),
        (Kind::NotFound, Unknown, None),
        (Kind::NotSeekable, Unknown, None),
        (Kind::Other, Unknown, None),
        (Kind::OutOfMemory, Unknown, None),
        (Kind::PermissionDenied, Unknown, None),
        (Kind::QuotaExceeded, Unknown, None),
        (Kind::ReadOnlyFilesystem, Unknown, None),
        (Kind::ResourceBusy, Unknown, None),
        (Kind::StaleNetworkFileHandle, Unknown, None),
        (Kind::StorageFull, Unknown, None),
        (Kind::TooManyLinks, Unknown, None),
        (Kind::Unsupported, Unknown, None),
        (Kind::WouldBlock, Unknown, None),
    ];
    for (kind, reason, trigger) in rows {
        assert_eq!(DisconnectReason::from_io_error_kind(kind), reason, "{kind:?}");
        assert_eq!(Trigger::from_io_error_kind(kind), trigger, "{kind:?}");
        // Without a code, these are a library's words.
        let (reason, trigger) = match kind {
            Kind::WouldBlock | Kind::TimedOut => (NetworkError, Some(Trigger::Deadline)),
            Kind::ConnectionAborted => (NetworkError, Some(Trigger::EndOfFile)),
            _ => (reason, trigger),
        };
        assert_eq!(DisconnectReason::from_error(&io::Error::from(kind)), reason, "{kind:?}");
        let end = Disconnect::from_error(ConnectType::ClientToServer, &io::Error::from(kind));
        assert_eq!((end.reason(), end.trigger()), (reason, trigger), "{kind:?}");
    }
}

/// What the operating system's own numbers mean when a connection ends.
#[test]
#[cfg(target_os = "linux")]
fn each_number_of_linux_has_its_reason_and_trigger() {
    let rows = [
        (5, Unknown, None),                              // EIO
        (11, NetworkError, Some(Trigger::Deadline)),     // EAGAIN
        (32, NetworkError, Some(Trigger::BrokenPipe)),   // EPIPE
        (100, NetworkError, Some(Trigger::Unreachable)), // ENETDOWN
        (101, NetworkError, Some(Trigger::Unreachable)), // ENETUNREACH
        (103, NetworkError, Some(Trigger::Aborted)),     // ECONNABORTED
        (104, NetworkError, Some(Trigger::Reset)),       // ECONNRESET
        (107, NetworkError, Some(Trigger::Aborted)),     // ENOTCONN
        (110, NetworkError, Some(Trigger::TimedOut)),    // ETIMEDOUT
        (111, NetworkError, Some(Trigger::Refused)),     // ECONNREFUSED
        (113, NetworkError, Some(Trigger::Unreachable)), // EHOSTUNREACH
    ];
    for (number, reason, trigger) in rows {
        let error = io::Error::from_raw_os_error(number);
        let end = Disconnect::from_error(ConnectType::AgentToClient, &error);
        assert_eq!((end.reason(), end.trigger()), (reason, trigger), "{error}");
        assert_eq!(end.detail(), Some(error.to_string().as_str()));
    }
}

/// An error with another one below it.
#[derive(Debug)]
struct Layer<E>(E);

impl<E> fmt::Display for Layer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("session failed")
    }
}

impl<E: Error + 'static> Error for Layer<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// An error that is its own source.
#[derive(Debug)]
struct Circle;

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("again")
    }
}

impl Error for Circle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[test]
fn the_first_io_error_with_a_reason_decides() {
    let reset = || io::Error::from(ErrorKind::ConnectionReset);
    let garbage = || io::Error::new(ErrorKind::InvalidData, "not a frame");
    let silent = |error| io::Error::new(ErrorKind::NotFound, error);
    let by_reset = (NetworkError, Some(Trigger::Reset));
    let by_garbage = (ProtocolError, None);
    let by_none = (Unknown, None);
    let rows: [(&str, Box<dyn Error>, _); 13] = [
        ("itself", reset().into(), by_reset),
        ("below two layers", Layer(Layer(reset())).into(), by_reset),
        ("no io error at all", Layer(fmt::Error).into(), by_none),
        ("an empty silent kind", io::Error::from(ErrorKind::NotFound).into(), by_none),
        ("looked through", io::Error::other(reset()).into(), by_reset),
        ("a silent kind that wraps", silent(reset()).into(), by_reset),
        ("looked through twice", io::Error::other(io::Error::other(garbage())).into(), by_garbage),
        ("looked through to a layer", io::Error::other(Layer(garbage())).into(), by_garbage),
        ("garbage outside", io::Error::new(ErrorKind::InvalidData, reset()).into(), by_garbage),
        ("reset outside", io::Error::new(ErrorKind::ConnectionReset, garbage()).into(), by_reset),
        ("shared", Layer(Arc::new(reset())).into(), by_reset),
        ("shared, wrapping", Arc::new(io::Error::other(Layer(Arc::new(reset())))).into(), by_reset),
        ("a circle ends", Circle.into(), by_none),
    ];
    for (name, error, (reason, trigger)) in rows {
        assert_eq!(DisconnectReason::from_error(&*error), reason, "{name}");
        let end = Disconnect::from_error(ConnectType::AgentToClient, &*error);
        assert_eq!((end.reason(), end.trigger()), (reason, trigger), "{name}");
        let by_network = (reason == NetworkError).then_some(Initiator::Network);
        assert_eq!(end.initiator(), by_network, "{name}");
    }
}

/// Reason, trigger, initiator and text of an error.
type Row = (Box<dyn Error>, DisconnectReason, Option<Trigger>, Option<Initiator>, &'static str);

fn common_errors_of_std() -> Vec<Row> {
    let network = Some(Initiator::Network);
    let read_exact = (&[0_u8; 3][..]).read_exact(&mut [0; 4]).unwrap_err();
    let write_all = (&mut [0_u8; 3][..]).write_all(&[0; 4]).unwrap_err();
    let read_to_string = io::read_to_string(&b"\xff"[..]).unwrap_err();
    let listening = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let connect = std::net::TcpStream::connect(listening.expect("bound")).unwrap_err();
    let refused = connect.to_string().leak();
    vec![
        (read_exact.into(), NetworkError, Some(Trigger::EndOfFile), network, "failed to fill whole buffer"),
        (write_all.into(), NetworkError, Some(Trigger::BrokenPipe), network, "failed to write whole buffer"),
        (read_to_string.into(), ProtocolError, None, None, "stream did not contain valid UTF-8"),
        (connect.into(), NetworkError, Some(Trigger::Refused), network, refused),
        (io::Error::other("bad handshake").into(), Unknown, None, None, "bad handshake"),
        (
            io::Error::other(io::Error::from(ErrorKind::ConnectionReset)).into(),
            NetworkError,
            Some(Trigger::Reset),
            network,
            "connection reset",
        ),
    ]
}

async fn common_errors_of_tokio() -> Vec<Row> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let network = Some(Initiator::Network);
    let elapsed = || tokio::time::timeout(Duration::ZERO, std::future::pending::<()>());
    let elapsed = [elapsed().await.unwrap_err(), elapsed().await.unwrap_err()];
    let [bare, converted] = elapsed;
    let (mut near, far) = tokio::io::duplex(1);
    drop(far);
    let write = near.write_all(b"more than one").await.unwrap_err();
    let read = near.read_u32().await.unwrap_err();
    let task = tokio::spawn(std::future::pending::<()>());
    task.abort();
    let cancelled = task.await.unwrap_err();
    let text = cancelled.to_string().leak();
    vec![
        (bare.into(), NetworkError, Some(Trigger::Deadline), network, "deadline has elapsed"),
        (io::Error::from(converted).into(), NetworkError, Some(Trigger::Deadline), network, "timed out"),
        (write.into(), NetworkError, Some(Trigger::BrokenPipe), network, "broken pipe"),
        (read.into(), NetworkError, Some(Trigger::EndOfFile), network, "unexpected end of file"),
        (cancelled.into(), Unknown, Some(Trigger::Dropped), None, text),
    ]
}

#[tokio::test]
async fn the_common_errors_of_std_and_tokio_have_their_reason_trigger_and_text() {
    for (error, reason, trigger, initiator, text) in
        common_errors_of_std().into_iter().chain(common_errors_of_tokio().await)
    {
        let end = Disconnect::from_error(ConnectType::AgentToClient, &*error);
        assert_eq!((end.reason(), end.trigger()), (reason, trigger), "{error}");
        assert_eq!((end.initiator(), end.detail()), (initiator, Some(text)), "{error}");
    }
}
