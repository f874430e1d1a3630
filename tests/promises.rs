//! Promises about the types: a change of these is a change for users.

use std::panic::{RefUnwindSafe, UnwindSafe};

use disconnect_attribution::{
    Cause, CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectGuard, DisconnectReason,
    Evidence, Initiator, ParseError, TrackedStream,
};
use static_assertions::{assert_impl_all, const_assert_eq};

macro_rules! plain_value {
    ($($type:ty)*) => {$(
        assert_impl_all!($type: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, PartialEq, Eq);
    )*};
}
plain_value!(
    CloseCode ConnectType ConnectionMethod Disconnect DisconnectReason Evidence Initiator ParseError
);
assert_impl_all!(Disconnect: std::hash::Hash, std::fmt::Debug);
assert_impl_all!(ParseError: std::error::Error);
assert_impl_all!(Cause: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Default);
assert_impl_all!(DisconnectGuard<fn(Disconnect)>: Send, Sync, Unpin, std::fmt::Debug);
assert_impl_all!(DisconnectGuard<Box<dyn FnOnce(Disconnect) + Send>>: Send);
assert_impl_all!(TrackedStream<std::net::TcpStream>: Send, Sync, Unpin, UnwindSafe, std::fmt::Debug);

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
    Evidence = 1
    CloseCode = 8
);
#[cfg(target_pointer_width = "64")]
size!(
    Cause = 8
    Disconnect = 48
    ParseError = 56
);

#[test]
fn the_promises_above_compile() {}
