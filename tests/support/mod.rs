//! What tests share: records, guards whose lines are collected, tracked streams, sockets, loggers, random values.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::{
    Cause, CloseCode, ConnectionMethod, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    TrackedStream, Trigger,
};
use socket2::SockRef;

mod lines;
pub(crate) mod random;
pub(crate) mod respawned;
mod sink;
pub(crate) mod strategies;
mod words;

pub(crate) use lines::{Lines, end};
pub(crate) use sink::{Sink, json_text};
pub(crate) use words::words;

/// A connection without a word, as [`words`] prints it.
pub(crate) const END_OF_FILE: &str =
    "agent_to_client ended by network: network_error (end_of_file, peer client)";
/// A guard that is dropped and knows nothing.
pub(crate) const DROPPED: &str = "agent_to_client ended: unknown (dropped): \
                                  no cause was recorded: cancelled task or early return";
pub(crate) const PANICKED: &str = "agent_to_client ended: unknown (panic): ended by a panic";

/// A record with the two fields that every line has.
pub(crate) fn bare() -> Disconnect {
    Disconnect::new(ServerToAgent, DisconnectReason::Graceful)
}

/// A record with every field. The origin has no setter: a guard sets it when the cause is a parent's.
pub(crate) fn full() -> Disconnect {
    let parent = reported(ServerToAgent);
    parent.record(
        Evidence::Local,
        Disconnect::new(ServerToAgent, DisconnectReason::ProcessExited)
            .with_initiator(Initiator::Agent)
            .with_peer(Initiator::Client)
            .with_trigger(Trigger::MaxAge)
            .with_code(CloseCode::Ssh(11))
            .with_detail("process exited with error status: 7"),
    );
    inherited(
        &parent,
        AgentToClient,
        bare()
            .with_exit_code(7)
            .with_connection_method(ConnectionMethod::Direct)
            .with_connection_duration(Duration::from_millis(61_234))
            .with_peer_silence(Duration::from_secs(60))
            .with_bytes(u64::MAX, 0)
            .with_clock_jump(-3_600_000),
    )
}

/// A cause that has a line.
pub(crate) fn reported(layer: disconnect_attribution::ConnectType) -> Cause {
    let guard = DisconnectGuard::new(layer, drop);
    let cause = guard.cause();
    guard.finish();
    cause
}

/// The line of a guard below a cause that knows, which is closed with a record: refused, but for its facts.
pub(crate) fn inherited(
    parent: &Cause,
    layer: disconnect_attribution::ConnectType,
    facts: Disconnect,
) -> Disconnect {
    let mut line = None;
    let guard = DisconnectGuard::new(layer, |end| line = Some(end)).with_cause(parent.child());
    guard.close(facts);
    line.expect("one line")
}

/// An end of the data plane that the network caused.
pub(crate) fn network_error() -> Disconnect {
    end(DisconnectReason::NetworkError).with_initiator(Initiator::Network)
}

pub(crate) fn client_closed() -> Disconnect {
    Disconnect::closed_by(AgentToClient, Initiator::Client)
}

pub(crate) fn shutdown() -> Disconnect {
    Disconnect::shutdown(AgentToClient, Initiator::Agent)
}

/// An error with a text of its own above another one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Layer(pub(crate) &'static str, #[source] pub(crate) Option<Box<dyn Error + Send + Sync>>);

/// A client's stream, and its cause.
pub(crate) fn tracked<S>(stream: S) -> (TrackedStream<S>, Cause) {
    let cause = Cause::default();
    (tracked_in(&cause, stream), cause)
}

/// A client's stream in a cause.
pub(crate) fn tracked_in<S>(cause: &Cause, stream: S) -> TrackedStream<S> {
    TrackedStream::new(stream, AgentToClient, Initiator::Client, cause.clone())
}

/// A client's stream under a guard.
pub(crate) fn track<S, F: FnOnce(Disconnect)>(guard: &DisconnectGuard<F>, stream: S) -> TrackedStream<S> {
    guard.track(stream, Initiator::Client)
}

/// What a guard logs.
pub(crate) fn ended(story: impl FnOnce(DisconnectGuard)) -> Disconnect {
    let lines = Lines::default();
    story(lines.guard());
    lines.one()
}

/// The same in words.
pub(crate) fn line(story: impl FnOnce(DisconnectGuard)) -> String {
    words(&ended(story))
}

/// An asynchronous story, for [`ended`].
pub(crate) fn in_tokio(story: impl AsyncFnOnce(DisconnectGuard)) -> impl FnOnce(DisconnectGuard) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    move |guard| runtime.expect("a runtime").block_on(story(guard))
}

/// What a cause knows, in words.
pub(crate) fn known(cause: &Cause) -> Option<String> {
    cause.get().as_ref().map(words)
}

/// Panics while it holds a value.
pub(crate) fn panic_with<T>(value: T) {
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _value = value;
        panic!("of the session");
    }));
    assert_eq!(died.expect_err("the session's own").downcast_ref(), Some(&"of the session"));
}

/// The client's side of a connection and the accepted one. Windows accepts no client that has gone by then.
pub(crate) fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("accepted").0)
}

/// The same, and the accepted one is tokio's.
pub(crate) fn tokio_connection() -> (TcpStream, tokio::net::TcpStream) {
    let (client, accepted) = connection();
    accepted.set_nonblocking(true).expect("set");
    (client, tokio::net::TcpStream::from_std(accepted).expect("registered"))
}

/// Resets without a goodbye, as a host that has lost its state does.
pub(crate) fn reset(socket: TcpStream) {
    let linger = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    linger.expect("set");
    drop(socket);
}
