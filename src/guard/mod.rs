use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::thread;

use crate::clock::Moment;
use crate::panics::drop_quietly;
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
///     stream.read_exact(&mut byte).inspect_err(|error| guard.failed(error))?;
///     guard.disarm();
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
/// The closure runs where the guard is dropped. `sessions.lock().unwrap().remove(&id);` drops it with the lock
/// held, so a closure that takes the same lock needs the session moved out first.
#[must_use = "a guard that is dropped at once logs an end at once"]
pub struct DisconnectGuard<F = Box<dyn FnOnce(Disconnect) + Send + Sync>>
where
    F: FnOnce(Disconnect),
{
    connect_type: ConnectType,
    /// Made when it is first asked for, unless it was given.
    cause: OnceLock<Cause>,
    opened: Moment,
    shutdown: Option<Shutdown>,
    /// `None` once the guard has logged or was disarmed.
    emit: Option<F>,
    /// Made by a destructor of an unwinding thread: that panic is not this connection's.
    made_in_a_panic: bool,
}

struct Shutdown {
    side: Initiator,
    condition: Box<dyn Fn() -> bool + Send + Sync>,
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
    pub fn boxed(
        connect_type: ConnectType,
        emit: impl FnOnce(Disconnect) + Send + Sync + 'static,
    ) -> Self {
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
            cause: OnceLock::new(),
            opened: Moment::now(),
            shutdown: None,
            emit: Some(emit),
            made_in_a_panic: thread::panicking(),
        }
    }

    /// Takes a cause that was made elsewhere.
    ///
    /// Give it `parent.child()` if this connection runs over another. Share another guard's cause only if
    /// exactly one thing runs over the other, such as a WebSocket over its HTTP connection: what either
    /// records is then the cause of both.
    ///
    /// Set it first: a handle or a tracked stream that the guard gave out before stays with the cause that it
    /// had then.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence,
    /// };
    ///
    /// let connection = DisconnectGuard::new(ConnectType::AgentToClient, |_| {});
    /// let session = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::NetworkError);
    ///     assert_eq!(end.origin(), Some(ConnectType::AgentToClient));
    /// })
    /// .with_cause(connection.cause().child());
    ///
    /// let reset = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError);
    /// connection.cause().record(Evidence::Transport, reset);
    /// drop(session);
    /// ```
    pub fn with_cause(mut self, cause: Cause) -> Self {
        self.cause = cause.into();
        self
    }

    /// Sets a condition that is true while this side shuts down.
    ///
    /// For a program that already has such a flag. With a [`Cause`] of the whole process, of which each
    /// connection has a [child](Cause::child), there is nothing to set. The condition is asked when the
    /// guard ends and nothing is known, for example because a runtime shuts down and drops its tasks. It must mean *this side itself*: a
    /// token that a failing sibling cancels too hides outages.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, DisconnectReason, Initiator};
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// let stopping = Arc::new(AtomicBool::new(false));
    /// let asked = Arc::clone(&stopping);
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::ServerShutdown);
    ///     assert_eq!(end.initiator(), Some(Initiator::Agent));
    /// })
    /// .shutdown_when(Initiator::Agent, move || asked.load(Ordering::Relaxed));
    ///
    /// stopping.store(true, Ordering::Relaxed);
    /// drop(guard);
    /// ```
    pub fn shutdown_when(
        mut self,
        side: Initiator,
        condition: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        self.shutdown = Some(Shutdown {
            side,
            condition: Box::new(condition),
        });
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
        self.cause_ref().clone()
    }

    fn cause_ref(&self) -> &Cause {
        self.cause.get_or_init(Cause::default)
    }

    /// Wraps the connection's transport, so that the cause learns what it does.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Trigger};
    /// use std::io::Read;
    ///
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.trigger(), Some(Trigger::EndOfFile));
    ///     assert_eq!(end.bytes_received(), Some(2));
    /// });
    /// let socket: &[u8] = b"hi";
    /// let mut stream = guard.track(socket);
    /// stream.read_to_end(&mut Vec::new())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn track<S>(&self, stream: S) -> TrackedStream<S> {
        TrackedStream::new(stream, self.connect_type, self.cause())
    }

    /// Records an error, for `inspect_err(|error| guard.failed(error))?`.
    ///
    /// | error, by [its chain](Disconnect::from_error) | counts as |
    /// |---|---|
    /// | `network_error` | [`Transport`](Evidence::Transport) |
    /// | `protocol_error` | [`Local`](Evidence::Local): this side rejected what it read |
    /// | one that explains nothing, `NotConnected`, and a `network_error` that a tracked stream of this cause would have seen itself (all but an `UnexpectedEof`, where bytes are missing, and a deadline) | weak, as [`Presumed`](Evidence::Presumed), but better than a mere "closed here" |
    ///
    /// In `inspect_err`, where `error` is a reference, a `Box<dyn Error + Send + Sync>` goes in as `&**error`
    /// and an `anyhow::Error` as `error.as_ref()`. An `#[error(transparent)]` of thiserror
    /// [hides](Disconnect::from_error) the `io::Error` in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, DisconnectReason};
    ///
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::Unknown);
    ///     assert_eq!(end.detail(), Some("invalid digit found in string"));
    /// });
    /// let port = "garbage".parse::<u16>().inspect_err(|error| guard.failed(error));
    /// assert!(port.is_err());
    /// ```
    pub fn failed(&self, error: &(dyn Error + 'static)) {
        self.cause_ref().observe_error(self.connect_type, error);
    }

    /// Logs the end as a decision of this side, or with the better cause that was recorded before.
    ///
    /// The same as [`close_as`](Self::close_as) with [`Local`](Evidence::Local). It closes no socket, and
    /// logs at once: what is written afterwards, such as a goodbye, is in no number of the line. Where
    /// that counts, [record](Cause::record) the decision, write, and drop the guard.
    ///
    /// With a tracked stream, a guard that is just dropped knows more than `close(graceful)`: which side
    /// stopped first.
    ///
    /// # Panics
    ///
    /// Where the closure panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     ConnectType, DisconnectGuard, DisconnectReason, classify_pty_exit,
    /// };
    ///
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::Graceful);
    /// });
    /// guard.close(classify_pty_exit(false, &Ok::<_, std::io::Error>(())));
    /// ```
    pub fn close(self, disconnect: Disconnect) {
        self.close_as(Evidence::Local, disconnect);
    }

    /// Logs the end with an observation, or with the better cause that was recorded before.
    ///
    /// What the peer announced is [`Peer`](Evidence::Peer).
    ///
    /// # Panics
    ///
    /// Where the closure panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     CloseCode, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    /// };
    ///
    /// let guard = DisconnectGuard::new(ConnectType::ServerToAgent, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::ServerShutdown);
    /// });
    /// let code = CloseCode::WebSocket(1001);
    /// let end = Disconnect::from_close_code(ConnectType::ServerToAgent, code, Initiator::Server);
    /// guard.close_as(Evidence::Peer, end);
    /// ```
    pub fn close_as(mut self, evidence: Evidence, disconnect: Disconnect) {
        self.cause_ref().record(evidence, disconnect);
        if let Err(panic) = self.finish() {
            if thread::panicking() {
                drop_quietly(panic);
            } else {
                resume_unwind(panic);
            }
        }
    }

    /// Ends the guard without a line, for a connection that lives on elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard};
    ///
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |_| unreachable!());
    /// guard.disarm();
    /// ```
    pub fn disarm(mut self) {
        self.emit = None;
    }

    /// The one way to finish: emits, at most once, and contains a panic of the closure.
    fn finish(&mut self) -> thread::Result<()> {
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
        if let Err(panic) = self.finish() {
            drop_quietly(panic);
        }
        drop_quietly(self.shutdown.take());
    }
}

/// A guard is never pinned itself, whatever its closure captures.
impl<F: FnOnce(Disconnect)> Unpin for DisconnectGuard<F> {}

impl<F: FnOnce(Disconnect)> fmt::Debug for DisconnectGuard<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DisconnectGuard")
            .field("connect_type", &self.connect_type)
            .field("cause", self.cause_ref())
            .finish_non_exhaustive()
    }
}
