//! A tracked stream records how its transport ended, and changes nothing else: over std's traits and tokio's alike.

mod handles;
mod platforms;
mod random;
mod rules;
mod script;
mod tokio;

use std::cell::RefCell;
use std::io::ErrorKind;

use disconnect_attribution::{Cause, Disconnect, DisconnectReason, TrackedStream, Trigger};

use self::script::Answer::{Bytes, Error, Text, Wait};
use self::script::Call::{
    self, Flush, Read as Reads, ReadVectored, Shutdown, Write as Writes, WriteVectored,
};
use self::script::{Answer, Scripted};
use crate::support::{END_OF_FILE, client_closed, end, known, line, track, tracked, tracked_in};

const RESET: Answer = Error(ErrorKind::ConnectionReset);
const BROKEN: Answer = Error(ErrorKind::BrokenPipe);
const CUT: Answer = Error(ErrorKind::UnexpectedEof);
const ABORTED: Answer = Error(ErrorKind::ConnectionAborted);
const GARBAGE: Answer = Error(ErrorKind::InvalidData);
const UNCONNECTED: Answer = Error(ErrorKind::NotConnected);

type Stream = TrackedStream<Scripted>;
type Meaning = fn(Stream) -> Stream;

const BROKEN_PIPE: &str = "agent_to_client ended by network: network_error (broken_pipe, peer client): ";

/// What a cause knows after some calls of a stream in it, over std's traits and over tokio's, which must agree.
#[track_caller]
fn after(presumed: Option<&Disconnect>, answers: &[Answer], calls: &[Call]) -> Option<String> {
    let [blocking, polled] = [false, true].map(|is_polled| {
        let (mut stream, cause) = tracked(Scripted::new(answers));
        cause.presume(presumed.cloned());
        for call in calls {
            if is_polled {
                let _ = call.polled(&mut stream);
            } else {
                let _ = call.blocking(&mut stream);
            }
        }
        known(&cause)
    });
    assert!(blocking == polled || calls.contains(&Shutdown), "{answers:?} {calls:?}: {blocking:?}");
    polled
}

/// What a stream recorded at its first read.
#[track_caller]
fn read(answer: Answer) -> Option<String> {
    after(None, &[answer], &[Reads(1)])
}

#[test]
fn an_error_ends_a_connection_unless_a_later_call_may_succeed() {
    for answer in [
        Wait,
        Error(ErrorKind::Interrupted),
        Error(ErrorKind::WouldBlock),
        Error(ErrorKind::TimedOut),
        Text(ErrorKind::TimedOut, "deadline has elapsed"),
    ] {
        assert_eq!(read(answer), None, "{answer:?}");
    }
    let rows = [
        (RESET, " by network: network_error (reset, ", "connection reset"),
        (Error(ErrorKind::HostUnreachable), " by network: network_error (unreachable, ", "host unreachable"),
        (Text(ErrorKind::Other, "device gone"), " by network: network_error (", "device gone"),
        (Text(ErrorKind::InvalidData, "bad\nrecord"), ": protocol_error (", r"bad\nrecord"),
    ];
    for (answer, how, text) in rows {
        let expected = format!("agent_to_client ended{how}peer client): read failed: {text}");
        assert_eq!(read(answer), Some(expected));
    }
}

#[test]
fn what_is_presumed_serves_an_end_of_file_a_reset_and_a_broken_pipe_alone() {
    let rows = [
        (Bytes(0), "client: client_closed (end_of_file, ", ""),
        (RESET, "client: client_closed (reset, ", ": read failed: connection reset"),
        (BROKEN, "client: client_closed (broken_pipe, ", ": read failed: broken pipe"),
        (CUT, "network: network_error (end_of_file, ", ": read failed: unexpected end of file"),
        (ABORTED, "network: network_error (end_of_file, ", ": read failed: connection aborted"),
    ];
    for (answer, who, text) in rows {
        let presumed = client_closed().with_trigger(Trigger::Superseded);
        let known = after(Some(&presumed), &[answer], &[Reads(1)]);
        assert_eq!(known, Some(format!("agent_to_client ended by {who}peer client){text}")));
    }
}

#[test]
fn a_presumption_keeps_its_detail_and_serves_its_own_cause_alone() {
    let rejected = end(DisconnectReason::Rejected).with_detail("password refused");
    let known_after = after(Some(&rejected), &[RESET], &[Reads(1)]);
    let expected = "agent_to_client ended: rejected (reset, peer client): password refused";
    assert_eq!(known_after.as_deref(), Some(expected));

    let parent = Cause::default();
    parent.presume(client_closed());
    let child = parent.child();
    Reads(1).blocking(&mut tracked_in(&child, Scripted::new(&[Bytes(0)]))).0.expect("the end");
    assert_eq!(known(&child).as_deref(), Some(END_OF_FILE));
}

/// The line after a story of more than one step: what comes later says nothing new, or refutes an assumption.
#[test]
fn an_end_is_the_first_of_a_stream_unless_it_was_assumed_and_refuted() {
    let (plain, goodbye, half): (Meaning, Meaning, Meaning) =
        (|stream| stream, Stream::with_goodbye, Stream::with_half_close);
    let read_twice: &[Call] = &[Reads(1), Reads(1)];
    let client = " by client: client_closed (end_of_file, peer client)";
    let network = " by network: network_error (end_of_file, peer client)";
    let graceful = " by agent: graceful";
    let dropped = ": unknown (dropped): no cause was recorded: cancelled task or early return";
    let garbage = ": protocol_error (end_of_file, peer client): read failed: invalid data";
    let cut = format!("{network}: read failed: unexpected end of file");
    let rows: [(Meaning, &[Answer], &[Call], &str); 18] = [
        (half, &[Bytes(0), RESET], read_twice, client),
        (half, &[Bytes(0), BROKEN], &[Reads(1), Writes(1)], client),
        (half, &[Bytes(0), Bytes(0)], &[Reads(1), Shutdown], client),
        (half, &[Bytes(0), Bytes(0)], &[Shutdown, Reads(1)], graceful),
        (plain, &[Bytes(0), Bytes(0)], &[Shutdown, Reads(1)], graceful),
        // A shutdown that was cancelled, since the peer takes no bytes any more, is no end in good order.
        (plain, &[Wait], &[Shutdown], dropped),
        (plain, &[Bytes(0)], &[Shutdown], graceful),
        // It can be answered from its beginning; an end of file does that, unless something was written after it.
        (plain, &[Wait, Bytes(0)], &[Shutdown, Reads(1)], graceful),
        (plain, &[UNCONNECTED, Bytes(0)], &[Shutdown, Reads(1)], graceful),
        (plain, &[UNCONNECTED], &[Shutdown], graceful),
        // A write after this side's own shutdown fails, whatever the peer does.
        (plain, &[Bytes(0), BROKEN], &[Shutdown, Writes(1)], graceful),
        (plain, &[Bytes(0), Bytes(1), Bytes(0)], &[Shutdown, Writes(1), Reads(1)], network),
        (plain, &[Bytes(0), RESET], read_twice, network),
        (plain, &[Bytes(0), GARBAGE], read_twice, network),
        (plain, &[UNCONNECTED, Bytes(0)], read_twice, network),
        (goodbye, &[Bytes(0), RESET], read_twice, client),
        (goodbye, &[Bytes(0), CUT], read_twice, &cut),
        (goodbye, &[Bytes(0), GARBAGE], read_twice, garbage),
    ];
    for (row, (meaning, answers, calls, expected)) in rows.into_iter().enumerate() {
        let line = line(|guard| {
            let mut stream = meaning(track(&guard, Scripted::new(answers)));
            for call in calls {
                let _ = call.polled(&mut stream);
            }
        });
        assert_eq!(line, format!("agent_to_client ended{expected}"), "row {row}");
    }
}

#[test]
fn a_read_of_nothing_is_no_end_of_file_and_a_write_of_nothing_no_end() {
    let nothing = [Reads(0), ReadVectored(0), Writes(0), WriteVectored(0), Flush];
    assert_eq!(after(None, &[Bytes(0); 5], &nothing), None);
    let broken = &format!("{BROKEN_PIPE}write failed: write zero");
    for (read, write) in [(Reads(1), Writes(1)), (ReadVectored(1), WriteVectored(1))] {
        assert_eq!(after(None, &[Bytes(0)], &[read]).as_deref(), Some(END_OF_FILE));
        assert_eq!(after(None, &[Bytes(0)], &[write]).as_ref(), Some(broken));
    }
}

#[test]
fn each_operation_that_fails_is_named() {
    for (call, name) in [
        (Reads(1), "read"),
        (ReadVectored(1), "read"),
        (Writes(1), "write"),
        (WriteVectored(1), "write"),
        (Flush, "flush"),
        (Shutdown, "shutdown"),
    ] {
        let known = after(None, &[BROKEN], &[call]);
        assert_eq!(known, Some(format!("{BROKEN_PIPE}{name} failed: broken pipe")));
    }
}

#[test]
fn a_stream_that_is_dropped_or_unwrapped_records_nothing_and_what_it_carries_goes_after_it() {
    struct Named<'a>(&'static str, &'a RefCell<Vec<&'static str>>);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let dropped = RefCell::default();
    let (stream, cause) = tracked(Named("stream", &dropped));
    drop(stream.carrying(Named("guard", &dropped)));
    assert_eq!(*dropped.borrow(), ["stream", "guard"]);
    assert_eq!(tracked_in(&cause, [7]).into_inner(), [7]);
    assert_eq!(cause.get(), None);
}
