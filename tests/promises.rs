//! Promises about the types: a change of these is a change for users.

use std::panic::{RefUnwindSafe, UnwindSafe};

use disconnect_attribution::{
    ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, ParseError,
};
use static_assertions::{assert_impl_all, const_assert_eq};

macro_rules! plain_value {
    ($($type:ty)*) => {$(
        assert_impl_all!($type: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, PartialEq, Eq);
    )*};
}
plain_value!(ConnectType ConnectionMethod Disconnect DisconnectReason Initiator ParseError);
assert_impl_all!(Disconnect: std::hash::Hash, std::fmt::Debug);
assert_impl_all!(ParseError: std::error::Error);

macro_rules! size {
    ($($type:ty = $bytes:literal)*) => {$(
        const_assert_eq!(size_of::<$type>(), $bytes);
        const_assert_eq!(size_of::<Option<$type>>(), $bytes);
    )*};
}

// Not a promise but a speed bump: larger is slower for everybody who holds one.
size!(
    ConnectType = 1
    ConnectionMethod = 1
    DisconnectReason = 1
    Initiator = 1
    Disconnect = 40
);

#[test]
fn the_promises_above_compile() {}
