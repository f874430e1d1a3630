//! A tracked stream records how its transport ended, and changes nothing else.

#[path = "support/words.rs"]
mod words;

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream,
    Trigger,
};
use words::words;

const END_OF_FILE: &str = "agent_to_client ended by network: network_error (end_of_file)";

fn tracked<S>(stream: S) -> (TrackedStream<S>, Cause) {
    let cause = Cause::default();
    let stream = TrackedStream::new(stream, AgentToClient, cause.clone());
    (stream, cause)
}

fn known(cause: &Cause) -> Option<String> {
    cause.get().as_ref().map(words)
}

fn client_closed() -> Disconnect {
    Disconnect::closed_by(AgentToClient, Initiator::Client)
}

/// Answers each call with the next of some results.
struct Script(Vec<io::Result<usize>>);

impl Script {
    fn failing(error: io::Error) -> Self {
        Self(vec![Err(error)])
    }

    fn next(&mut self) -> io::Result<usize> {
        self.0.remove(0)
    }
}

impl Read for Script {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.next()
    }
}

impl Write for Script {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.next()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.next().map(drop)
    }
}

#[test]
fn an_error_ends_a_connection_unless_a_later_call_may_succeed() {
    let rows: [(io::Error, Option<&str>); 8] = [
        (ErrorKind::Interrupted.into(), None),
        (ErrorKind::WouldBlock.into(), None),
        (ErrorKind::TimedOut.into(), None),
        (
            io::Error::new(ErrorKind::TimedOut, "deadline has elapsed"),
            None,
        ),
        (
            ErrorKind::ConnectionReset.into(),
            Some("by network: network_error (reset): read failed: connection reset"),
        ),
        (
            ErrorKind::HostUnreachable.into(),
            Some("by network: network_error (unreachable): read failed: host unreachable"),
        ),
        (
            io::Error::other("device gone"),
            Some("by network: network_error: read failed: device gone"),
        ),
        (
            io::Error::new(ErrorKind::InvalidData, "bad\nrecord"),
            Some(": protocol_error: read failed: bad\\nrecord"),
        ),
    ];
    for (error, expected) in rows {
        let text = error.to_string();
        let (mut stream, cause) = tracked(Script::failing(error));
        let seen = stream.read(&mut [0]).expect_err("the stream's own error");
        assert_eq!(seen.to_string(), text);
        let expected =
            expected.map(|end| format!("agent_to_client ended {end}").replace(" :", ":"));
        assert_eq!(known(&cause), expected, "{text}");
    }
}

#[test]
fn what_is_presumed_serves_an_end_of_file_a_reset_and_a_broken_pipe_alone() {
    let client =
        |trigger: &str| format!("agent_to_client ended by client: client_closed ({trigger})");
    let rows: [(io::Result<usize>, String); 5] = [
        (Ok(0), client("end_of_file")),
        (
            Err(ErrorKind::ConnectionReset.into()),
            client("reset") + ": read failed: connection reset",
        ),
        (
            Err(ErrorKind::BrokenPipe.into()),
            client("broken_pipe") + ": read failed: broken pipe",
        ),
        (
            Err(ErrorKind::UnexpectedEof.into()),
            END_OF_FILE.to_owned() + ": read failed: unexpected end of file",
        ),
        (
            Err(ErrorKind::ConnectionAborted.into()),
            "agent_to_client ended by network: network_error (aborted): \
             read failed: connection aborted"
                .to_owned(),
        ),
    ];
    for (result, expected) in rows {
        let given = format!("{result:?}");
        let (mut stream, cause) = tracked(Script(vec![result]));
        cause.presume(client_closed().with_trigger(Trigger::Superseded));
        let _ = stream.read(&mut [0]);
        assert_eq!(known(&cause), Some(expected), "{given}");
    }
}

#[test]
fn a_presumption_keeps_its_detail_and_serves_its_own_cause_alone() {
    let (mut stream, cause) = tracked(Script::failing(ErrorKind::ConnectionReset.into()));
    let rejected = Disconnect::new(AgentToClient, DisconnectReason::Rejected);
    cause.presume(rejected.with_detail("password refused"));
    let _ = stream.read(&mut [0]);
    let expected = "agent_to_client ended: rejected (reset): password refused";
    assert_eq!(known(&cause).as_deref(), Some(expected));

    let parent = Cause::default();
    parent.presume(client_closed());
    let mut stream = TrackedStream::new(io::empty(), AgentToClient, parent.child());
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    assert_eq!(known(&stream.cause()).as_deref(), Some(END_OF_FILE));
}

#[test]
fn the_word_for_an_end_of_file_serves_neither_a_reset_nor_a_drop() {
    let (reason, who) = (DisconnectReason::ClientClosed, Initiator::Client);
    let rows: [(Vec<io::Result<usize>>, Trigger); 2] = [
        (vec![Err(ErrorKind::ConnectionReset.into())], Trigger::Reset),
        (vec![], Trigger::Dropped),
    ];
    for (results, trigger) in rows {
        let mut line = None;
        let guard = DisconnectGuard::new(AgentToClient, |end| line = Some(end));
        let is_read = !results.is_empty();
        let mut stream = guard.track(Script(results)).with_end_of_file(reason, who);
        if is_read {
            stream.read(&mut [0]).expect_err("reset");
        }
        drop(stream);
        drop(guard);
        let line = line.expect("one line");
        assert_eq!((line.expected(), line.trigger()), (false, Some(trigger)));
    }
}

type Configure = fn(TrackedStream<io::Empty>) -> TrackedStream<io::Empty>;

#[test]
fn an_end_of_file_means_what_was_presumed_or_what_the_stream_was_given() {
    let graceful = |stream: TrackedStream<io::Empty>| {
        stream.with_end_of_file(DisconnectReason::Graceful, Initiator::Unknown)
    };
    let half_close = |stream: TrackedStream<io::Empty>| stream.with_half_close(Initiator::Client);
    let rows: [(Configure, bool, Option<&str>); 6] = [
        (|stream| stream, false, Some(END_OF_FILE)),
        (
            graceful,
            false,
            Some("agent_to_client ended: graceful (end_of_file)"),
        ),
        (half_close, false, None),
        (
            |stream| stream,
            true,
            Some("agent_to_client ended by client: client_closed (end_of_file)"),
        ),
        (
            graceful,
            true,
            Some("agent_to_client ended by client: client_closed (end_of_file)"),
        ),
        (half_close, true, None),
    ];
    for (configure, is_presumed, expected) in rows {
        let (stream, cause) = tracked(io::empty());
        if is_presumed {
            cause.presume(client_closed());
        }
        let read = configure(stream).read(&mut [0]);
        assert_eq!(read.expect("the end"), 0);
        assert_eq!(known(&cause).as_deref(), expected);
    }
}

/// The line of a guard whose one stream reads and writes by a script.
fn line_after(
    results: Vec<io::Result<usize>>,
    story: impl FnOnce(&Cause, &mut dyn FnMut()),
) -> String {
    let mut line = None;
    let guard = DisconnectGuard::new(AgentToClient, |end| line = Some(words(&end)));
    let mut stream = guard
        .track(Script(results))
        .with_half_close(Initiator::Client);
    story(&guard.cause(), &mut || drop(stream.read(&mut [0])));
    drop(guard);
    line.expect("one line")
}

#[test]
fn a_half_close_shows_who_stopped_first_and_no_more() {
    let stopped = "agent_to_client ended by client: client_closed (end_of_file)";
    let reset = || Err(ErrorKind::ConnectionReset.into());
    let alone = line_after(vec![Ok(0)], |_, read| read());
    assert_eq!(alone, stopped);
    let and_its_own_reset_is_nothing_new = line_after(vec![Ok(0), reset()], |_, read| {
        read();
        read();
    });
    assert_eq!(and_its_own_reset_is_nothing_new, stopped);
    let presume_none_leaves_it = line_after(vec![Ok(0)], |cause, read| {
        read();
        cause.presume(None);
    });
    assert_eq!(presume_none_leaves_it, stopped);
    let presume_wins = line_after(vec![Ok(0)], |cause, read| {
        cause.presume(Disconnect::new(AgentToClient, DisconnectReason::Rejected));
        read();
    });
    assert_eq!(presume_wins, "agent_to_client ended: rejected");
    let another_streams_reset = line_after(vec![Ok(0)], |cause, read| {
        read();
        let script = Script(vec![Err(ErrorKind::ConnectionReset.into())]);
        let _ = TrackedStream::new(script, AgentToClient, cause.clone()).read(&mut [0]);
    });
    let network = "agent_to_client ended by network: network_error (reset): \
                   read failed: connection reset";
    assert_eq!(another_streams_reset, network);
}

#[test]
fn not_connected_is_weak() {
    let (mut stream, cause) = tracked(Script::failing(ErrorKind::NotConnected.into()));
    let _ = stream.read(&mut [0]);
    assert!(cause.record(Evidence::Local, client_closed()));
}

#[test]
fn a_read_of_nothing_is_no_end_of_file() {
    let (mut stream, cause) = tracked(io::empty());
    assert_eq!(stream.read(&mut []).expect("nothing"), 0);
    let nothing = &mut [IoSliceMut::new(&mut [])];
    assert_eq!(stream.read_vectored(nothing).expect("nothing"), 0);
    assert_eq!(cause.get(), None);
    let mut byte = [0];
    let something = &mut [IoSliceMut::new(&mut byte)];
    assert_eq!(stream.read_vectored(something).expect("the end"), 0);
    assert_eq!(known(&cause).as_deref(), Some(END_OF_FILE));
}

#[test]
fn a_write_that_takes_nothing_ends_the_connection() {
    let broken = "agent_to_client ended by network: network_error (broken_pipe): \
                  write failed: write zero";
    let (mut stream, cause) = tracked(Script(vec![Ok(0), Ok(0), Ok(0)]));
    assert_eq!(stream.write(&[]).expect("nothing"), 0);
    assert_eq!(
        stream
            .write_vectored(&[IoSlice::new(&[])])
            .expect("nothing"),
        0
    );
    assert_eq!(cause.get(), None);
    assert_eq!(stream.write(&[1]).expect("unchanged"), 0);
    assert_eq!(known(&cause).as_deref(), Some(broken));

    let (mut stream, cause) = tracked(Script(vec![Ok(0)]));
    let buffers = [IoSlice::new(&[]), IoSlice::new(&[1])];
    assert_eq!(stream.write_vectored(&buffers).expect("unchanged"), 0);
    assert_eq!(known(&cause).as_deref(), Some(broken));
}

#[test]
fn each_operation_that_fails_is_named() {
    type Operation = fn(&mut TrackedStream<Script>) -> bool;
    let rows: [(Operation, &str); 4] = [
        (
            |stream| stream.read(&mut [0]).is_err(),
            "read failed: broken pipe",
        ),
        (
            |stream| stream.write(&[0]).is_err(),
            "write failed: broken pipe",
        ),
        (
            |stream| stream.write_vectored(&[IoSlice::new(&[0])]).is_err(),
            "write failed: broken pipe",
        ),
        (
            |stream| stream.flush().is_err(),
            "flush failed: broken pipe",
        ),
    ];
    for (operation, expected) in rows {
        let (mut stream, cause) = tracked(Script::failing(ErrorKind::BrokenPipe.into()));
        assert!(operation(&mut stream), "the error goes through");
        assert_eq!(cause.get().expect("recorded").detail(), Some(expected));
    }
}

#[test]
fn a_stream_that_is_dropped_or_unwrapped_records_nothing() {
    let (stream, cause) = tracked(io::empty());
    drop(stream);
    assert_eq!(cause.get(), None);
    let (stream, cause) = tracked(vec![7]);
    assert_eq!(stream.into_inner(), [7]);
    assert_eq!(cause.get(), None);
    let (stream, cause) = tracked(vec![7]);
    assert_eq!(stream.carrying("value").into_parts(), (vec![7], "value"));
    assert_eq!(cause.get(), None);
}

#[test]
fn what_is_carried_goes_after_the_stream() {
    use std::cell::RefCell;
    struct Named<'a>(&'static str, &'a RefCell<Vec<&'static str>>);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let dropped = RefCell::default();
    drop(
        tracked(Named("stream", &dropped))
            .0
            .carrying(Named("guard", &dropped)),
    );
    assert_eq!(*dropped.borrow(), ["stream", "guard"]);
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
