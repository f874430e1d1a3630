//! The numbers of a line: how long, how silent, how many bytes, and whether the machine slept.

use std::io::{Cursor, IoSlice, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence, Initiator};

use crate::support::{Lines, end, ended, reported, track, words};

/// Longer than what scheduling adds, and short enough to wait for.
const WAIT: Duration = Duration::from_millis(60);

#[track_caller]
fn assert_between(value: Option<Duration>, least: Duration, most: Duration) {
    let value = value.expect("measured");
    // Numbers are whole milliseconds, cut.
    let least = least.saturating_sub(Duration::from_millis(1));
    assert!(least <= value && value <= most, "{value:?} is not in {least:?}..{most:?}");
}

/// Until its own cause first knew; if it is inherited, until its line.
#[test]
fn a_connection_is_open_until_its_own_cause_first_knew() {
    for is_own in [true, false] {
        let (lines, parent, started) = (Lines::default(), Cause::default(), Instant::now());
        let guard = lines.guard().with_cause(parent.child());
        thread::sleep(WAIT);
        let cause = if is_own { guard.cause() } else { parent };
        cause.record(Evidence::Transport, end(DisconnectReason::NetworkError));
        let known = started.elapsed();
        thread::sleep(WAIT);
        // A refinement comes later, and the connection was no longer open.
        cause.record(Evidence::Peer, end(DisconnectReason::ClientClosed));
        drop(guard);
        let (least, most) = if is_own { (WAIT, known) } else { (2 * WAIT, Duration::MAX) };
        assert_between(lines.one().connection_duration(), least, most);
    }
}

/// And of later ones of that peer, once it is gone.
#[test]
fn bytes_are_those_of_the_first_tracked_stream_and_none_without_one() {
    let line = ended(|guard| {
        let bytes = || Cursor::new(vec![0; 1034]);
        let (mut stream, mut second_leg) = (track(&guard, bytes()), track(&guard, bytes()));
        stream.read_exact(&mut [0; 1000]).expect("received");
        stream.write_all(&[0; 30]).expect("sent");
        assert_eq!(stream.write_vectored(&[IoSlice::new(&[0; 4])]).expect("sent"), 4);
        second_leg.read_exact(&mut [0; 500]).expect("received");
        second_leg.write_all(&[0; 500]).expect("sent");
        drop(stream);
        guard.track(bytes(), Initiator::Server).read_exact(&mut [0; 100]).expect("received");
        track(&guard, bytes()).read_exact(&mut [0; 7]).expect("received");
    });
    assert_eq!((line.bytes_received(), line.bytes_sent()), (Some(1007), Some(34)));
    let line = ended(drop);
    assert_eq!((line.bytes_received(), line.bytes_sent(), line.peer_silence()), (None, None, None));
    assert!(line.connection_duration().is_some() && line.clock_jump().is_none());
}

#[test]
fn a_stream_that_never_spoke_gives_no_bytes_and_the_full_silence() {
    let line = ended(|guard| {
        let mut stream = track(&guard, std::io::empty());
        thread::sleep(WAIT);
        assert_eq!(stream.read(&mut []).expect("nothing was asked for"), 0);
    });
    assert_eq!(line.bytes_received(), Some(0));
    assert_eq!(line.peer_silence(), line.connection_duration());
    assert_between(line.peer_silence(), WAIT, Duration::MAX);
}

/// Bytes that never had to wait, a program that is busy after them, and an end of file before the line.
#[tokio::test]
async fn silence_starts_with_the_last_bytes_and_ends_with_the_connection_though_the_program_was_busy() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut client, socket) = tokio::io::duplex(16);
    let lines = Lines::default();
    let guard = lines.guard();
    let mut stream = track(&guard, socket);
    thread::sleep(WAIT);
    client.write_all(b"hello").await.expect("sent");
    let waiting = Instant::now();
    stream.read_exact(&mut [0; 5]).await.expect("there already");
    thread::sleep(WAIT);
    let leave = async {
        tokio::time::sleep(WAIT).await;
        drop(client);
    };
    let mut byte = [0];
    let (end, ()) = tokio::join!(stream.read(&mut byte), leave);
    assert_eq!(end.expect("the end"), 0);
    let silence = waiting.elapsed() + Duration::from_millis(1);
    thread::sleep(WAIT);
    drop(guard);
    let line = lines.one();
    assert_between(line.peer_silence(), 2 * WAIT, silence);
    assert_between(line.connection_duration(), 3 * WAIT, Duration::MAX);
}

#[test]
fn an_end_right_after_bytes_has_no_silence() {
    let line = ended(|guard| {
        thread::sleep(WAIT);
        track(&guard, &b"bytes"[..]).read_to_end(&mut Vec::new()).expect("read");
    });
    assert!(line.peer_silence().is_some_and(|silence| silence < WAIT));
}

#[test]
fn silence_is_that_of_the_nearest_transport_and_no_longer_than_the_connection() {
    let lines = Lines::default();
    let connection = Lines::default().guard();
    let mut stream = track(&connection, &b"hi"[..]);
    stream.read_exact(&mut [0; 2]).expect("read");
    thread::sleep(WAIT);
    drop(lines.guard().with_cause(connection.cause().child()));
    let session = lines.one();
    assert_eq!(session.peer_silence(), session.connection_duration());
    assert_eq!(session.bytes_received(), None);
}

#[test]
fn what_the_site_set_stands_and_the_guard_fills_the_rest() {
    let hour = Duration::from_secs(3600);
    let line = ended(|guard| {
        let _stream = track(&guard, std::io::empty());
        guard.close(end(DisconnectReason::Graceful).with_connection_duration(hour).with_clock_jump(-5));
    });
    assert_eq!((line.connection_duration(), line.clock_jump()), (Some(hour), Some(-5)));
    assert_eq!(line.bytes_received(), Some(0));
}

#[test]
fn facts_are_the_things_own_where_the_cause_is_inherited() {
    let (lines, parent) = (Lines::default(), reported(ConnectType::ServerToAgent));
    let guard = lines.guard().with_cause(parent.child());
    let outage = Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::NetworkError)
        .with_initiator(Initiator::Network)
        .with_exit_code(1)
        .with_bytes(5, 5);
    parent.record(Evidence::Transport, outage);
    // The session's own exit code came with a reason that is refused, and with none at all.
    let late = end(DisconnectReason::ProcessExited).with_exit_code(255);
    guard.cause().record(Evidence::Local, late);
    drop(guard);
    let line = lines.one();
    let expected = "agent_to_client ended by network: network_error (exit code 255, from server_to_agent)";
    assert_eq!(words(&line), expected);
    assert_eq!(line.bytes_received(), None);
}
