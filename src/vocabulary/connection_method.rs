super::vocabulary! {
    /// How the packets of a connection travelled.
    ///
    /// The enum is exhaustive: a new word is a breaking release.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::ConnectionMethod;
    ///
    /// assert_eq!(ConnectionMethod::Derp.as_str(), "derp");
    /// assert_eq!(ConnectionMethod::default(), ConnectionMethod::Unknown);
    /// ```
    #[derive(Default)]
    pub enum ConnectionMethod under CONNECTION_METHOD {
        /// `direct`: peer to peer.
        Direct = "direct",

        /// `derp`: through a relay (DERP is the relay protocol of Tailscale's tailnets).
        Derp = "derp",

        /// `unknown`: not known.
        #[default]
        Unknown = "unknown",
    }
}
