//! What a row of a code's table means, and what comes from the rows.

use crate::{DisconnectReason, Initiator};

/// What a code means, before it is known who sent it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// A normal, intended close.
    Deliberate,
    /// The sender itself is leaving.
    GoingAway,
    /// The same reason, whichever side sent it.
    Always(DisconnectReason),
}

impl Meaning {
    pub(super) const fn reason(self, sender: Initiator) -> DisconnectReason {
        use Initiator::{Agent, Client, Network, Server, Unknown};
        match (self, sender) {
            (Self::Always(reason), _) => reason,
            (Self::Deliberate | Self::GoingAway, Client) => DisconnectReason::ClientClosed,
            (Self::Deliberate, Agent | Server | Network | Unknown) => DisconnectReason::Graceful,
            (Self::GoingAway, Agent | Server) => DisconnectReason::ServerShutdown,
            (Self::GoingAway, Network | Unknown) => DisconnectReason::NetworkError,
        }
    }
}

/// The last column of a row.
#[rustfmt::skip]
macro_rules! meaning {
    (Deliberate) => { Meaning::Deliberate };
    (GoingAway) => { Meaning::GoingAway };
    ($reason:ident) => { Meaning::Always(DisconnectReason::$reason) };
}

/// The last column of a row, for the docs.
#[rustfmt::skip]
macro_rules! meaning_doc {
    (Deliberate) => { "deliberate" };
    (GoingAway) => { "going away" };
    ($reason:ident) => { concat!("[`", stringify!($reason), "`](DisconnectReason::", stringify!($reason), ")") };
}

/// One row per code: number, name, meaning. The variants, their docs, the look-up, the names and the
/// logged text all come from the rows.
macro_rules! close_codes {
    (
        $(#[$attribute:meta])*
        pub enum CloseCode {
            $(
                $(#[$variant_attribute:meta])*
                $variant:ident($integer:ident) as $protocol:literal {
                    $($code:literal $name:literal $meaning:ident,)*
                }
            )*
        }
    ) => {
        $(#[$attribute])*
        pub enum CloseCode {
            $(
                $(#[$variant_attribute])*
                ///
                #[doc = concat!("Logged as `", $protocol, ":N`, with `N` in decimal.")]
                ///
                /// | code | name | reason |
                /// |---|---|---|
                $(#[doc = concat!("| ", stringify!($code), " | ", $name, " | ", meaning_doc!($meaning), " |")])*
                $variant($integer),
            )*
        }

        impl CloseCode {
            const fn row(self) -> Option<(&'static str, Meaning)> {
                match self {
                    $(Self::$variant(code) => match code {
                        $($code => Some(($name, meaning!($meaning))),)*
                        _ => None,
                    },)*
                }
            }
        }

        impl std::fmt::Display for CloseCode {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant(code) => write!(f, concat!($protocol, ":{}"), code),)*
                }
            }
        }

        /// Strict: what [`Display`](std::fmt::Display) writes and nothing else.
        impl std::str::FromStr for CloseCode {
            type Err = $crate::ParseError;

            fn from_str(text: &str) -> Result<Self, $crate::ParseError> {
                const ACCEPTED: &[&str] =
                    &[$(concat!($protocol, ":<", stringify!($integer), ">")),*];

                text.split_once(':')
                    .and_then(|(protocol, number)| match protocol {
                        $($protocol => number.parse().map(Self::$variant).ok(),)*
                        _ => None,
                    })
                    // Rust's integers also parse from `+11`, `011` and `-0`.
                    .filter(|code| code.to_string() == text)
                    .ok_or_else(|| $crate::ParseError::new(Self::KEY, text, ACCEPTED))
            }
        }
    };
}
