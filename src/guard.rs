//! Exactly one line for every end, on every way out.
//!
//! Most agents log a disconnect on the line after the loop:
//!
//! ```text
//! async fn session(stream: TcpStream) -> io::Result<()> {
//!     info!(log, "ssh session opened");
//!     loop {
//!         let packet = read_packet(&mut stream).await?;   // an error leaves here
//!         if packet.is_goodbye() { break }
//!         answer(packet).await;                           // a panic leaves here
//!     }                                                   // a cancelled task is dropped at an .await
//!     info!(log, "ssh session closed");                   // ... and only a goodbye arrives here
//!     Ok(())
//! }
//! ```
//!
//! A future that is dropped runs no code after its last `.await`, only destructors. So the guard *is*
//! a destructor, and the log statement is its closure:
//!
//! ```text
//!  time ──────────────────────────────────────────────────────────────────────────────▶
//!  accept      guard made       end of file      shared token         task aborted
//!    │             │                 │            cancelled                │
//!    │  nothing to │   Transport:    │   Local:      │                     │  exactly one
//!    │  log yet    │   network_error │   shutdown    │                     │  line
//!    ▼             ▼        ────▶    ▼   ────▶       ▼                     ▼
//!               Cause::default()   kept            refused               emit(network_error)
//! ```
//!
//! # What it promises
//!
//! One call of the closure for each guard: on [`close`](DisconnectGuard::close), `return`, `?`, a
//! panic, a tokio task that is aborted, a future that loses a `select!`, a runtime that shuts down.
//! None after [`disarm`](DisconnectGuard::disarm), and none before the guard is made: make it when the
//! connection is *established*, and a dial that fails logs no disconnect.
//!
//! What the line says, in this order:
//!
//! 1. what the [`Cause`] knows;
//! 2. a shutdown of this side, if [`shutdown_when`](DisconnectGuard::shutdown_when) says so;
//! 3. `unknown`, with a detail that tells a panic from a cancelled task.
//!
//! A closure that panics in a destructor (slog's `Fuse` panics when the disk is full or the pipe is
//! closed) aborts nothing: the panic is contained, and what was lost goes to standard error. In
//! [`close`](DisconnectGuard::close), an ordinary call of yours, it goes on to you.
//!
//! # What it can't
//!
//! [`std::mem::forget`], [`std::process::exit`], an abort (also `panic = "abort"`) and SIGKILL run no
//! destructor, so they leave no line. Nor does a guard that lives in a leaked `Arc` cycle.

use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use crate::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence, Initiator};

const PANICKED: &str = "ended by a panic";
const DROPPED: &str = "dropped without a reason: cancelled task or early return";

/// Logs the end of one established connection exactly once, however its scope is left.
///
/// The closure is the log statement that is there already: message, level and source location stay
/// the caller's. [The page of this module](self) explains why a line after the loop is not enough,
/// what this promises, and what it can't.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{ConnectType, DisconnectGuard, DisconnectReason};
/// use std::cell::RefCell;
///
/// let lines = RefCell::new(Vec::new());
/// let session = |input: &str| -> Result<u32, std::num::ParseIntError> {
///     let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
///         // In an agent: info!(log, "ssh session closed"; end)
///         lines.borrow_mut().push(end);
///     });
///     let parsed = input.parse()?; // leaves here: the guard says so
///     guard.disarm();
///     Ok(parsed)
/// };
///
/// assert!(session("garbage").is_err());
/// assert_eq!(lines.borrow().len(), 1);
/// assert_eq!(lines.borrow()[0].reason(), DisconnectReason::Unknown);
/// ```
#[must_use = "a guard that is dropped at once logs an end at once"]
pub struct DisconnectGuard<F: FnOnce(Disconnect)> {
    connect_type: ConnectType,
    cause: Cause,
    shutdown: Option<Shutdown>,
    emit: Option<F>,
    /// Made by a destructor of an unwinding thread: that panic is not this connection's.
    made_in_a_panic: bool,
}

struct Shutdown {
    side: Initiator,
    condition: Box<dyn Fn() -> bool + Send + Sync>,
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
            cause: Cause::default(),
            shutdown: None,
            emit: Some(emit),
            made_in_a_panic: thread::panicking(),
        }
    }

    /// Shares a cause with other guards: several lines, one true cause.
    ///
    /// For tasks that run over one connection and log an end each. The failure that one of them sees
    /// cancels the others; they then tell the same cause, not their own cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    /// };
    ///
    /// let connection = Cause::default();
    /// let end = |reason| Disconnect::new(ConnectType::ServerToAgent, reason);
    /// let relay_map = DisconnectGuard::new(ConnectType::ServerToAgent, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::NetworkError);
    /// })
    /// .with_cause(connection.clone());
    ///
    /// connection.record(Evidence::Transport, end(DisconnectReason::NetworkError));
    /// relay_map.close(end(DisconnectReason::ServerShutdown)); // comes second
    /// ```
    pub fn with_cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// Says how to tell that `side`, this side, is shutting down.
    ///
    /// Asked when the guard is dropped and nothing else explains the end, for example because a
    /// runtime shuts down and drops its tasks. It must mean *this side itself*: a token that a
    /// failing sibling cancels too hides outages.
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

    /// Returns a handle to this connection's cause, for its streams and tasks to record into.
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

    /// Ends the connection with a decision of this side, and logs it, or the better cause that was
    /// recorded before.
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
    pub fn close(mut self, disconnect: Disconnect) {
        self.cause.record(Evidence::Local, disconnect);
        if let Err(panic) = self.finish() {
            if !thread::panicking() {
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
        let end = self.cause.conclude(|| self.fallback());
        let emitted = catch_unwind(AssertUnwindSafe(|| emit(end)));
        if emitted.is_err() {
            self.say_what_was_lost();
        }
        emitted
    }

    /// What to say where nobody recorded a cause.
    fn fallback(&self) -> Disconnect {
        let shutdown = self.shutdown.as_ref().filter(|shutdown| {
            // A condition that panics says nothing.
            catch_unwind(AssertUnwindSafe(|| (shutdown.condition)())).unwrap_or(false)
        });
        if let Some(shutdown) = shutdown {
            return Disconnect::shutdown_of(self.connect_type, shutdown.side);
        }
        let panicked = thread::panicking() && !self.made_in_a_panic;
        Disconnect::new(self.connect_type, DisconnectReason::Unknown).with_detail(if panicked {
            PANICKED
        } else {
            DROPPED
        })
    }

    fn say_what_was_lost(&self) {
        if let Some(end) = self.cause.get() {
            // Standard error may be what is closed; then there is nowhere left to say it.
            let _ = writeln!(
                io::stderr(),
                "disconnect-attribution: log statement panicked, lost: {end}"
            );
        }
    }
}

impl<F: FnOnce(Disconnect)> Drop for DisconnectGuard<F> {
    fn drop(&mut self) {
        // A destructor that panics while its thread unwinds would abort the process.
        let _ = self.finish();
    }
}

impl<F: FnOnce(Disconnect)> fmt::Debug for DisconnectGuard<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DisconnectGuard")
            .field("connect_type", &self.connect_type)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}
