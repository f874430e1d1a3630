super::vocabulary! {
    /// What was seen when a connection ended, or which timer fired: finer than the
    /// [`DisconnectReason`](crate::DisconnectReason).
    ///
    /// Closed and countable, so that dashboards need not group free text. A site that arms a timer
    /// records the trigger of that timer itself; in an error, a `TimedOut` that no system call reported and the
    /// `WouldBlock` of a blocking socket read as [`Deadline`](Self::Deadline). There is no default: a trigger that is not
    /// known is left out.
    ///
    /// Every site records these ends in the same way:
    ///
    /// | end | reason | initiator | trigger |
    /// |---|---|---|---|
    /// | this side's idle policy | `graceful` | this side | `idle_timeout` |
    /// | a newer connection took the place of this one | `graceful` | who ended it | `superseded` |
    /// | QUIC's own idle timer heard nothing from the peer | `network_error` | `network` | `timed_out` |
    /// | an unanswered ping | `network_error` | `network` | `keepalive_timeout` |
    /// | an expired session or credential | `rejected` | who refused | `max_age` |
    /// | a handshake that never came | `network_error` | `network` | `handshake_timeout` |
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
    ///
    /// let idle = Disconnect::closed_by(ConnectType::AgentToClient, Initiator::Agent)
    ///     .with_trigger(Trigger::IdleTimeout);
    /// assert_eq!(idle.reason(), DisconnectReason::Graceful);
    /// assert_eq!(idle.trigger(), Some(Trigger::IdleTimeout));
    /// assert_eq!("idle_timeout".parse(), Ok(Trigger::IdleTimeout));
    /// ```
    #[non_exhaustive]
    pub enum Trigger under DISCONNECT_TRIGGER {
        /// `end_of_file`: the transport ended without a word (a TCP FIN).
        EndOfFile = "end_of_file",

        /// `reset`: the peer, or something between, reset it.
        Reset = "reset",

        /// `broken_pipe`: a write found no reader.
        BrokenPipe = "broken_pipe",

        /// `aborted`: this machine's network stack gave up on it, or it was no longer connected.
        Aborted = "aborted",

        /// `refused`: connection refused (also ICMP port unreachable).
        Refused = "refused",

        /// `unreachable`: host or network unreachable, network down.
        Unreachable = "unreachable",

        /// `timed_out`: the transport gave up (`ETIMEDOUT`, QUIC's idle timer).
        TimedOut = "timed_out",

        /// `idle_timeout`: nothing was sent for as long as a policy allows.
        IdleTimeout = "idle_timeout",

        /// `keepalive_timeout`: a ping was not answered in time.
        KeepaliveTimeout = "keepalive_timeout",

        /// `handshake_timeout`: the other side did not finish its handshake in time.
        HandshakeTimeout = "handshake_timeout",

        /// `deadline`: one operation or request took too long; a timer of this program fired, no system call.
        Deadline = "deadline",

        /// `max_age`: the connection, its session or its credential reached its allowed age.
        MaxAge = "max_age",

        /// `superseded`: a newer connection of the same peer took its place.
        Superseded = "superseded",

        /// `panic`: the code that served it panicked.
        Panic = "panic",

        /// `dropped`: the code that served it was dropped: cancelled task, early return.
        Dropped = "dropped",
    }
}
