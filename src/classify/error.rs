//! What an error explains.

use std::error::Error;
use std::io;
use std::iter;
use std::sync::Arc;

use crate::{DisconnectReason, Trigger};

/// An error and its sources, from the outside in.
///
/// A `source()` that ends in itself must not hang the caller, so the depth is bounded.
pub(crate) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    const MAX_DEPTH: usize = 64;

    iter::successors(Some(error), |&error| below(error)).take(MAX_DEPTH)
}

/// The next error inwards. `source()` of an [`io::Error`] skips the error that it wraps, and that of an
/// `Arc`, which errors that can be cloned hold, the error that it shares.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(shared) = error.downcast_ref::<Arc<io::Error>>() {
        return Some(&**shared);
    }
    match error.downcast_ref().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// The first [`io::Error`] in the chain whose kind has a reason.
pub(crate) fn deciding<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let has_reason = |error: &&io::Error| {
        DisconnectReason::from_io_error_kind(error.kind()) != DisconnectReason::Unknown
    };
    sources(error)
        .filter_map(|error| error.downcast_ref())
        .find(has_reason)
}

/// The kind of the first [`io::Error`] in the chain that has a reason.
pub(crate) fn deciding_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    deciding(error).map(io::Error::kind)
}

/// Whether a `TimedOut` is a deadline of this side: TCP's own comes with a system call's code.
pub(crate) fn is_deadline(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none()
}

/// Whether an error may be that a blocking socket's own timeout passed. On Unix that is a `WouldBlock`;
/// Windows has one code (`WSAETIMEDOUT`) for it and for TCP that gives up.
pub(crate) fn may_be_socket_timeout(error: &io::Error) -> bool {
    cfg!(windows) && error.kind() == io::ErrorKind::TimedOut
}

impl DisconnectReason {
    /// Finds the reason in an error's chain of sources.
    ///
    /// The first [`io::Error`] whose kind has a reason decides, by
    /// [`from_io_error_kind`](Self::from_io_error_kind). One that has none itself but wraps another
    /// error (`ErrorKind::Other`, as TLS and HTTP libraries like to do) is looked through, and so is the
    /// `Arc` of one. An error without such a source is [`Unknown`](Self::Unknown).
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::DisconnectReason;
    /// use std::io;
    ///
    /// let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    /// let wrapped = io::Error::other(reset);
    /// assert_eq!(DisconnectReason::from_error(&wrapped), DisconnectReason::NetworkError);
    /// ```
    #[must_use]
    pub fn from_error(error: &(dyn Error + 'static)) -> Self {
        deciding_kind(error).map_or(Self::Unknown, Self::from_io_error_kind)
    }

    /// Maps the kind of an [`io::Error`] to a reason.
    ///
    /// | kind | reason |
    /// |---|---|
    /// | `ConnectionRefused` `ConnectionReset` `ConnectionAborted` `NotConnected` `BrokenPipe` `TimedOut` `UnexpectedEof` `WriteZero` `HostUnreachable` `NetworkUnreachable` `NetworkDown` | [`NetworkError`](Self::NetworkError) |
    /// | `InvalidData` | [`ProtocolError`](Self::ProtocolError) |
    /// | every other, also those that Rust adds later | [`Unknown`](Self::Unknown) |
    ///
    /// `ConnectionRefused` is here for established connections too: on a connected UDP socket it
    /// reports that the peer's port is gone (ICMP port unreachable, RFC 1122 section 4.1.3.3).
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::DisconnectReason;
    /// use std::io::ErrorKind;
    ///
    /// assert_eq!(
    ///     DisconnectReason::from_io_error_kind(ErrorKind::BrokenPipe),
    ///     DisconnectReason::NetworkError,
    /// );
    /// ```
    #[must_use]
    pub const fn from_io_error_kind(kind: io::ErrorKind) -> Self {
        match (Trigger::from_io_error_kind(kind), kind) {
            (Some(_), _) => Self::NetworkError,
            (None, io::ErrorKind::InvalidData) => Self::ProtocolError,
            (None, _) => Self::Unknown,
        }
    }
}

impl Trigger {
    /// Maps the kind of an [`io::Error`] of the transport to a trigger.
    ///
    /// | kind | trigger |
    /// |---|---|
    /// | `UnexpectedEof` | [`EndOfFile`](Self::EndOfFile) |
    /// | `ConnectionReset` | [`Reset`](Self::Reset) |
    /// | `BrokenPipe` `WriteZero` | [`BrokenPipe`](Self::BrokenPipe) |
    /// | `ConnectionAborted` `NotConnected` | [`Aborted`](Self::Aborted) |
    /// | `ConnectionRefused` | [`Refused`](Self::Refused) |
    /// | `HostUnreachable` `NetworkUnreachable` `NetworkDown` | [`Unreachable`](Self::Unreachable) |
    /// | `TimedOut` | [`TimedOut`](Self::TimedOut) |
    /// | every other, also those that Rust adds later | none |
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::Trigger;
    /// use std::io::ErrorKind;
    ///
    /// const RESET: Option<Trigger> = Trigger::from_io_error_kind(ErrorKind::ConnectionReset);
    /// assert_eq!(RESET, Some(Trigger::Reset));
    /// assert_eq!(Trigger::from_io_error_kind(ErrorKind::PermissionDenied), None);
    /// ```
    #[must_use]
    pub const fn from_io_error_kind(kind: io::ErrorKind) -> Option<Self> {
        use io::ErrorKind as Kind;
        Some(match kind {
            Kind::UnexpectedEof => Self::EndOfFile,
            Kind::ConnectionReset => Self::Reset,
            Kind::BrokenPipe | Kind::WriteZero => Self::BrokenPipe,
            Kind::ConnectionAborted | Kind::NotConnected => Self::Aborted,
            Kind::ConnectionRefused => Self::Refused,
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
                Self::Unreachable
            }
            Kind::TimedOut => Self::TimedOut,
            // Not our enum, and open-ended: a kind that Rust adds later has no trigger yet.
            _ => return None,
        })
    }
}
