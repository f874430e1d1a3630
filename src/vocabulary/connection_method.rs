/// How the packets of a connection travelled.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::ConnectionMethod;
///
/// assert_eq!(ConnectionMethod::Derp.as_str(), "derp");
/// assert_eq!(ConnectionMethod::default(), ConnectionMethod::Unknown);
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
pub enum ConnectionMethod {
    /// `direct`: peer to peer.
    Direct,

    /// `derp`: through a relay (DERP is the relay protocol of Tailscale's tailnets).
    Derp,

    /// `unknown`: nobody could tell.
    #[default]
    Unknown,
}

super::vocabulary!(ConnectionMethod, CONNECTION_METHOD);
