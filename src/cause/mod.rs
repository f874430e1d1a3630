use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::error::Finding;
use crate::{ConnectType, Disconnect, DisconnectReason};

mod ended;
mod evidence;
mod learned;
mod node;
mod transport;

use ended::Ended;
use node::Node;

pub use evidence::Evidence;
pub(crate) use evidence::Weight;
pub(crate) use node::State;
pub(crate) use transport::{Direction, Transport};

/// The first true cause of one connection's end, shared by its tasks and inherited by what runs over it.
///
/// Several tasks see one connection end: the reader gets an end of file, the writer a broken pipe,
/// the supervisor a cancelled token. Each records what it saw, in any order and from any thread, and
/// one rule decides: **a cause can be refined, never contradicted** ([`Evidence`] has it in a sentence). A bare
/// `unknown`, without trigger, code and detail, is never stored; an exit code that it brought is.
///
/// # A tree
///
/// Things that end run *over* one another: connections of an agent, sessions over a connection, channels
/// over a session. Many over one: a [`child`](Self::child) each. One over one (a WebSocket over its HTTP
/// connection): the same cause, and one guard. What outlives its parent is no child. A cause serves one
/// connection: a loop that reconnects takes a fresh child of the same parent for each attempt.
///
/// - A child never writes to its parent, and siblings never see each other: a user who closes one tab does
///   not explain an outage in another.
/// - What a child knows is what its path learned, in the order of time, by the one rule. So a channel that
///   breaks because its connection broke has the connection's cause, and an agent's shutdown, recorded once,
///   explains every connection that had not ended by then.
/// - What a cause learns after one below it already knew is left out: a channel whose target reset it keeps the
///   reset, whatever its client announces afterwards.
///
/// # An end of file is an assumption
///
/// What a [tracked stream](crate::TrackedStream)'s end of file, reset or broken pipe means may be assumed, by
/// [`presume`](Self::presume) or [`with_goodbye`](crate::TrackedStream::with_goodbye). If an *expected* end was
/// assumed and the bytes turn out to be wrong, the assumption is corrected, once, in its own cause:
///
/// | what shows that the bytes were wrong | the end becomes |
/// |---|---|
/// | a `protocol_error` or a `rejected`, recorded as `Local` | that |
/// | an error with an `UnexpectedEof` in its chain, given to [`record_error`](Self::record_error) or met by a stream of the same peer | `network_error` by `network` |
/// | an error with an `InvalidData`, likewise | `protocol_error` |
/// | an error that explains nothing, given to `record_error` before or after; only if `with_goodbye` assumed | `unknown` with its text |
///
/// Nothing else corrects. The correction takes the place, the time and the evidence of what was assumed.
///
/// A clone is another handle to the same cause. A cause is one small allocation. Recording takes its lock and one that
/// orders all records of the process; no user code runs under them, and a thread that panics poisons neither.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{
///     Cause, ConnectType, Disconnect, DisconnectReason, Evidence, Initiator,
/// };
///
/// let agent = Cause::default();
/// let [one, other] = [agent.child(), agent.child()];
///
/// let exit = Disconnect::closed_by(ConnectType::AgentToClient, Initiator::Client);
/// one.record(Evidence::Peer, exit);
/// assert_eq!(other.get(), None, "one user's goodbye is not the other's");
///
/// let shutdown = Disconnect::shutdown(ConnectType::AgentToClient, Initiator::Agent);
/// agent.record(Evidence::Local, shutdown);
/// assert_eq!(other.get().unwrap().reason(), DisconnectReason::ServerShutdown);
/// assert_eq!(one.get().unwrap().reason(), DisconnectReason::ClientClosed);
/// ```
#[derive(Clone, Default)]
pub struct Cause(Arc<Node>);

impl Cause {
    /// Creates the cause of something that runs over this and ends with it.
    ///
    /// It costs one allocation, and adds nothing to its parent.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, Disconnect, Evidence, Trigger};
    ///
    /// let connection = Cause::default();
    /// let session = connection.child();
    /// let reset = Disconnect::network_error(ConnectType::AgentToClient, Trigger::Reset);
    /// connection.record(Evidence::Transport, reset.clone());
    /// assert_eq!(session.get(), Some(reset));
    /// ```
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Node { parent: Some(self.clone()), state: Mutex::default() }))
    }

    /// Records an observation, and returns whether it was kept.
    ///
    /// Record as soon as the news arrives: behind a channel, in a task that a runtime drops, it comes too
    /// late. `select!` drops the loser before the winner's handler runs, so the record belongs inside the awaited
    /// future.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use disconnect_attribution::{
    ///     Cause, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    /// };
    ///
    /// let agent = Cause::default();
    /// let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::ServerShutdown);
    /// })
    /// .with_cause(agent.child());
    /// let serve = async move {
    ///     let _guard = guard;
    ///     std::future::pending::<()>().await;
    /// };
    /// let ctrl_c = async {};
    ///
    /// let shutdown = Disconnect::shutdown(ConnectType::AgentToClient, Initiator::Agent);
    /// let stopped = async {
    ///     ctrl_c.await;
    ///     assert!(agent.record(Evidence::Local, shutdown), "the first one is kept");
    /// };
    /// tokio::select! {
    ///     () = serve => {}
    ///     () = stopped => {} // `serve` is gone here, and has logged the shutdown
    /// }
    /// # });
    /// ```
    pub fn record(&self, evidence: Evidence, disconnect: Disconnect) -> bool {
        let is_of_bytes =
            matches!(disconnect.reason(), DisconnectReason::ProtocolError | DisconnectReason::Rejected);
        let weight = if evidence == Evidence::Local && is_of_bytes {
            Weight::Refuting(evidence)
        } else {
            Weight::Known(evidence)
        };
        self.observe(|_| Some((weight, disconnect)))
    }

    /// Records an error, if it explains the end.
    ///
    /// For a place that has no [guard](crate::DisconnectGuard::record_error) at hand, whose docs list what an error
    /// counts as.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, Trigger};
    /// use std::io;
    ///
    /// let cause = Cause::default();
    /// let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
    /// cause.record_error(ConnectType::AgentToClient, &cut);
    /// assert_eq!(cause.get().unwrap().trigger(), Some(Trigger::EndOfFile));
    /// ```
    pub fn record_error(&self, connect_type: ConnectType, error: &(dyn Error + 'static)) {
        let finding = Finding::of(error);
        let end = Disconnect::of_finding(connect_type, finding, error);
        self.observe(|state| Some((finding.weight(state.is_tracked()), end)));
    }

    /// Returns what is known so far, of this cause and those above it.
    ///
    /// An error that explains nothing and what was [presumed](Self::presume) do not show.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::Cause;
    ///
    /// assert_eq!(Cause::default().get(), None);
    /// ```
    #[must_use]
    pub fn get(&self) -> Option<Disconnect> {
        Some(Disconnect { origin: None, ..self.known()?.end })
    }

    /// Sets what an end without a word means from now on.
    ///
    /// Such an end is a FIN, a reset or a drop: nothing gave a reason. The latest call counts, and `None` takes the
    /// presumption back. This is how a site marks its phase: before the first byte (a load balancer's check connects
    /// and closes), between two requests of a kept-alive connection or while a download streams "client closed",
    /// after a refused login "rejected", while a server drains "server shutdown".
    ///
    /// **An expected presumption explains only what the side that it names could have done, and only while that
    /// side is silent**; any other stands until it is replaced. So one that names a client:
    ///
    /// - explains a FIN or a reset of the client's tracked stream in this very cause, and of no other peer's;
    /// - ends with the client's next byte;
    /// - explains a drop, in this cause or one below, only if no transport of the client is tracked on the way (the
    ///   stream would have seen the client leave). If several presumptions stand on a path, the nearest that applies
    ///   counts.
    ///
    /// One that names no side (`network` and `unknown` are no sides), one that is not expected, and any for a stream
    /// whose peer is not known, explains all of these.
    ///
    /// If a FIN between two messages is the goodbye but a reset never is, or if the peer sends bytes that mean nothing at
    /// any time (HTTP/2), the word is [`with_goodbye`](crate::TrackedStream::with_goodbye).
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Initiator,
    /// };
    /// use std::io::{self, Read};
    ///
    /// let guard = DisconnectGuard::new(ConnectType::ClientToServer, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::ClientClosed);
    /// });
    /// let mut stream = guard.track(io::empty(), Initiator::Client);
    /// // Nothing was asked yet, so the client may leave.
    /// guard.cause().presume(Disconnect::closed_by(ConnectType::ClientToServer, Initiator::Client));
    /// stream.read(&mut [0])?;
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn presume(&self, disconnect: impl Into<Option<Disconnect>>) {
        let end = disconnect.into().filter(|end| !end.explains_nothing());
        let mut state = self.lock();
        let received = state.received_from(end.as_ref().and_then(Disconnect::presumed_act_of));
        state.open().presumption = end.map(|end| (end, received));
    }

    /// Waits until this cause or one above it knows why it ended.
    ///
    /// The record comes first and the wake-up second, so what wakes a task also explains it. Any executor
    /// will do, and a waiter that is dropped leaves nothing behind. A parent whose guard was dropped without a cause
    /// never wakes its children: what must end with its parent is owned by it, in a `JoinSet` for example.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use disconnect_attribution::{Cause, ConnectType, Disconnect, Evidence, Initiator};
    ///
    /// let agent = Cause::default();
    /// let session = tokio::spawn(agent.child().ended());
    ///
    /// let shutdown = Disconnect::shutdown(ConnectType::AgentToClient, Initiator::Agent);
    /// agent.record(Evidence::Local, shutdown.clone());
    /// assert_eq!(session.await.unwrap(), shutdown);
    /// # });
    /// ```
    pub fn ended(&self) -> impl Future<Output = Disconnect> + Send + Sync + Unpin + use<> {
        static NEXT_ID: AtomicUsize = AtomicUsize::new(0);
        Ended { cause: self.clone(), id: NEXT_ID.fetch_add(1, Ordering::Relaxed) }
    }
}

/// What is known so far. The parents do not show, since there may be many.
impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cause").field(&self.get()).finish()
    }
}
