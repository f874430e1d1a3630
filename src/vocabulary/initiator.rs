use super::ConnectType;

/// Who ended a connection.
///
/// Kept apart from *why* ([`DisconnectReason`](crate::DisconnectReason)): a graceful end may come
/// from either side.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::Initiator;
///
/// assert_eq!(Initiator::Network.as_str(), "network");
/// assert_eq!(Initiator::default(), Initiator::Unknown);
/// ```
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = crate::ParseError,
    parse_err_fn = Self::parse_error
)]
pub enum Initiator {
    /// `client`: the user's side. A terminal, an IDE, a browser.
    Client,

    /// `agent`: the program beside the workload.
    Agent,

    /// `server`: the control plane.
    Server,

    /// `network`: neither end meant it.
    Network,

    /// `unknown`: nobody could tell. Most sites leave the field out instead.
    #[default]
    Unknown,
}

super::vocabulary!(Initiator, DISCONNECT_INITIATOR);

impl Initiator {
    /// The other end of a layer; [`Unknown`](Self::Unknown) for one that is no end of it.
    pub(crate) const fn peer(self, connect_type: ConnectType) -> Self {
        use ConnectType::{AgentToClient, ClientToServer, ServerToAgent};
        use Initiator::{Agent, Client, Network, Server, Unknown};
        match (connect_type, self) {
            (ServerToAgent, Agent) | (ClientToServer, Client) => Server,
            (ServerToAgent, Server) | (AgentToClient, Client) => Agent,
            (AgentToClient, Agent) | (ClientToServer, Server) => Client,
            (ServerToAgent, Client | Network | Unknown)
            | (AgentToClient, Server | Network | Unknown)
            | (ClientToServer, Agent | Network | Unknown) => Unknown,
        }
    }
}
