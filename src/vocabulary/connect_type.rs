super::vocabulary! {
    /// Which layer a connection belonged to.
    ///
    /// The layer shows whom an end affects: a lost control plane hides an agent from its server, a
    /// lost data plane throws a user out of a shell. The enum is exhaustive: a new word is a breaking
    /// release.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::ConnectType;
    ///
    /// assert_eq!("agent_to_client".parse(), Ok(ConnectType::AgentToClient));
    /// ```
    pub enum ConnectType under CONNECT_TYPE {
        /// `server_to_agent`: the control plane.
        ///
        /// The coordination RPC, the relay-map subscriber, the agent's run loop.
        ServerToAgent = "server_to_agent",

        /// `agent_to_client`: the data plane.
        ///
        /// SSH sessions, reconnecting terminals, forwarded ports.
        AgentToClient = "agent_to_client",

        /// `client_to_server`: a user's client and the server.
        ///
        /// A command-line client, an IDE or a browser that talks to the server itself.
        ClientToServer = "client_to_server",
    }
}
