use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use crate::clock::Moment;
use crate::panics::quietly;
use crate::{Cause, ConnectType, Disconnect, Evidence, Initiator, TrackedStream};

mod line;

/// Logs the end of one established connection exactly once, however its scope is left.
///
/// The closure is the log statement that is there already: message, level and source location stay
/// the caller's. [The page of this module](crate::guide::guard) explains why a line after the loop is not enough,
/// what the line holds, and what a guard can't do.
///
/// # Examples
///
/// A function full of `?` loses no error:
///
/// ```
/// use disconnect_attribution::{ConnectType, Disconnect, DisconnectGuard, DisconnectReason};
/// use std::io::{self, Read};
///
/// fn session(mut stream: impl Read, log: impl FnOnce(Disconnect)) -> io::Result<u8> {
///     let guard = DisconnectGuard::new(ConnectType::AgentToClient, log);
///     let mut byte = [0];
///     stream.read_exact(&mut byte).inspect_err(|error| guard.record_error(error))?;
///     guard.finish();
///     Ok(byte[0])
/// }
///
/// let mut line = None;
/// assert!(session(io::empty(), |end| line = Some(end)).is_err());
/// let line = line.unwrap();
/// assert_eq!(line.reason(), DisconnectReason::NetworkError);
/// assert_eq!(line.detail(), Some("failed to fill whole buffer"));
/// ```
///
/// A struct holds a guard by name:
///
/// ```
/// use disconnect_attribution::{ConnectType, DisconnectGuard};
///
/// struct Session {
///     guard: DisconnectGuard,
/// }
///
/// let session = Session {
///     guard: DisconnectGuard::boxed(ConnectType::AgentToClient, |end| {
///         // info!(log, "ssh session closed"; end)
///         assert!(end.trigger().is_some());
///     }),
/// };
/// assert_eq!(session.guard.cause().get(), None);
/// ```
///
/// The closure runs at the place that drops the guard. `sessions.lock().unwrap().remove(&id);` drops it with the lock
/// held, so a closure that takes the same lock needs the session moved out first.
#[must_use = "a guard that is dropped at once logs an end at once"]
pub struct DisconnectGuard<F = Box<dyn FnOnce(Disconnect) + Send + Sync>>
where
    F: FnOnce(Disconnect),
{
    connect_type: ConnectType,
    cause: Cause,
    opened: Moment,
    /// `None` once the guard has logged or was finished.
    emit: Option<F>,
    /// Made by a destructor of an unwinding thread: that panic is not this connection's.
    made_in_a_panic: bool,
}

impl DisconnectGuard {
    /// Guards a connection, with the closure in a box: a type that a struct can hold by name.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard};
    ///
    /// let guards: Vec<DisconnectGuard> = (0..3)
    ///     .map(|number| {
    ///         DisconnectGuard::boxed(ConnectType::AgentToClient, move |end| {
    ///             println!("session {number}: {end}");
    ///         })
    ///     })
    ///     .collect();
    /// assert_eq!(guards.len(), 3);
    /// ```
    pub fn boxed(connect_type: ConnectType, emit: impl FnOnce(Disconnect) + Send + Sync + 'static) -> Self {
        Self::new(connect_type, Box::new(emit))
    }
}

impl<F: FnOnce(Disconnect)> DisconnectGuard<F> {
    /// Guards a connection that has just been established.
    ///
    /// # Examples
    ///
    /// ```
    /// # use slog::{Discard, Logger, info, o};
    /// # let log = Logger::root(Discard, o!());
    /// use disconnect_attribution::{ConnectType, DisconnectGuard};
    ///
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     # #[cfg(feature = "slog")]
    ///     info!(log, "ssh session closed"; end);
    /// });
    /// assert_eq!(guard.cause().get(), None, "nothing has ended yet");
    /// ```
    pub fn new(connect_type: ConnectType, emit: F) -> Self {
        Self {
            connect_type,
            cause: Cause::default().reported_by(connect_type),
            opened: Moment::now(),
            emit: Some(emit),
            made_in_a_panic: thread::panicking(),
        }
    }

    /// Takes a cause that was made elsewhere.
    ///
    /// Give it `parent.child()` if this connection runs over another. If exactly one thing runs over the other, such
    /// as a WebSocket over its HTTP connection, they share one cause and one guard: two guards on one cause log two
    /// lines.
    ///
    /// Set it first: a handle or a tracked stream that the guard gave out before stays with the cause that it
    /// had then.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Trigger,
    /// };
    ///
    /// let connection = DisconnectGuard::new(ConnectType::AgentToClient, |_| {});
    /// let session = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::NetworkError);
    ///     assert_eq!(end.origin(), Some(ConnectType::AgentToClient));
    /// })
    /// .with_cause(connection.cause().child());
    ///
    /// let reset = Disconnect::network_error(ConnectType::AgentToClient, Trigger::Reset);
    /// connection.cause().record(Evidence::Transport, reset);
    /// drop(session);
    /// ```
    pub fn with_cause(mut self, cause: Cause) -> Self {
        self.cause = cause.reported_by(self.connect_type);
        self
    }

    /// Returns a handle to this connection's cause, for its streams and tasks to record into, and for what
    /// runs over it to have a [child](Cause::child) of.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence,
    /// };
    ///
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::WorkspaceStopped);
    /// });
    /// let stopped = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::WorkspaceStopped);
    /// guard.cause().record(Evidence::Peer, stopped);
    /// ```
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause.clone()
    }

    /// Wraps the connection's transport, so that the cause learns what it does.
    ///
    /// `peer` is whose socket it is: `Client` for one that was accepted from a client; `Server` for an upstream,
    /// whatever it serves, and for a local program behind a forward; `Unknown` if only a handshake will show.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator, Trigger};
    /// use std::io::Read;
    ///
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.trigger(), Some(Trigger::EndOfFile));
    ///     assert_eq!(end.peer(), Some(Initiator::Client));
    ///     assert_eq!(end.bytes_received(), Some(2));
    /// });
    /// let socket: &[u8] = b"hi";
    /// let mut stream = guard.track(socket, Initiator::Client);
    /// stream.read_to_end(&mut Vec::new())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn track<S>(&self, stream: S, peer: Initiator) -> TrackedStream<S> {
        TrackedStream::new(stream, self.connect_type, peer, self.cause())
    }

    /// Records an error, for `inspect_err(|error| guard.record_error(error))?`.
    ///
    /// | error, by [its chain](Disconnect::from_error) | counts as |
    /// |---|---|
    /// | `network_error` | [`Transport`](Evidence::Transport) |
    /// | `protocol_error`, a task that panicked | [`Local`](Evidence::Local) |
    /// | a reset, a broken pipe or a library's `ConnectionAborted` that a tracked stream of this cause would have seen itself, `NotConnected`, `Interrupted`, a task that was cancelled | better than no word at all |
    /// | one that explains nothing | the same, and its text comes before what was presumed |
    ///
    /// An error that shows missing or wrong bytes also [corrects](Cause#an-end-of-file-is-an-assumption) an end that
    /// was only assumed. So an `UnexpectedEof` *between* two frames must not come here if a FIN is the goodbye: ask for
    /// a frame's first byte with `read`, and give only the rest of the frame's errors.
    ///
    /// In `inspect_err`, in which `error` is a reference, a `Box<dyn Error + Send + Sync>` goes in as `&**error`
    /// and an `anyhow::Error` as `error.as_ref()`. An `#[error(transparent)]` of thiserror
    /// [hides](Disconnect::from_error) the `io::Error` in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, DisconnectReason, Initiator};
    /// use std::io::{self, Read};
    ///
    /// /// Reads frames of a length and as many bytes; a FIN between two of them is the goodbye.
    /// fn frames(socket: impl Read, log: impl FnOnce(disconnect_attribution::Disconnect)) -> io::Result<()> {
    ///     let guard = DisconnectGuard::new(ConnectType::ClientToServer, log);
    ///     let mut stream = guard.track(socket, Initiator::Client).with_goodbye();
    ///     let mut length = [0];
    ///     while stream.read(&mut length)? == 1 {
    ///         let mut frame = vec![0; length[0].into()];
    ///         stream.read_exact(&mut frame).inspect_err(|error| guard.record_error(error))?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let reason_of = |bytes: &[u8]| {
    ///     let mut reason = None;
    ///     let _ = frames(bytes, |end| reason = Some(end.reason()));
    ///     reason.unwrap()
    /// };
    /// assert_eq!(reason_of(b"\x02hi"), DisconnectReason::ClientClosed);
    /// assert_eq!(reason_of(b"\x02h"), DisconnectReason::NetworkError, "cut");
    /// ```
    pub fn record_error(&self, error: &(dyn Error + 'static)) {
        self.cause.record_error(self.connect_type, error);
    }

    /// Logs the end as a decision of this side, or with the better cause that was recorded before.
    ///
    /// It closes no socket, and logs at once: what is written afterwards, such as a goodbye, is in no number of the
    /// line. If that counts, [record](Cause::record) the decision, write, and drop the guard. What the *peer*
    /// announced is recorded too: `cause.record(Evidence::Peer, end)`.
    ///
    /// With a tracked stream, a guard that is just dropped knows more than `close(graceful)`: which side
    /// stopped first.
    ///
    /// # Panics
    ///
    /// If the closure panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, DisconnectGuard, Initiator, Trigger};
    ///
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.trigger(), Some(Trigger::IdleTimeout));
    /// });
    /// let idle = Disconnect::closed_by(ConnectType::AgentToClient, Initiator::Agent);
    /// guard.close(idle.with_trigger(Trigger::IdleTimeout));
    /// ```
    pub fn close(mut self, disconnect: Disconnect) {
        self.cause.record(Evidence::Local, disconnect);
        if let Err(panic) = self.emit() {
            if thread::panicking() {
                quietly(|| drop(panic));
            } else {
                resume_unwind(panic);
            }
        }
    }

    /// Ends the guard without its line, and returns what the line would hold.
    ///
    /// For a loop that has a line already, such as "disconnected, retrying in 3 s", and for a connection that lives
    /// on elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator, Trigger};
    /// use std::io::{self, Read};
    ///
    /// let guard = DisconnectGuard::new(ConnectType::ServerToAgent, |_| unreachable!());
    /// guard.track(io::empty(), Initiator::Server).read(&mut [0])?;
    /// let end = guard.finish();
    /// assert_eq!(end.trigger(), Some(Trigger::EndOfFile));
    /// // warn!(log, "disconnected, retrying in 3 s"; end)
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn finish(mut self) -> Disconnect {
        let emit = self.emit.take();
        quietly(|| drop(emit));
        self.line()
    }

    /// The one way to log: at most once, and a panic of the closure is contained.
    fn emit(&mut self) -> thread::Result<()> {
        let Some(emit) = self.emit.take() else {
            return Ok(());
        };
        let end = self.line();
        let emitted = catch_unwind(AssertUnwindSafe(|| emit(end)));
        if emitted.is_err() {
            // Standard error may be what is closed; then there is nowhere left to go.
            let lost = self.line();
            let line = format!("disconnect-attribution: log statement panicked, lost: {lost}\n");
            // In one write, so that no other process's line comes between.
            let _ = io::stderr().write_all(line.as_bytes());
        }
        emitted
    }
}

impl<F: FnOnce(Disconnect)> Drop for DisconnectGuard<F> {
    fn drop(&mut self) {
        // A destructor that panics while its thread unwinds would abort the process.
        if let Err(panic) = self.emit() {
            quietly(|| drop(panic));
        }
    }
}

/// A guard is never pinned itself, whatever its closure captures.
impl<F: FnOnce(Disconnect)> Unpin for DisconnectGuard<F> {}

impl<F: FnOnce(Disconnect)> fmt::Debug for DisconnectGuard<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DisconnectGuard")
            .field("connect_type", &self.connect_type)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}
