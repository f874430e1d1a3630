super::vocabulary! {
    /// Why a connection ended.
    ///
    /// Every reason is either part of normal operation or worth a look, and
    /// [`expected`](Self::expected) alone decides which. The enum is exhaustive: a new word is a breaking
    /// release, so that every `match` gets to decide.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::DisconnectReason;
    ///
    /// assert!(DisconnectReason::ClientClosed.expected());
    /// assert!(!DisconnectReason::NetworkError.expected());
    /// assert_eq!(DisconnectReason::default(), DisconnectReason::Unknown);
    /// ```
    #[derive(Default)]
    pub enum DisconnectReason under DISCONNECT_REASON {
        /// `graceful`: ended cleanly. Expected.
        ///
        /// **Observed:** a goodbye was acknowledged, a session exited with status 0, a terminal closed
        /// without an error, or this side's own policy ended an idle connection (trigger
        /// `idle_timeout`). For example, a user types `exit` in a shell.
        ///
        /// **Usual causes:** the work was done.
        ///
        /// **Check:** nothing. A sudden flood of short graceful sessions is a client in a loop: group by
        /// client.
        Graceful = "graceful",

        /// `client_closed`: the client closed without an error. Expected.
        ///
        /// **Observed:** the client closed on purpose: a close frame, an SSH disconnect "by
        /// application". For example, an IDE window is closed.
        ///
        /// **Usual causes:** terminal closed, IDE quit, browser tab left, laptop put to sleep by software
        /// that closes its connections first.
        ///
        /// **Check:** nothing, unless users report that they did *not* close it: then look for a proxy
        /// between them and the agent that ends idle connections politely.
        ClientClosed = "client_closed",

        /// `server_shutdown`: the agent or the server is going away and closed a healthy connection on
        /// the way. Expected.
        ///
        /// **Observed:** this side was shutting down, or the other side announced that it was (WebSocket
        /// 1001 or 1012, HTTP/2 GOAWAY without an error). For example, the server is upgraded.
        ///
        /// **Usual causes:** deployment, restart, autoscaling, node drain.
        ///
        /// **Check:** that it matches a deployment. Without one, look for restarts: out of memory, a
        /// failing health check, eviction.
        ServerShutdown = "server_shutdown",

        /// `workspace_stopped`: the workspace was stopped or deleted under an open connection. Expected.
        ///
        /// **Observed:** the server announced that the workspace stops while a client was connected.
        /// For example, the autostop schedule ends a workspace in the evening.
        ///
        /// **Usual causes:** autostop, a user's stop or delete, a template update that rebuilds.
        ///
        /// **Check:** nothing. If users complain, compare the autostop deadline with their working hours.
        WorkspaceStopped = "workspace_stopped",

        /// `network_error`: the transport failed. Unexpected.
        ///
        /// **Observed:** end of file without a goodbye, a read or write error, a timeout. For example, a
        /// laptop lid closes and the next write ends with `connection reset by peer`.
        ///
        /// **Usual causes:** sleep, Wi-Fi change, a crashed or killed peer, an expired NAT mapping, a
        /// firewall or load balancer that drops idle connections.
        ///
        /// **Check:** one user or many? One: their link. Many at the same second: the relay, the load
        /// balancer or the server that they share. `peer_silence_ms` near a round number of seconds: an
        /// idle timeout in between; send keepalives more often. The [trigger](crate::Trigger) separates resets,
        /// ends of file and timeouts.
        NetworkError = "network_error",

        /// `protocol_error`: the bytes flowed but broke the protocol. Unexpected.
        ///
        /// **Observed:** a frame, a packet or a handshake that could not be understood, or the peer
        /// answered that ours could not. For example, an HTTP proxy answers an SSH client in HTML.
        ///
        /// **Usual causes:** versions that do not match, something in between that rewrites traffic, a
        /// port that belongs to another service, a bug on either side.
        ///
        /// **Check:** the detail and the close code, then the versions of both sides. A captive portal or
        /// an inspecting proxy shows up as one network's users only.
        ProtocolError = "protocol_error",

        /// `control_plane_lost`: the coordination RPC to the server is gone. Unexpected.
        ///
        /// **Observed:** the agent can no longer reach its server; open data-plane connections may go on
        /// working. For example, sessions stay alive while the dashboard shows the agent as lost.
        ///
        /// **Usual causes:** server outage, an expired token, DNS, an egress firewall.
        ///
        /// **Check:** the server's health first, then name resolution and egress from the agent's host.
        ControlPlaneLost = "control_plane_lost",

        /// `process_exited`: the connection was healthy, the process behind the session was not. Unexpected.
        ///
        /// **Observed:** the process ended with a non-zero status or by a signal. For example, a build
        /// script run over SSH ends with status 2.
        ///
        /// **Usual causes:** the command failed, the kernel killed it for memory (`SIGKILL`), a shell whose
        /// last command failed before `exit`.
        ///
        /// **Check:** `exit_code` and the detail. 255 with `SIGKILL`: the kernel log for the
        /// out-of-memory killer. 126 and 127: the command could not be run or found.
        ProcessExited = "process_exited",

        /// `rejected`: one side refused. Unexpected.
        ///
        /// **Observed:** a policy, an authentication, a limit or an unsupported request ended the
        /// connection. For example, an SSH client asks for a subsystem that the agent does not offer.
        ///
        /// **Usual causes:** expired credentials, a changed permission, too many connections, a client
        /// newer than the agent.
        ///
        /// **Check:** the detail and the close code; then who may do what, and the limits.
        Rejected = "rejected",

        /// `unknown`: no known cause. Unexpected: each such line is a bug to look into.
        ///
        /// **Observed:** a connection ended at a place that did not classify it, or with an error or code
        /// that means nothing in particular. For example, a task was cancelled before it recorded why.
        ///
        /// **Usual causes:** a call site without a classification, a panic, an unlisted close code, a
        /// reason from a newer version (its text is then the detail).
        ///
        /// **Check:** the detail, then the source line that logged it; teach that place its reason.
        #[default]
        Unknown = "unknown",
    }
}

impl DisconnectReason {
    /// Returns whether an end for this reason is part of normal operation.
    ///
    /// `false` needs a look.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::DisconnectReason;
    ///
    /// const ALERT: bool = !DisconnectReason::ProtocolError.expected();
    /// assert!(ALERT);
    /// ```
    #[must_use]
    pub const fn expected(self) -> bool {
        match self {
            Self::Graceful | Self::ClientClosed | Self::ServerShutdown | Self::WorkspaceStopped => true,
            Self::NetworkError
            | Self::ProtocolError
            | Self::ControlPlaneLost
            | Self::ProcessExited
            | Self::Rejected
            | Self::Unknown => false,
        }
    }
}
