use super::ConnectType;

super::vocabulary! {
    /// Who ended a connection.
    ///
    /// Kept apart from *why* ([`DisconnectReason`](crate::DisconnectReason)): a graceful end may come
    /// from either side. The enum is exhaustive: a new word is a breaking release.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::Initiator;
    ///
    /// assert_eq!(Initiator::Network.as_str(), "network");
    /// assert_eq!(Initiator::default(), Initiator::Unknown);
    /// ```
    #[derive(Default)]
    pub enum Initiator under DISCONNECT_INITIATOR {
        /// `client`: the user's side. A terminal, an IDE, a browser.
        Client = "client",

        /// `agent`: the program beside the workload.
        Agent = "agent",

        /// `server`: the control plane. As a [peer](crate::Disconnect::peer), also any upstream that this program
        /// dials: the next hop of a proxy, a program behind a forwarded port.
        Server = "server",

        /// `network`: neither side meant it.
        Network = "network",

        /// `unknown`: not known. Most sites leave the field out instead.
        #[default]
        Unknown = "unknown",
    }
}

impl Initiator {
    /// Whether this is one of the two parties of a connection.
    pub(crate) const fn is_side(self) -> bool {
        match self {
            Self::Client | Self::Agent | Self::Server => true,
            Self::Network | Self::Unknown => false,
        }
    }

    /// The other side of a layer; [`Unknown`](Self::Unknown) for one that is not a side of it.
    pub(crate) fn peer(self, connect_type: ConnectType) -> Self {
        let sides = match connect_type {
            ConnectType::ServerToAgent => [Self::Server, Self::Agent],
            ConnectType::AgentToClient => [Self::Agent, Self::Client],
            ConnectType::ClientToServer => [Self::Client, Self::Server],
        };
        let other = sides.into_iter().find(|side| *side != self);
        other.filter(|_| sides.contains(&self)).unwrap_or_default()
    }
}
