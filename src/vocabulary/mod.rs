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

/// Takes the place of strum's trait in its derive, which keeps strum out of the public API.
trait VariantNames {
    const VARIANTS: &'static [&'static str];
}

/// See [`VariantNames`].
trait VariantArray: Sized + 'static {
    const VARIANTS: &'static [Self];
}

/// Defines an enum of the vocabulary with its key, its text and its strict parser.
///
/// The words come from strum's derives, which read the variants: there is no second list that could
/// drift.
macro_rules! vocabulary {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident under $key:ident { $($variants:tt)* }
    ) => {
        $(#[$attribute])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash,
            strum::EnumString, strum::VariantArray, strum::VariantNames,
        )]
        #[strum(
            crate = "crate::vocabulary",
            parse_err_ty = crate::ParseError,
            parse_err_fn = Self::parse_error
        )]
        pub enum $name { $($variants)* }

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
            pub const VARIANTS: &'static [Self] = <Self as super::VariantArray>::VARIANTS;

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
                // Names and variants are listed in one order, and no variant sets a discriminant.
                <Self as super::VariantNames>::VARIANTS[self as usize]
            }

            fn parse_error(text: &str) -> crate::ParseError {
                let accepted = <Self as super::VariantNames>::VARIANTS;
                crate::ParseError::new(Self::KEY, text, accepted)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
use vocabulary;
