/// Which layer a connection belonged to.
///
/// The layer tells an operator whom an end affects: a lost control plane hides an agent from its
/// server, a lost data plane throws somebody out of a shell.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::ConnectType;
///
/// assert_eq!("agent_to_client".parse(), Ok(ConnectType::AgentToClient));
/// ```
#[derive(
    Debug,
    Clone,
    Copy,
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
pub enum ConnectType {
    /// `server_to_agent`: the control plane.
    ///
    /// The coordination RPC, the relay-map subscriber, the agent's run loop.
    ServerToAgent,

    /// `agent_to_client`: the data plane.
    ///
    /// SSH sessions, reconnecting terminals, forwarded ports.
    AgentToClient,

    /// `client_to_server`: a user's client and the server.
    ///
    /// A command-line client, an IDE or a browser that talks to the server itself.
    ClientToServer,
}

super::vocabulary!(ConnectType, CONNECT_TYPE);
