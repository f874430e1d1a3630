use std::fmt;
use std::sync::Arc;

use crate::Disconnect;

mod cell;
mod ended;
mod evidence;

use cell::Cell;
use ended::Ended;

pub(crate) use cell::Found;
pub use evidence::Evidence;
pub(crate) use evidence::Weight;

/// The first true cause of one connection's end, shared by its tasks and inherited by what runs over it.
///
/// Several tasks see one connection end: the reader gets an end of file, the writer a broken pipe,
/// the supervisor a cancelled token. Each records what it saw, in any order and from any thread, and
/// one rule decides: **a cause can be refined, never contradicted** ([`Evidence`] has the table). A bare
/// `unknown`, without trigger, code and detail, is never stored; an exit code that it brought is.
///
/// # A tree
///
/// Things that end run *over* one another: connections of an agent, sessions over a connection, channels
/// over a session. Where many run over one, each has a [`child`](Self::child). Where only one ever does (a
/// WebSocket over its HTTP connection), both share one cause. A cause serves one connection: a loop that
/// reconnects takes a fresh child of the same parent for each attempt.
///
/// - A child never writes to its parent, and siblings never see each other: a user who closes one tab does
///   not explain an outage in another.
/// - A child knows what each cause on its path kept, in the order in which each first knew, folded by the
///   one rule. So a channel that breaks because its connection broke has the connection's cause, and an
///   agent's shutdown, recorded once, explains every connection that had not ended by then.
/// - What a cause higher on the path learns later refines nothing that a lower one knew: a channel whose
///   target reset it keeps the reset, whatever its client announces afterwards.
///
/// A clone is another handle to the same cause. A cause is one allocation of about 200 bytes, and
/// recording takes one uncontended lock that no user code runs under. A thread that panics does not
/// poison it.
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
pub struct Cause(Arc<Cell>);

impl Cause {
    /// Creates the cause of something that runs over this.
    ///
    /// It costs one allocation, and adds nothing to its parent.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence};
    ///
    /// let connection = Cause::default();
    /// let session = connection.child();
    /// let reset = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError);
    /// connection.record(Evidence::Transport, reset.clone());
    /// assert_eq!(session.get(), Some(reset));
    /// ```
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Cell::over(self.clone())))
    }

    /// Records an observation, and returns whether it was kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence};
    ///
    /// let cause = Cause::default();
    /// let end = Disconnect::new(ConnectType::AgentToClient, DisconnectReason::Graceful);
    /// assert!(cause.record(Evidence::Local, end.clone()));
    /// assert!(!cause.record(Evidence::Local, end), "the first one stays");
    /// ```
    // Most sites have nothing to do with the answer.
    #[allow(clippy::must_use_candidate)]
    pub fn record(&self, evidence: Evidence, disconnect: Disconnect) -> bool {
        self.observe(evidence.into(), disconnect)
    }

    /// Returns what is known so far, of this cause and those above it.
    ///
    /// A `Presumed` observation shows where nothing better is known; what [`presume`](Self::presume) set
    /// does not, since nothing has ended yet.
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
        Some(self.known_or_weak()?.end)
    }

    /// Sets what an end without a word means from now on.
    ///
    /// Such an end is a FIN, a reset or a drop: nothing gave a reason. `None` takes the presumption back,
    /// and the latest call counts.
    ///
    /// This is how a site marks its phase: before the first byte (a load balancer's check connects and
    /// closes) and between two requests of a kept-alive connection "client closed", after a refused login
    /// "rejected", while a server drains "server shutdown". It serves a tracked stream of this very cause (not of one below it), and a guard of this
    /// cause or one below it that knows nothing better. Where several stand above one another, the nearest
    /// counts.
    ///
    /// It explains every end without a word, also a task of this side that returns or is aborted in that
    /// phase: [record](Self::record) such a decision first, or give it to the guard's
    /// [`close`](crate::DisconnectGuard::close). A presumption must not outlive its phase: take it back where
    /// the next one begins.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{
    ///     ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Initiator,
    /// };
    ///
    /// let guard = DisconnectGuard::new(ConnectType::ClientToServer, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::ClientClosed);
    /// });
    /// // A request was answered, and the connection is kept alive: a client may leave now.
    /// let client = Disconnect::closed_by(ConnectType::ClientToServer, Initiator::Client);
    /// guard.cause().presume(client.clone());
    /// // The next request begins:
    /// guard.cause().presume(None);
    /// // And is answered:
    /// guard.cause().presume(client);
    /// drop(guard);
    /// ```
    pub fn presume(&self, disconnect: impl Into<Option<Disconnect>>) {
        self.set_presumption(disconnect.into());
    }

    /// Waits until this cause or one above it knows why it ended.
    ///
    /// The record comes first and the wake-up second, so what wakes a task also explains it. Any executor
    /// will do, and a waiter that is dropped leaves nothing behind. An assumption wakes nothing: a parent whose
    /// guard was dropped without a cause never wakes its children. What must end with its parent is owned by
    /// it, in a `JoinSet` for example.
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
        Ended::new(self.clone())
    }

    /// Awaits a future, records an end when it completes, and returns its output.
    ///
    /// For `select!`: it drops the loser before the winner's handler runs, so a guard in the loser would
    /// log before the handler could record. This records inside the awaited future.
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
    /// let stop = async {};
    ///
    /// let shutdown = Disconnect::shutdown(ConnectType::AgentToClient, Initiator::Agent);
    /// tokio::select! {
    ///     () = serve => {}
    ///     () = agent.record_when(stop, Evidence::Local, shutdown) => {} // `serve` is gone here
    /// }
    /// # });
    /// ```
    pub async fn record_when<T>(
        &self,
        future: impl Future<Output = T>,
        evidence: Evidence,
        disconnect: Disconnect,
    ) -> T {
        let output = future.await;
        self.record(evidence, disconnect);
        output
    }
}

/// What is known so far. The parents do not show, since there may be many.
impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cause").field(&self.get()).finish()
    }
}
