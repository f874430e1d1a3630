//! What errors explain: by kind, by chain, and the common ones of std and tokio.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::DisconnectReason::{NetworkError, ProtocolError, Unknown};
use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::Layer;

type Meaning = (DisconnectReason, Option<Trigger>);

#[track_caller]
fn check(error: &(dyn Error + 'static), (reason, trigger): Meaning) {
    let end = Disconnect::from_error(ConnectType::AgentToClient, error);
    assert_eq!((end.reason(), end.trigger()), (reason, trigger), "{error:?}");
    assert_eq!(DisconnectReason::from_error(error), reason, "{error:?}");
    let by_network = (reason == NetworkError).then_some(Initiator::Network);
    assert_eq!(end.initiator(), by_network, "{error:?}");
}

const fn network(trigger: Trigger) -> Meaning {
    (NetworkError, Some(trigger))
}

#[test]
fn each_kind_of_io_error_that_explains_an_end_has_its_reason_and_trigger() {
    use ErrorKind as Kind;
    use Trigger::{Aborted, BrokenPipe, Deadline, EndOfFile, Refused, Reset, TimedOut, Unreachable};
    // A kind, and what it means if a library made the error: without a code of the system.
    let rows = [
        (Kind::UnexpectedEof, network(EndOfFile), network(EndOfFile)),
        (Kind::ConnectionReset, network(Reset), network(Reset)),
        (Kind::BrokenPipe, network(BrokenPipe), network(BrokenPipe)),
        (Kind::WriteZero, network(BrokenPipe), network(BrokenPipe)),
        (Kind::ConnectionAborted, network(Aborted), network(EndOfFile)),
        (Kind::NotConnected, network(Aborted), network(Aborted)),
        (Kind::ConnectionRefused, network(Refused), network(Refused)),
        (Kind::HostUnreachable, network(Unreachable), network(Unreachable)),
        (Kind::NetworkUnreachable, network(Unreachable), network(Unreachable)),
        (Kind::NetworkDown, network(Unreachable), network(Unreachable)),
        (Kind::TimedOut, network(TimedOut), network(Deadline)),
        (Kind::InvalidData, (ProtocolError, None), (ProtocolError, None)),
        (Kind::WouldBlock, (Unknown, None), network(Deadline)),
    ];
    for (kind, (reason, trigger), of_a_library) in rows {
        assert_eq!(DisconnectReason::from_io_error_kind(kind), reason, "{kind:?}");
        assert_eq!(Trigger::from_io_error_kind(kind), trigger, "{kind:?}");
        check(&io::Error::from(kind), of_a_library);
    }
}

/// A library may wrap an error of the system, keep its text, or both.
#[test]
#[cfg(target_os = "linux")]
fn errors_that_libraries_wrap_or_print_are_read() {
    use disconnect_attribution::classify_channel_close;

    let [reset, gave_up] = [104, 110].map(io::Error::from_raw_os_error);
    let text = gave_up.to_string();
    // Longer than a detail may be.
    let url = "https://example.com/".repeat(20);
    let rows = [
        (io::Error::other(format!("GET {url}: {reset}")), network(Trigger::Reset)),
        (io::Error::new(ErrorKind::TimedOut, gave_up), network(Trigger::TimedOut)),
        (io::Error::new(ErrorKind::TimedOut, text), network(Trigger::TimedOut)),
        (io::Error::other(format!("redis: {reset}")), network(Trigger::Reset)),
        (io::Error::other("(os error 999999999999)"), (Unknown, None)),
        (io::Error::other("os error 104"), (Unknown, None)),
    ];
    for (error, meaning) in rows {
        check(&error, meaning);
        check(&Arc::new(error), meaning);
    }
    let text: Result<(), String> = Err(reset.to_string());
    let boxed: Result<(), Box<dyn Error + Send + Sync>> = Err(reset.into());
    for end in [classify_channel_close(&text), classify_channel_close(&boxed)] {
        assert_eq!(end.trigger(), Some(Trigger::Reset));
    }
}

/// What the operating system's own numbers mean when a connection ends: all others, and their kinds, mean nothing.
#[test]
#[cfg(target_os = "linux")]
fn each_number_of_linux_has_its_reason_and_trigger() {
    use Trigger::{Aborted, BrokenPipe, Deadline, Refused, Reset, TimedOut, Unreachable};
    let rows = [
        (11, Deadline),     // EAGAIN
        (32, BrokenPipe),   // EPIPE
        (64, Unreachable),  // ENONET
        (100, Unreachable), // ENETDOWN
        (101, Unreachable), // ENETUNREACH
        (102, Reset),       // ENETRESET
        (103, Aborted),     // ECONNABORTED
        (104, Reset),       // ECONNRESET
        (107, Aborted),     // ENOTCONN
        (108, BrokenPipe),  // ESHUTDOWN
        (110, TimedOut),    // ETIMEDOUT
        (111, Refused),     // ECONNREFUSED
        (112, Unreachable), // EHOSTDOWN
        (113, Unreachable), // EHOSTUNREACH
    ];
    for number in 1..=133 {
        let row = rows.iter().find(|(listed, _)| *listed == number);
        let error = io::Error::from_raw_os_error(number);
        check(&error, row.map_or((Unknown, None), |(_, trigger)| network(*trigger)));
        if row.is_none() {
            assert_eq!(DisconnectReason::from_io_error_kind(error.kind()), Unknown, "{error:?}");
            assert_eq!(Trigger::from_io_error_kind(error.kind()), None, "{error:?}");
        }
    }
}

fn layer(error: impl Error + Send + Sync + 'static) -> Layer {
    Layer("session failed", Some(Box::new(error)))
}

#[test]
fn the_first_io_error_with_a_reason_decides() {
    let reset = || io::Error::from(ErrorKind::ConnectionReset);
    let garbage = || io::Error::new(ErrorKind::InvalidData, "not a frame");
    let silent = |error| io::Error::new(ErrorKind::NotFound, error);
    let (by_reset, by_garbage, by_none) = (network(Trigger::Reset), (ProtocolError, None), (Unknown, None));
    let rows: [(&str, Box<dyn Error>, _); 13] = [
        ("itself", reset().into(), by_reset),
        ("below two layers", layer(layer(reset())).into(), by_reset),
        ("no io error at all", layer(std::fmt::Error).into(), by_none),
        ("an empty silent kind", io::Error::from(ErrorKind::NotFound).into(), by_none),
        ("looked through", io::Error::other(reset()).into(), by_reset),
        ("a silent kind that wraps", silent(reset()).into(), by_reset),
        ("looked through twice", io::Error::other(io::Error::other(garbage())).into(), by_garbage),
        ("looked through to a layer", io::Error::other(layer(garbage())).into(), by_garbage),
        ("garbage outside", io::Error::new(ErrorKind::InvalidData, reset()).into(), by_garbage),
        ("reset outside", io::Error::new(ErrorKind::ConnectionReset, garbage()).into(), by_reset),
        ("shared", layer(Arc::new(reset())).into(), by_reset),
        ("shared, wrapping", Arc::new(io::Error::other(layer(Arc::new(reset())))).into(), by_reset),
        ("beyond any depth", (0..100).fold(layer(reset()), |error, _| layer(error)).into(), by_none),
    ];
    for (name, error, meaning) in rows {
        println!("{name}");
        check(&*error, meaning);
    }
}

#[tokio::test]
async fn the_common_errors_of_std_and_tokio_have_their_reason_trigger_and_text() {
    use Trigger::{BrokenPipe, Deadline, Dropped, EndOfFile, Panic, Refused, Reset};
    let listening = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let connect = std::net::TcpStream::connect(listening.expect("bound")).unwrap_err();
    let elapsed = tokio::time::timeout(Duration::ZERO, std::future::pending::<()>()).await.unwrap_err();
    let (mut near, _) = tokio::io::duplex(1);
    let panicked = tokio::spawn(async { panic!("a bug") }).await.unwrap_err();
    let task = tokio::spawn(std::future::pending::<()>());
    task.abort();
    let cancelled = task.await.unwrap_err();
    let read_exact = Read::read_exact(&mut &[0; 3][..], &mut [0; 4]).unwrap_err();
    let write_all = Write::write_all(&mut &mut [0; 3][..], &[0; 4]).unwrap_err();
    let read_to_string = io::read_to_string(&b"\xff"[..]).unwrap_err();
    let write = AsyncWriteExt::write_all(&mut near, b"more than one").await.unwrap_err();
    let reset = io::Error::other(io::Error::from(ErrorKind::ConnectionReset));
    let wrapping = io::Error::other(layer(io::Error::new(ErrorKind::InvalidData, "not a frame")));
    // Without a text: as it prints itself.
    let rows: [(Box<dyn Error>, Meaning, &str); 12] = [
        (read_exact.into(), network(EndOfFile), "failed to fill whole buffer"),
        (write_all.into(), network(BrokenPipe), "failed to write whole buffer"),
        (read_to_string.into(), (ProtocolError, None), "stream did not contain valid UTF-8"),
        (connect.into(), network(Refused), ""),
        (io::Error::other("bad handshake").into(), (Unknown, None), "bad handshake"),
        (wrapping.into(), (ProtocolError, None), "session failed: not a frame"),
        (reset.into(), network(Reset), "connection reset"),
        (elapsed.into(), network(Deadline), "deadline has elapsed"),
        (write.into(), network(BrokenPipe), "broken pipe"),
        (near.read_u32().await.unwrap_err().into(), network(EndOfFile), "unexpected end of file"),
        (cancelled.into(), (Unknown, Some(Dropped)), ""),
        (panicked.into(), (Unknown, Some(Panic)), ""),
    ];
    for (error, meaning, text) in rows {
        check(&*error, meaning);
        let end = Disconnect::from_error(ConnectType::AgentToClient, &*error);
        let text = if text.is_empty() { error.to_string() } else { text.to_owned() };
        assert_eq!(end.detail(), Some(text.as_str()));
    }
}
