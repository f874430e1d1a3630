//! Tracked streams beside bare ones: short reads, errors, cancellations.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Disconnect, DisconnectGuard, DisconnectReason, Initiator, TrackedStream, Trigger,
};
use proptest::prelude::*;
use proptest::sample::select;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::long;
use crate::oracle::{EndOfFile, Oracle};
use crate::script::{Answer, Call, Scripted, any_answer, any_call};

/// What a call gave back: comparable, and with the bytes that were read.
type Outcome = (Result<usize, String>, Vec<u8>);

fn outcome(result: &io::Result<usize>, buffer: Vec<u8>) -> Outcome {
    let result = match result {
        Ok(count) => Ok(*count),
        Err(error) => Err(format!("{error:?}")),
    };
    (result, buffer)
}

fn blocking(stream: &mut (impl Read + Write), call: Call) -> (io::Result<usize>, Vec<u8>) {
    match call {
        Call::Read(room) => {
            let mut buffer = vec![0; room];
            (stream.read(&mut buffer), buffer)
        }
        Call::Write(count) => (stream.write(&vec![7; count]), Vec::new()),
        Call::Flush | Call::Shutdown => (stream.flush().map(|()| 0), Vec::new()),
        Call::Presume(_) => (Ok(0), Vec::new()),
    }
}

/// Polls once: a call that waits is cancelled, as a `select!` cancels it.
fn polled<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    call: Call,
) -> Poll<(io::Result<usize>, Vec<u8>)> {
    let mut buffer = match call {
        Call::Read(room) => vec![0; room],
        Call::Write(_) | Call::Flush | Call::Shutdown | Call::Presume(_) => Vec::new(),
    };
    let bytes = match call {
        Call::Write(count) => vec![7; count],
        Call::Read(_) | Call::Flush | Call::Shutdown | Call::Presume(_) => Vec::new(),
    };
    let result = {
        let mut future: Pin<Box<dyn Future<Output = io::Result<usize>>>> = match call {
            Call::Read(_) => Box::pin(stream.read(&mut buffer)),
            Call::Write(_) => Box::pin(stream.write(&bytes)),
            Call::Flush => Box::pin(async { stream.flush().await.map(|()| 0) }),
            Call::Shutdown => Box::pin(async { stream.shutdown().await.map(|()| 0) }),
            Call::Presume(_) => Box::pin(async { Ok(0) }),
        };
        let mut context = Context::from_waker(Waker::noop());
        future.as_mut().poll(&mut context)
    };
    result.map(|result| (result, buffer))
}

/// A line of a guard whose stream lived through it.
struct Tracked {
    guard: DisconnectGuard,
    line: std::sync::mpsc::Receiver<Disconnect>,
    stream: TrackedStream<Scripted>,
}

impl Tracked {
    fn new(answers: &[Answer], meaning: EndOfFile) -> Self {
        let (emit, line) = std::sync::mpsc::channel();
        let guard = DisconnectGuard::boxed(AgentToClient, move |end| {
            emit.send(end).expect("received");
        });
        let stream = guard.track(Scripted::new(answers));
        let client = Initiator::Client;
        let stream = match meaning {
            EndOfFile::Breaks => stream,
            EndOfFile::Goodbye => stream.with_end_of_file(DisconnectReason::ClientClosed, client),
            EndOfFile::Stops => stream.with_half_close(client),
        };
        Self {
            guard,
            line,
            stream,
        }
    }

    fn presume(&self, call: Call) {
        if let Call::Presume(reason) = call {
            let end = reason.map(|reason| Disconnect::new(AgentToClient, reason));
            self.guard.cause().presume(end);
        }
    }

    /// Holds what is known, and then the line, against what the docs make of the calls.
    fn agrees_with(self, oracle: &Oracle, bare: &Scripted) -> Result<(), TestCaseError> {
        let Self {
            guard,
            line,
            stream,
        } = self;
        prop_assert_eq!(&stream.get_ref().written, &bare.written);
        let found = guard.cause().get().map(|end| (end.reason(), end.trigger()));
        prop_assert_eq!(found, oracle.shown());
        drop(stream);
        drop(guard);
        let line = line.recv().expect("one line");
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
#[ignore = "long"]
fn a_blocking_stream_changes_nothing_and_records_what_the_docs_say() {
    long::run(&any_story(), |(meaning, answers, calls)| {
        let mut bare = Scripted::new(&answers);
        let mut tracked = Tracked::new(&answers, meaning);
        let mut oracle = Oracle::new(meaning);
        for call in calls {
            // std has no shutdown of a stream.
            let call = if call == Call::Shutdown {
                Call::Flush
            } else {
                call
            };
            tracked.presume(call);
            let (plain, buffer) = blocking(&mut bare, call);
            let (result, read) = blocking(&mut tracked.stream, call);
            prop_assert_eq!(
                outcome(&result, read),
                outcome(&plain, buffer),
                "{:?}",
                call
            );
            oracle.saw(call, &plain);
        }
        tracked.agrees_with(&oracle, &bare)?;
        Ok(oracle.known.is_some() && oracle.received > 0)
    });
}

#[test]
#[ignore = "long"]
fn an_asynchronous_stream_changes_nothing_and_records_what_the_docs_say() {
    long::run(&any_story(), |(meaning, answers, calls)| {
        let mut bare = Scripted::new(&answers);
        let mut tracked = Tracked::new(&answers, meaning);
        let mut oracle = Oracle::new(meaning);
        let mut cancelled = 0;
        for call in calls {
            tracked.presume(call);
            match (polled(&mut bare, call), polled(&mut tracked.stream, call)) {
                (Poll::Pending, Poll::Pending) => cancelled += 1,
                (Poll::Ready((plain, buffer)), Poll::Ready((result, read))) => {
                    prop_assert_eq!(
                        outcome(&result, read),
                        outcome(&plain, buffer),
                        "{:?}",
                        call
                    );
                    oracle.saw(call, &plain);
                }
                (plain, other) => prop_assert!(false, "{call:?}: {plain:?}, tracked {other:?}"),
            }
        }
        tracked.agrees_with(&oracle, &bare)?;
        Ok(oracle.known.is_some() && oracle.received > 0 && cancelled > 0)
    });
}

/// Bytes of random sizes over real sockets, cut or closed at random: the same bytes arrive, and the same end.
#[test]
#[ignore = "long"]
fn sockets_under_a_tracked_stream_carry_the_same_bytes_to_the_same_end() {
    let story = (
        prop::collection::vec(1_usize..3000, 0..12),
        1_usize..700,
        any::<bool>(),
    );
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    long::run(&story, |(chunks, room, is_reset)| {
        let (client, mut socket) = runtime.block_on(connection())?;
        let total: usize = chunks.iter().sum();
        let (emit, line) = std::sync::mpsc::channel();
        let guard = DisconnectGuard::boxed(AgentToClient, move |end| drop(emit.send(end)));
        let mut stream = guard.track(&mut socket);
        let (sent, seen) = runtime.block_on(async {
            tokio::join!(
                send(client, &chunks, is_reset),
                receive(&mut stream, room, total)
            )
        });
        sent.expect("sent");
        let end = if is_reset {
            Err(ErrorKind::ConnectionReset)
        } else {
            Ok(0)
        };
        prop_assert_eq!(seen.expect("received"), (total, end));
        drop(stream);
        drop(guard);
        let line = line.recv().expect("one line");
        let trigger = line.trigger().map(Trigger::as_str);
        prop_assert_eq!(
            trigger,
            Some(if is_reset { "reset" } else { "end_of_file" })
        );
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

async fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}
