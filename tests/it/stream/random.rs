//! Tracked streams beside bare ones: short reads, errors, cancellations.

use std::io::{self, ErrorKind};
use std::task::Poll;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectGuard, TrackedStream, Trigger};
use proptest::prelude::*;
use proptest::sample::select;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::oracle::{EndOfFile, Oracle};
use crate::support::script::{Answer, Call, Scripted, any_answer, any_call};
use crate::support::{Lines, random, tokio_connection, track};

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

/// Bytes of random sizes over real sockets, cut or closed at random: the same bytes arrive, and the same end.
#[test]
fn sockets_under_a_tracked_stream_carry_the_same_bytes_to_the_same_end() {
    let story = (prop::collection::vec(1_usize..3000, 0..12), 1_usize..700, any::<bool>());
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    random::run(100, 2, &story, |(chunks, room, is_reset)| {
        let (client, mut socket) = runtime.block_on(async { tokio_connection() });
        let total: usize = chunks.iter().sum();
        let lines = Lines::default();
        let guard = lines.guard();
        let mut stream = track(&guard, &mut socket);
        let (sent, seen) = runtime.block_on(async {
            tokio::join!(send(client, &chunks, is_reset), receive(&mut stream, room, total))
        });
        sent.expect("sent");
        let end = if is_reset { Err(ErrorKind::ConnectionReset) } else { Ok(0) };
        prop_assert_eq!(seen.expect("received"), (total, end));
        drop(stream);
        drop(guard);
        let line = lines.one();
        let trigger = line.trigger().map(Trigger::as_str);
        prop_assert_eq!(trigger, Some(if is_reset { "reset" } else { "end_of_file" }));
        prop_assert_eq!(line.bytes_received(), Some(total as u64));
        prop_assert_eq!(line.bytes_sent(), Some(1));
        Ok(total > 0)
    });
}

/// Sends, waits for an answer, since a reset throws away what was not read, and leaves.
async fn send(mut client: TcpStream, chunks: &[usize], is_reset: bool) -> io::Result<()> {
    for count in chunks {
        client.write_all(&vec![9; *count]).await?;
    }
    client.read_u8().await?;
    if is_reset {
        SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// Receives so many bytes, answers, and returns how many they were, and the end.
async fn receive(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    room: usize,
    total: usize,
) -> io::Result<(usize, Result<usize, ErrorKind>)> {
    let (mut buffer, mut count) = (vec![0; room], 0);
    while count < total {
        count += stream.read(&mut buffer).await?;
    }
    stream.write_u8(1).await?;
    let end = stream.read(&mut buffer).await;
    Ok((count, end.map_err(|error| error.kind())))
}
