//! Tracked streams beside bare ones: short reads, errors, cancellations.

use std::io;
use std::task::Poll;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectGuard, TrackedStream};
use proptest::prelude::*;
use proptest::sample::select;

use super::oracle::{EndOfFile, Oracle};
use super::script::{Answer, Call, Scripted, any_answer, any_call};
use crate::support::{Lines, random, track};

/// What a call gave back: comparable, and with the bytes that were read.
fn outcome((result, buffer): &(io::Result<usize>, Vec<u8>)) -> (Result<usize, String>, &[u8]) {
    (result.as_ref().copied().map_err(|error| format!("{error:?}")), buffer)
}

/// A line of a guard whose stream lived through it.
struct Tracked {
    guard: DisconnectGuard,
    lines: Lines,
    stream: TrackedStream<Scripted>,
}

impl Tracked {
    fn new(answers: &[Answer], meaning: EndOfFile) -> Self {
        let lines = Lines::default();
        let guard = lines.guard();
        let stream = track(&guard, Scripted::new(answers));
        let stream = match meaning {
            EndOfFile::Breaks => stream,
            EndOfFile::Goodbye => stream.with_goodbye(),
            EndOfFile::Stops => stream.with_half_close(),
        };
        Self { guard, lines, stream }
    }

    fn presume(&self, call: Call) {
        if let Call::Presume(reason) = call {
            let end = reason.map(|reason| Disconnect::new(AgentToClient, reason));
            self.guard.cause().presume(end);
        }
    }

    /// Holds what is known, and then the line, against what the docs make of the calls.
    fn agrees_with(self, oracle: &Oracle, bare: &Scripted) -> Result<(), TestCaseError> {
        let Self { guard, lines, stream } = self;
        prop_assert_eq!(&stream.get_ref().written, &bare.written);
        let found = guard.cause().get().map(|end| (end.reason(), end.trigger()));
        prop_assert_eq!(found, oracle.known);
        drop(stream);
        drop(guard);
        let line = lines.one();
        prop_assert_eq!((line.reason(), line.trigger()), oracle.line());
        let (received, sent) = (line.bytes_received(), line.bytes_sent());
        prop_assert_eq!((received, sent), (Some(oracle.received), Some(oracle.sent)));
        Ok(())
    }
}

fn any_story() -> impl Strategy<Value = (EndOfFile, Vec<Answer>, Vec<Call>)> {
    let meanings = [EndOfFile::Breaks, EndOfFile::Goodbye, EndOfFile::Stops];
    let answers = prop::collection::vec(any_answer(), 0..24);
    let calls = prop::collection::vec(any_call(), 0..24);
    (select(meanings.to_vec()), answers, calls)
}

#[test]
fn a_stream_changes_nothing_and_records_what_the_docs_say() {
    random::run(4_000, 20, &(any::<bool>(), any_story()), |(is_polled, (meaning, answers, calls))| {
        let mut bare = Scripted::new(&answers);
        let mut tracked = Tracked::new(&answers, meaning);
        let mut oracle = Oracle::new(meaning);
        let mut cancelled = 0;
        for call in calls {
            // std has no shutdown of a stream.
            let call = if call == Call::Shutdown && !is_polled { Call::Flush } else { call };
            tracked.presume(call);
            oracle.begins(call);
            let stream = &mut tracked.stream;
            let (plain, other) = if is_polled {
                (call.polled(&mut bare), call.polled(stream))
            } else {
                (Poll::Ready(call.blocking(&mut bare)), Poll::Ready(call.blocking(stream)))
            };
            match (plain, other) {
                (Poll::Pending, Poll::Pending) => cancelled += 1,
                (Poll::Ready(plain), Poll::Ready(other)) => {
                    prop_assert_eq!(outcome(&plain), outcome(&other), "{:?}", call);
                    oracle.saw(call, &plain.0);
                }
                (plain, other) => prop_assert!(false, "{call:?}: {plain:?}, tracked {other:?}"),
            }
        }
        tracked.agrees_with(&oracle, &bare)?;
        Ok(oracle.known.is_some() && oracle.received > 0 && (cancelled > 0 || !is_polled))
    });
}
