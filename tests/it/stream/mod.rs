//! A tracked stream records how its transport ended, and changes nothing else: over std's traits and tokio's alike.

mod handles;
mod oracle;
mod platforms;
mod random;
mod rules;
mod tokio;

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, TrackedStream, Trigger,
};

use crate::support::script::Answer::{Bytes, Error, Text, Wait};
use crate::support::script::Call::{self, Flush, Read as Reads, Shutdown, Write as Writes};
use crate::support::script::{Answer, Scripted};
use crate::support::{END_OF_FILE, client_closed, known, tracked, tracked_in, words};

type Stream = TrackedStream<Scripted>;
type Configure = fn(Stream) -> Stream;

const PLAIN: Configure = |stream| stream;
const HALF_CLOSE: Configure = |stream| stream.with_half_close();
const GOODBYE: Configure = |stream| stream.with_goodbye();

/// What a cause knows after some calls of a stream that a guard tracks, and then the guard's line; over std's
/// traits and over tokio's, which must agree.
#[track_caller]
fn after(
    configure: Configure,
    presumed: Option<&Disconnect>,
    answers: &[Answer],
    calls: &[Call],
) -> (Option<String>, String) {
    let [blocking, polled] = [false, true].map(|is_polled| {
        let mut line = None;
        let guard = DisconnectGuard::new(AgentToClient, |end| line = Some(words(&end)));
        guard.cause().presume(presumed.cloned());
        let mut stream = configure(crate::support::track(&guard, Scripted::new(answers)));
        for call in calls {
            if is_polled {
                let _ = call.polled(&mut stream);
            } else {
                let _ = call.blocking(&mut stream);
            }
        }
        let known = known(&guard.cause());
        drop(stream);
        drop(guard);
        (known, line.expect("one line"))
    });
    if !calls.contains(&Shutdown) {
        assert_eq!(blocking, polled, "{answers:?} {calls:?}");
    }
    polled
}

/// What a plain stream recorded at its first read.
#[track_caller]
fn read(answer: Answer) -> Option<String> {
    after(PLAIN, None, &[answer], &[Reads(1)]).0
}

#[allow(clippy::unnecessary_wraps)] // what is known, mostly
fn ended(how: &str) -> Option<String> {
    Some(format!("agent_to_client ended{how}"))
}

#[test]
fn an_error_ends_a_connection_unless_a_later_call_may_succeed() {
    let by_network = |how: &str| ended(&format!(" by network: network_error{how}"));
    let rows = [
        (Wait, None),
        (Error(ErrorKind::Interrupted), None),
        (Error(ErrorKind::WouldBlock), None),
        (Error(ErrorKind::TimedOut), None),
        (Text(ErrorKind::TimedOut, "deadline has elapsed"), None),
        (
            Error(ErrorKind::ConnectionReset),
            by_network(" (reset, peer client): read failed: connection reset"),
        ),
        (
            Error(ErrorKind::HostUnreachable),
            by_network(" (unreachable, peer client): read failed: host unreachable"),
        ),
        (Text(ErrorKind::Other, "device gone"), by_network(" (peer client): read failed: device gone")),
        (
            Text(ErrorKind::InvalidData, "bad\nrecord"),
            ended(r": protocol_error (peer client): read failed: bad\nrecord"),
        ),
    ];
    for (answer, expected) in rows {
        assert_eq!(read(answer), expected, "{answer:?}");
    }
}

#[test]
fn what_is_presumed_serves_an_end_of_file_a_reset_and_a_broken_pipe_alone() {
    let client = |how: &str| ended(&format!(" by client: client_closed ({how}"));
    let network = |how: &str| ended(&format!(" by network: network_error ({how}"));
    let rows = [
        (Bytes(0), client("end_of_file, peer client)")),
        (Error(ErrorKind::ConnectionReset), client("reset, peer client): read failed: connection reset")),
        (Error(ErrorKind::BrokenPipe), client("broken_pipe, peer client): read failed: broken pipe")),
        (
            Error(ErrorKind::UnexpectedEof),
            network("end_of_file, peer client): read failed: unexpected end of file"),
        ),
        (
            Error(ErrorKind::ConnectionAborted),
            network("end_of_file, peer client): read failed: connection aborted"),
        ),
    ];
    for (answer, expected) in rows {
        let presumed = client_closed().with_trigger(Trigger::Superseded);
        assert_eq!(after(PLAIN, Some(&presumed), &[answer], &[Reads(1)]).0, expected, "{answer:?}");
    }
}

#[test]
fn a_presumption_keeps_its_detail_and_serves_its_own_cause_alone() {
    let rejected = Disconnect::new(AgentToClient, DisconnectReason::Rejected).with_detail("password refused");
    let (known_after, _) = after(PLAIN, Some(&rejected), &[Error(ErrorKind::ConnectionReset)], &[Reads(1)]);
    assert_eq!(known_after, ended(": rejected (reset, peer client): password refused"));

    let parent = Cause::default();
    parent.presume(client_closed());
    let child = parent.child();
    Reads(1).blocking(&mut tracked_in(&child, Scripted::new(&[Bytes(0)]))).0.expect("the end");
    assert_eq!(known(&child).as_deref(), Some(END_OF_FILE));
}

#[test]
fn the_word_for_an_end_of_file_serves_neither_a_reset_nor_a_drop() {
    let reset = after(GOODBYE, None, &[Error(ErrorKind::ConnectionReset)], &[Reads(1)]).1;
    assert!(
        reset.starts_with("agent_to_client ended by network: network_error (reset, peer client)"),
        "{reset}"
    );
    assert!(after(GOODBYE, None, &[], &[]).1.contains("unknown (dropped)"));
}

#[test]
fn an_end_of_file_means_what_was_presumed_or_what_the_stream_was_given() {
    let presumed = Some(&Disconnect::new(AgentToClient, DisconnectReason::Rejected));
    let goodbye = ended(" by client: client_closed (end_of_file, peer client)");
    let rejected = ended(": rejected (end_of_file, peer client)");
    let rows: [(Configure, _, _); 6] = [
        (PLAIN, None, Some(END_OF_FILE.to_owned())),
        (GOODBYE, None, goodbye),
        (HALF_CLOSE, None, None),
        (PLAIN, presumed, rejected.clone()),
        (GOODBYE, presumed, rejected),
        (HALF_CLOSE, presumed, None),
    ];
    for (row, (configure, presumed, expected)) in rows.into_iter().enumerate() {
        assert_eq!(after(configure, presumed, &[Bytes(0)], &[Reads(1)]).0, expected, "row {row}");
    }
}

#[test]
fn a_half_close_shows_who_stopped_first_and_no_more() {
    let stopped = "agent_to_client ended by client: client_closed (end_of_file, peer client)";
    let answers = [Bytes(0), Error(ErrorKind::ConnectionReset)];
    assert_eq!(after(HALF_CLOSE, None, &answers, &[Reads(1)]).1, stopped);
    let and_its_own_reset_is_nothing_new = after(HALF_CLOSE, None, &answers, &[Reads(1); 2]).1;
    assert_eq!(and_its_own_reset_is_nothing_new, stopped);
    let rejected = Disconnect::new(AgentToClient, DisconnectReason::Rejected);
    let presumed_wins = after(HALF_CLOSE, Some(&rejected), &answers, &[Reads(1)]).1;
    assert_eq!(presumed_wins, "agent_to_client ended: rejected");

    let (stream, cause) = tracked(Scripted::new(&[Bytes(0)]));
    Reads(1).blocking(&mut HALF_CLOSE(stream)).0.expect("the end");
    cause.presume(None);
    let another = Scripted::new(&[Error(ErrorKind::ConnectionReset)]);
    Reads(1).blocking(&mut tracked_in(&cause, another)).0.expect_err("reset");
    let network = ended(" by network: network_error (reset, peer client): read failed: connection reset");
    assert_eq!(known(&cause), network, "another stream's reset");
}

#[test]
fn not_connected_is_weak() {
    let (mut stream, cause) = tracked(Scripted::new(&[Error(ErrorKind::NotConnected)]));
    Reads(1).blocking(&mut stream).0.expect_err("not connected");
    assert!(cause.record(Evidence::Local, client_closed()));
}

#[test]
fn a_read_of_nothing_is_no_end_of_file_and_a_write_of_nothing_no_end() {
    let nothing = [Reads(0), Writes(0), Flush];
    assert_eq!(after(PLAIN, None, &[Bytes(0); 3], &nothing).0, None);
    assert_eq!(read(Bytes(0)).as_deref(), Some(END_OF_FILE));
    let broken = ended(" by network: network_error (broken_pipe, peer client): write failed: write zero");
    assert_eq!(after(PLAIN, None, &[Bytes(0)], &[Writes(1)]).0, broken);

    let (mut stream, cause) = tracked(Scripted::new(&[Bytes(0); 3]));
    assert_eq!(stream.read_vectored(&mut [IoSliceMut::new(&mut [])]).expect("nothing"), 0);
    assert_eq!(stream.write_vectored(&[IoSlice::new(&[])]).expect("nothing"), 0);
    assert_eq!(cause.get(), None);
    let buffers = [IoSlice::new(&[]), IoSlice::new(&[1])];
    assert_eq!(stream.write_vectored(&buffers).expect("unchanged"), 0);
    assert_eq!(known(&cause), broken);

    let (mut stream, cause) = tracked(io::empty());
    assert_eq!(stream.read_vectored(&mut [IoSliceMut::new(&mut [0])]).expect("the end"), 0);
    assert_eq!(known(&cause).as_deref(), Some(END_OF_FILE));
}

#[test]
fn each_operation_that_fails_is_named() {
    for (call, name) in [(Reads(1), "read"), (Writes(1), "write"), (Flush, "flush"), (Shutdown, "shutdown")] {
        let known = after(PLAIN, None, &[Error(ErrorKind::BrokenPipe)], &[call]).0;
        let expected =
            format!(" by network: network_error (broken_pipe, peer client): {name} failed: broken pipe");
        assert_eq!(known, ended(&expected));
    }
    let (mut stream, cause) = tracked(Scripted::new(&[Error(ErrorKind::BrokenPipe)]));
    stream.write_vectored(&[IoSlice::new(&[0])]).expect_err("goes through");
    assert_eq!(cause.get().expect("recorded").detail(), Some("write failed: broken pipe"));
}

#[test]
fn a_stream_that_is_dropped_or_unwrapped_records_nothing() {
    let (stream, cause) = tracked(io::empty());
    drop(stream);
    assert_eq!(cause.get(), None);
    let (stream, cause) = tracked(vec![7]);
    assert_eq!(stream.into_inner(), [7]);
    assert_eq!(cause.get(), None);
}

#[test]
fn what_is_carried_goes_after_the_stream() {
    struct Named<'a>(&'static str, &'a RefCell<Vec<&'static str>>);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let dropped = RefCell::default();
    drop(tracked(Named("stream", &dropped)).0.carrying(Named("guard", &dropped)));
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
