//! What an error explains: its chain, its reason and trigger, and what it weighs.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::iter;
use std::sync::Arc;

#[cfg(feature = "tokio")]
use tokio::{task::JoinError, time::error::Elapsed};

use crate::DisconnectReason::{self, NetworkError, ProtocolError, Unknown};
use crate::Evidence::{Local, Transport};
use crate::Trigger;
use crate::cause::Weight::{self, Known, NothingNew, Refuting, Text};
use crate::escaped::printed;

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

/// The error in a value that is only known to be printable.
pub(crate) fn as_error<E: 'static>(value: &E) -> Option<&(dyn Error + 'static)> {
    fn plain<T: Error + 'static>(value: &dyn Any) -> Option<&(dyn Error + 'static)> {
        Some(value.downcast_ref::<T>()?)
    }
    let value: &dyn Any = value;
    let found = plain::<io::Error>(value)
        .or_else(|| plain::<Arc<io::Error>>(value))
        .or_else(|| Some(&**value.downcast_ref::<Box<dyn Error + Send + Sync>>()?))
        .or_else(|| Some(&**value.downcast_ref::<Box<dyn Error + Send>>()?))
        .or_else(|| Some(&**value.downcast_ref::<Box<dyn Error>>()?));
    #[cfg(feature = "tokio")]
    let found = found.or_else(|| plain::<Elapsed>(value)).or_else(|| plain::<JoinError>(value));
    found
}

/// What the deciding error of a chain means, and what it weighs in a cause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding {
    pub(crate) reason: DisconnectReason,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) weight: Weight,
}

impl Finding {
    /// There is but the text.
    const NOTHING: Self = Self::new(Unknown, None, Text);
    /// The same, of a transport: it failed.
    pub(crate) const FAILED: Self = Self::new(NetworkError, None, Known(Transport));

    const fn new(reason: DisconnectReason, trigger: Option<Trigger>, weight: Weight) -> Self {
        Self { reason, trigger, weight }
    }

    const fn transport(trigger: Trigger) -> Self {
        Self::new(NetworkError, Some(trigger), Known(Transport))
    }

    /// The first error of the chain that means something, else a text of it that ends in a system's code.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let in_text = || sources(error).find_map(|error| Self::of_text(&error));
        sources(error).find_map(Self::of_one).or_else(in_text).unwrap_or(Self::NOTHING)
    }

    fn of_one(error: &(dyn Error + 'static)) -> Option<Self> {
        #[cfg(feature = "tokio")]
        if error.is::<Elapsed>() {
            return Some(Self::transport(Trigger::Deadline));
        }
        #[cfg(feature = "tokio")]
        if let Some(error) = error.downcast_ref::<JoinError>() {
            let panicked = Self::new(Unknown, Some(Trigger::Panic), Known(Local));
            let cancelled = Self::new(Unknown, Some(Trigger::Dropped), NothingNew);
            return Some(if error.is_panic() { panicked } else { cancelled });
        }
        Self::of_io(error.downcast_ref()?)
    }

    fn of_io(error: &io::Error) -> Option<Self> {
        let code = error.raw_os_error();
        let known = SYSTEM_TRIGGERS.iter().find(|row| Some(row.0) == code);
        if let Some((_, trigger)) = known {
            return Some(Self::transport(*trigger));
        }
        // A library may keep the kind of a system's error, and wrap the error or its text.
        let is_of_the_system =
            || sources(error).any(|inner| system_code(inner).is_some()) || code_in_text(&error).is_some();
        Some(match error.kind() {
            // Bytes are missing: the stream ended in the middle of a frame.
            ErrorKind::UnexpectedEof => {
                Self::new(NetworkError, Some(Trigger::EndOfFile), Refuting(Transport))
            }
            ErrorKind::InvalidData => Self::new(ProtocolError, None, Refuting(Local)),
            // This side had closed the connection already.
            ErrorKind::NotConnected => Self::new(NetworkError, Some(Trigger::Aborted), NothingNew),
            // The program may go on; libraries use it for what they cancelled.
            ErrorKind::Interrupted => Self::new(Unknown, None, NothingNew),
            // A timer of this program fired, and no system call failed.
            ErrorKind::WouldBlock => Self::transport(Trigger::Deadline),
            ErrorKind::TimedOut if !is_of_the_system() => Self::transport(Trigger::Deadline),
            // A library's word for a read of 0 bytes.
            ErrorKind::ConnectionAborted if !is_of_the_system() => Self::transport(Trigger::EndOfFile),
            kind => Self::transport(Trigger::from_io_error_kind(kind)?),
        })
    }

    /// What a text means that ends as the standard library ends that of a system's error.
    pub(crate) fn of_text(text: &dyn Display) -> Option<Self> {
        Self::of_io(&io::Error::from_raw_os_error(code_in_text(text)?))
    }

    /// What it weighs beside a stream that is tracked in the same cause, and would have seen a break of its own.
    pub(crate) fn weight(self, is_tracked: bool) -> Weight {
        let is_break =
            matches!(self.trigger, Some(Trigger::EndOfFile | Trigger::Reset | Trigger::BrokenPipe));
        // Any other is known if a stream saw it, else another socket's: a dial that was refused.
        let is_old = is_tracked && is_break && self.weight == Known(Transport);
        if is_old { NothingNew } else { self.weight }
    }

    /// Whether a program may go on after it: a timer of its own, a call that was interrupted.
    pub(crate) fn ends_nothing(self) -> bool {
        let interrupted = (Unknown, None, NothingNew);
        self.trigger == Some(Trigger::Deadline) || (self.reason, self.trigger, self.weight) == interrupted
    }
}

/// Codes of the network that the standard library gives no kind.
const SYSTEM_TRIGGERS: &[(i32, Trigger)] = if cfg!(any(target_os = "linux", target_os = "android")) {
    &[
        (64, Trigger::Unreachable),  // ENONET
        (102, Trigger::Reset),       // ENETRESET
        (108, Trigger::BrokenPipe),  // ESHUTDOWN
        (112, Trigger::Unreachable), // EHOSTDOWN
    ]
} else if cfg!(target_vendor = "apple") {
    &[
        (52, Trigger::Reset),       // ENETRESET
        (58, Trigger::BrokenPipe),  // ESHUTDOWN
        (64, Trigger::Unreachable), // EHOSTDOWN
    ]
} else if cfg!(windows) {
    &[
        (64, Trigger::Reset),          // ERROR_NETNAME_DELETED
        (121, Trigger::TimedOut),      // ERROR_SEM_TIMEOUT
        (1225, Trigger::Refused),      // ERROR_CONNECTION_REFUSED
        (1231, Trigger::Unreachable),  // ERROR_NETWORK_UNREACHABLE
        (1232, Trigger::Unreachable),  // ERROR_HOST_UNREACHABLE
        (1236, Trigger::Aborted),      // ERROR_CONNECTION_ABORTED
        (10052, Trigger::Reset),       // WSAENETRESET
        (10058, Trigger::BrokenPipe),  // WSAESHUTDOWN
        (10064, Trigger::Unreachable), // WSAEHOSTDOWN
    ]
} else {
    &[]
};

fn system_code(error: &(dyn Error + 'static)) -> Option<i32> {
    error.downcast_ref::<io::Error>()?.raw_os_error()
}

/// The code in a text that ends as the standard library ends that of a system's error.
fn code_in_text(text: &dyn Display) -> Option<i32> {
    let text = printed(text);
    let (_, code) = text.trim_end().strip_suffix(')')?.rsplit_once("(os error ")?;
    code.parse().ok()
}

/// Whether this is how Linux ends a terminal that nothing holds any more: `EIO`, which has no kind.
pub(crate) fn is_end_of_terminal<E: Display + 'static>(error: &E) -> bool {
    const EIO: Option<i32> = Some(5);

    let code = as_error(error).and_then(|error| sources(error).find_map(system_code));
    cfg!(unix) && code.or_else(|| code_in_text(error)) == EIO
}

impl DisconnectReason {
    /// Finds the reason in an error's chain of sources.
    ///
    /// The first error of the chain that means something decides: an [`io::Error`], by
    /// [`from_io_error_kind`](Self::from_io_error_kind) and the system's own code; a `WouldBlock`, which is the
    /// timeout of a blocking socket; under the feature `tokio` an `Elapsed`. An `io::Error` that means nothing itself
    /// but wraps another error (`ErrorKind::Other`, as TLS and HTTP libraries like to do) is looked through, and so
    /// is the `Arc` of one. The last resort is a text that ends as the standard library's do: `(os error 104)`. An
    /// error without any of these is [`Unknown`](Self::Unknown).
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
        Finding::of(error).reason
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
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Self::Unreachable,
            Kind::TimedOut => Self::TimedOut,
            // Not our enum, and open-ended: a kind that Rust adds later has no trigger yet.
            _ => return None,
        })
    }
}
