//! Promises about the types: a change of these is a change for users.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::net::TcpStream;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::str::FromStr;

use disconnect_attribution::{
    Cause, CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectGuard, DisconnectReason, Evidence,
    Initiator, ParseError, TrackedStream, Trigger,
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert, const_assert_eq};

macro_rules! values {
    ($($type:ty)*) => {$(
        assert_impl_all!(
            $type: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, PartialEq, Eq, Debug
        );
    )*};
}
values!(
    CloseCode ConnectType ConnectionMethod Disconnect DisconnectReason Evidence Initiator ParseError Trigger
);

macro_rules! words {
    ($($type:ty)*) => {$(
        assert_impl_all!($type: Copy, Hash, Display, FromStr);
        // strum stays behind the public API, and its version ours to change.
        assert_not_impl_any!(
            $type: strum::VariantNames, strum::VariantArray, strum::EnumMessage, strum::EnumProperty,
            strum::IntoEnumIterator, strum::EnumCount, strum::IntoDiscriminant,
        );
        assert_not_impl_any!($type: PartialOrd, Error);
    )*};
}
words!(CloseCode ConnectType ConnectionMethod DisconnectReason Initiator Trigger);

assert_impl_all!(Evidence: Copy, Hash);
assert_impl_all!(Disconnect: Hash, Display);
assert_not_impl_any!(Disconnect: Copy, Default);
assert_impl_all!(ParseError: Error);
// A word that is not known is left out or refused if there is no default.
assert_not_impl_any!(Trigger: Default);
assert_not_impl_any!(ConnectType: Default);
assert_impl_all!(DisconnectReason: Default);

assert_impl_all!(Cause: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Default, Debug);
// The default type can be held by a struct under its name.
assert_impl_all!(DisconnectGuard: Send, Sync, Unpin, Debug);
assert_impl_all!(DisconnectGuard<fn(Disconnect)>: Send, Sync, Unpin, Debug);
assert_impl_all!(DisconnectGuard<Box<dyn FnOnce(Disconnect) + Send>>: Send);
assert_not_impl_any!(DisconnectGuard: Clone);
assert_impl_all!(TrackedStream<TcpStream>: Send, Sync, Unpin, UnwindSafe, Debug);
assert_impl_all!(TrackedStream<TcpStream, DisconnectGuard>: Send, Sync, Unpin, Debug);

macro_rules! adapted {
    ($($type:ty)*) => {$(
        #[cfg(feature = "slog")]
        assert_impl_all!($type: slog::KV);
        #[cfg(feature = "serde")]
        assert_impl_all!($type: serde::Serialize, serde::de::DeserializeOwned);
    )*};
}
adapted!(CloseCode ConnectType ConnectionMethod Disconnect DisconnectReason Initiator Trigger);

macro_rules! sizes {
    ($($type:ty = $bytes:literal)*) => {$(
        const_assert_eq!(size_of::<$type>(), $bytes);
        const_assert_eq!(size_of::<Option<$type>>(), $bytes);
    )*};
}

// No promises: larger is slower for all who hold one.
sizes!(
    ConnectType = 1
    ConnectionMethod = 1
    DisconnectReason = 1
    Initiator = 1
    Trigger = 1
    Evidence = 1
);
#[cfg(target_pointer_width = "64")]
sizes!(
    Cause = 8
    CloseCode = 16
    ParseError = 56
);
const_assert!(size_of::<Disconnect>() <= 152);

/// `carrying` puts a guard where `Unpin` is asked for, whatever its closure captures.
#[test]
fn a_guard_is_unpin_whatever_its_closure_captures() {
    fn assert_unpin<T: Unpin>(_: &T) {}
    let pinned = std::marker::PhantomPinned;
    let guard = DisconnectGuard::new(ConnectType::AgentToClient, move |_| {
        std::hint::black_box(&pinned);
    });
    assert_unpin(&guard);
    guard.finish();
}
