//! Tracked streams beside bare ones: short reads, errors, cancellations.

use std::io;
use std::task::Poll;

use proptest::prelude::*;

use super::script::{Call, Scripted, any_answer, any_call};
use crate::support::{Lines, random, track};

/// What a call gave back: comparable, and with the bytes that were read.
fn outcome((result, buffer): &(io::Result<usize>, Vec<u8>)) -> (Result<usize, String>, &[u8]) {
    (result.as_ref().copied().map_err(|error| format!("{error:?}")), buffer)
}

/// It gives back the same, counts the bytes, and knows an end only after a call that showed one.
#[test]
fn a_stream_changes_nothing_and_counts_what_goes_through() {
    let answers = prop::collection::vec(any_answer(), 0..24);
    let calls = prop::collection::vec(any_call(), 0..24);
    random::run(4_000, 20, &(any::<bool>(), answers, calls), |(is_polled, answers, calls)| {
        let mut bare = Scripted::new(&answers);
        let lines = Lines::default();
        let guard = lines.guard();
        let mut stream = track(&guard, Scripted::new(&answers));
        let (mut received, mut sent, mut cancelled, mut has_ended) = (0, 0, 0, false);
        for call in calls {
            // std has no shutdown of a stream.
            let call = if call == Call::Shutdown && !is_polled { Call::Flush } else { call };
            let (plain, tracked) = if is_polled {
                (call.polled(&mut bare), call.polled(&mut stream))
            } else {
                (Poll::Ready(call.blocking(&mut bare)), Poll::Ready(call.blocking(&mut stream)))
            };
            let (Poll::Ready(plain), Poll::Ready(tracked)) = (&plain, &tracked) else {
                prop_assert!(plain.is_pending() && tracked.is_pending(), "{call:?}");
                cancelled += 1;
                continue;
            };
            prop_assert_eq!(outcome(plain), outcome(tracked), "{:?}", call);
            let (in_or_out, wanted) = match call {
                Call::Read(room) | Call::ReadVectored(room) => (&mut received, room),
                Call::Write(count) | Call::WriteVectored(count) => (&mut sent, count),
                Call::Flush | Call::Shutdown => (&mut 0, 0),
            };
            has_ended |= plain.0.is_err() || wanted > 0 && matches!(plain.0, Ok(0));
            *in_or_out += plain.0.as_ref().map_or(0, |count| *count as u64);
            prop_assert!(has_ended || guard.cause().get().is_none(), "{call:?}");
        }
        prop_assert_eq!(&stream.get_ref().written, &bare.written);
        let knows = guard.cause().get().is_some();
        drop(stream);
        drop(guard);
        let line = lines.one();
        prop_assert_eq!((line.bytes_received(), line.bytes_sent()), (Some(received), Some(sent)));
        Ok(knows && received > 0 && (cancelled > 0 || !is_polled))
    });
}
