use crate::{Cause, ConnectType, DisconnectReason, Initiator};

mod handles;
mod observer;
mod sync;
#[cfg(feature = "tokio")]
mod tokio;

use observer::{EndOfFile, Observer};

/// A stream that records what its transport does.
///
/// Wraps anything that reads or writes (`std::io`, and tokio's traits under the feature `tokio`) and
/// records in a [`Cause`] how it ended. It changes no byte, no result and no error. The first stream
/// tracked in a cause also counts bytes and measures silence for the [guard](crate::DisconnectGuard)'s line.
///
/// | observed | recorded | evidence |
/// |---|---|---|
/// | end of file | see below | `Transport` |
/// | an error with the trigger `reset` or `broken_pipe`, a write of bytes that takes none | what was [presumed](Cause::presume) in this cause, else `network_error` by `network` | `Transport` |
/// | any other error of a read, a write, a flush or a shutdown | [by its chain](DisconnectReason::from_error), else `network_error` by `network` | `Transport`; `NotConnected` is weak |
/// | a shutdown of this side (tokio) before the peer stopped | `graceful`, and an expected presumption is void | weak |
/// | `Interrupted`, `WouldBlock`, a deadline that passed | nothing: the connection lives on | |
/// | a drop | nothing | |
///
/// | an end of file (a read of 0 bytes) | means | ends the connection |
/// |---|---|---|
/// | where something was [presumed](Cause::presume) in this cause, not in one above | that, with the trigger `end_of_file` | yes |
/// | else, with [`with_end_of_file`](Self::with_end_of_file) | that word | yes |
/// | else | `network_error` by `network` | yes |
/// | with [`with_half_close`](Self::with_half_close) | that side stopped first, on purpose, unless something better is known | no |
/// | after a shutdown of this side | nothing new | no |
///
/// An `UnexpectedEof` error is never an expected end: it may be a truncation. After a stream's own
/// end of file, its own `reset` or `broken_pipe` is nothing new.
///
/// A deadline is a `TimedOut` that no system call reported; one with a code (`ETIMEDOUT`) means that TCP itself
/// gave up. The [read timeout](std::net::TcpStream::set_read_timeout) of a blocking socket is a `WouldBlock` on
/// Unix, but on Windows it has the code with which TCP gives up (`WSAETIMEDOUT`), so there a `TimedOut` of a
/// `std::io` stream records nothing: the program may read on. Where it does not,
/// [`failed`](crate::DisconnectGuard::failed) counts the error. tokio's sockets never block, so their `TimedOut` is always
/// TCP's.
///
/// Not for multiplexed streams (a QUIC stream, an HTTP/2 stream, an SSH channel), whose end is not the
/// connection's: give each a [child](Cause::child) cause and track the connection below them.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{Cause, ConnectType, DisconnectReason, TrackedStream};
/// use std::io::Read;
///
/// let cause = Cause::default();
/// let socket: &[u8] = b"hi";
/// let mut stream = TrackedStream::new(socket, ConnectType::AgentToClient, cause.clone());
///
/// let mut text = String::new();
/// stream.read_to_string(&mut text)?;
/// assert_eq!(text, "hi");
/// assert_eq!(cause.get().unwrap().reason(), DisconnectReason::NetworkError);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TrackedStream<S, G = ()> {
    // Dropped in this order.
    stream: S,
    observer: Observer,
    carried: G,
}

impl<S> TrackedStream<S> {
    /// Wraps a stream whose end is recorded in `cause`.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, TrackedStream};
    ///
    /// let stream = TrackedStream::new(std::io::empty(), ConnectType::AgentToClient, Cause::default());
    /// assert!(format!("{:?}", stream.get_ref()).contains("Empty"));
    /// ```
    pub fn new(stream: S, connect_type: ConnectType, cause: Cause) -> Self {
        Self {
            stream,
            observer: Observer::new(connect_type, cause),
            carried: (),
        }
    }
}

impl<S, G> TrackedStream<S, G> {
    /// Sets what an end of file means, for a protocol in which a FIN is the goodbye.
    ///
    /// It serves the end of file alone, never a drop or a reset, and yields to what was
    /// [presumed](Cause::presume).
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, DisconnectReason, Initiator, TrackedStream};
    /// use std::io::Read;
    ///
    /// let cause = Cause::default();
    /// let mut stream = TrackedStream::new(std::io::empty(), ConnectType::AgentToClient, cause.clone())
    ///     .with_end_of_file(DisconnectReason::ClientClosed, Initiator::Client);
    /// stream.read(&mut [0])?;
    /// assert_eq!(cause.get().unwrap().reason(), DisconnectReason::ClientClosed);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_end_of_file(mut self, reason: DisconnectReason, initiator: Initiator) -> Self {
        self.observer.end_of_file = EndOfFile::Ends(reason, initiator);
        self
    }

    /// Sets that an end of file ends nothing, for a protocol that lets one side finish sending and listen
    /// on; it shows that `peer`, the side on this stream, stopped first.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, DisconnectReason, Initiator};
    /// use std::io::Read;
    ///
    /// let guard = DisconnectGuard::new(ConnectType::ClientToServer, |end| {
    ///     assert_eq!(end.reason(), DisconnectReason::ClientClosed);
    /// });
    /// let mut client = guard.track(std::io::empty()).with_half_close(Initiator::Client);
    /// client.read(&mut [0])?;
    /// assert_eq!(guard.cause().get(), None, "nothing has ended yet");
    /// # drop(guard);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_half_close(mut self, peer: Initiator) -> Self {
        self.observer.end_of_file = EndOfFile::Stops(peer);
        self
    }

    /// Carries a value, such as the guard, until after the stream is dropped.
    ///
    /// For servers that take the socket and leave no place for a guard. A value that was carried before is
    /// dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Trigger};
    ///
    /// fn a_server_that_owns_the_socket(socket: impl std::io::Read + Send + 'static) {}
    ///
    /// let guard = DisconnectGuard::boxed(ConnectType::ClientToServer, |end| {
    ///     assert_eq!(end.trigger(), Some(Trigger::Dropped));
    /// });
    /// let socket = guard.track(std::io::empty());
    /// a_server_that_owns_the_socket(socket.carrying(guard)); // logs when the server lets go of it
    /// ```
    pub fn carrying<V>(self, value: V) -> TrackedStream<S, V> {
        TrackedStream {
            stream: self.stream,
            observer: self.observer,
            carried: value,
        }
    }

    /// Returns a handle to the cause that this records in.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, TrackedStream};
    ///
    /// let stream = TrackedStream::new(std::io::empty(), ConnectType::AgentToClient, Cause::default());
    /// assert_eq!(stream.cause().get(), None);
    /// ```
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.observer.cause.clone()
    }

    /// Returns the wrapped stream, for options such as a timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard};
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let socket = TcpStream::connect(listener.local_addr()?)?;
    /// let guard = DisconnectGuard::boxed(ConnectType::AgentToClient, |end| println!("{end}"));
    /// let stream = guard.track(socket);
    /// stream.get_ref().set_nodelay(true)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the wrapped stream, for what needs it mutable.
    ///
    /// What is read or written past the wrapper is not recorded.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, TrackedStream};
    ///
    /// let mut stream = TrackedStream::new(vec![1], ConnectType::AgentToClient, Cause::default());
    /// stream.get_mut().clear();
    /// assert!(stream.into_inner().is_empty());
    /// ```
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Unwraps the stream, which lives on: nothing is recorded. What was [carried](Self::carrying) is
    /// dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, TrackedStream};
    ///
    /// let cause = Cause::default();
    /// let stream = TrackedStream::new(vec![1], ConnectType::AgentToClient, cause.clone());
    /// assert_eq!(stream.into_inner(), [1]);
    /// assert_eq!(cause.get(), None);
    /// ```
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Unwraps the stream and what was [carried](Self::carrying); both live on.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, TrackedStream};
    ///
    /// let stream = TrackedStream::new(vec![1], ConnectType::AgentToClient, Cause::default());
    /// assert_eq!(stream.carrying("value").into_parts(), (vec![1], "value"));
    /// ```
    pub fn into_parts(self) -> (S, G) {
        (self.stream, self.carried)
    }
}
