//! The closed vocabulary: one enum per file, and the error of parsing them.
//!
//! Everything here is re-exported at the crate's root.

mod connect_type;
mod connection_method;
mod disconnect_reason;
mod initiator;
mod parse_error;
mod trigger;

pub use connect_type::ConnectType;
pub use connection_method::ConnectionMethod;
pub use disconnect_reason::DisconnectReason;
pub use initiator::Initiator;
pub use parse_error::ParseError;
pub use trigger::Trigger;

/// Defines an enum of the vocabulary with its key, its words and its strict parser: one row a word.
macro_rules! vocabulary {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident under $key:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString)]
        #[strum(parse_err_ty = crate::ParseError, parse_err_fn = Self::parse_error)]
        pub enum $name {
            $($(#[$variant_attribute])* #[strum(serialize = $word)] $variant,)*
        }

        impl $name {
            #[doc = concat!("The key that a log line carries this value under: [`keys::", stringify!($key), "`](crate::keys::", stringify!($key), ").")]
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use disconnect_attribution::{", stringify!($name), ", keys};")]
            ///
            #[doc = concat!("assert_eq!(", stringify!($name), "::KEY, keys::", stringify!($key), ");")]
            /// ```
            pub const KEY: &'static str = crate::keys::$key;

            /// Every value, in the order of declaration.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use disconnect_attribution::", stringify!($name), ";")]
            ///
            #[doc = concat!("for value in ", stringify!($name), "::VARIANTS {")]
            ///     assert_eq!(value.as_str().parse(), Ok(*value));
            /// }
            /// ```
            pub const VARIANTS: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the logged text: the same for [`Display`](std::fmt::Display), serde and every
            /// logger.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use disconnect_attribution::", stringify!($name), ";")]
            ///
            #[doc = concat!("let value = ", stringify!($name), "::VARIANTS[0];")]
            /// assert_eq!(value.as_str(), value.to_string());
            /// ```
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            fn parse_error(text: &str) -> crate::ParseError {
                crate::ParseError::new(Self::KEY, text, &[$($word),*])
            }
        }

    };
}
use vocabulary;
