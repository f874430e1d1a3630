use crate::{Cause, ConnectType, Initiator};

mod observer;
mod os_handles;
mod std;
#[cfg(feature = "tokio")]
mod tokio;

use observer::{EndOfFile, Observer};

/// A stream that records what its transport does.
///
/// Wraps anything that reads or writes (`std::io`, and tokio's traits under the feature `tokio`) and
/// records in a [`Cause`] how it ended. It changes no byte, no result and no error. It knows whose socket it
/// is, and what it records names that [peer](crate::Disconnect::peer). It also counts bytes and measures silence for
/// the [guard](crate::DisconnectGuard)'s line.
///
/// | observed | recorded, as [`Transport`](crate::Evidence::Transport) |
/// |---|---|
/// | an end of file: a read of 0 bytes; on Unix also `EIO`, with which a terminal ends | what was [presumed](Cause::presume) in this very cause, if that applies; else the goodbye, [`with_goodbye`](Self::with_goodbye); else a `network_error` |
/// | the same, [`with_half_close`](Self::with_half_close) | nothing: it shows who stopped first |
/// | an error with the trigger `reset` or `broken_pipe`, a write of bytes that takes none | what was presumed, if that applies; else a `network_error` |
/// | any other error of a read, a write, a flush or a shutdown | [by its chain](crate::DisconnectReason::from_error), else a `network_error`; a `NotConnected` explains nothing new |
/// | `Interrupted`, `WouldBlock`, a timeout that no system call reported | nothing: the program may go on |
/// | a shutdown by this side (tokio), before any peer stopped | nothing; a guard that knows nothing better logs `graceful` by this side |
/// | a drop | nothing |
///
/// Once this side has begun a shutdown, the peer's end of file only answers it; a shutdown that neither returned nor was
/// answered, since the peer takes no bytes any more, explains nothing. After a stream's own end of file, its own `reset`
/// or `broken_pipe` is nothing new.
///
/// # Streams of one peer
///
/// Streams of one cause with the same peer may be handles of one socket: the halves of `into_split`, a `try_clone`,
/// TLS over a tracked transport. One that was never read has stopped when another of its peer has, and one that was
/// never written is shut down when another is; a second upstream of the same kind, read and written, stands for
/// itself. Track every handle: what goes past the wrapper is not seen, such as the FIN that tokio's `OwnedWriteHalf` sends
/// when it is dropped; shut it down first. The bytes of the line are, in each direction, those of the first stream of the
/// first peer that moved any, and of a later one after that was dropped or unwrapped.
///
/// # Limits
///
/// An `UnexpectedEof` error is never an expected end: it may be a truncation. The
/// [read timeout](::std::net::TcpStream::set_read_timeout) of a blocking socket is a `WouldBlock` on Unix; on Windows
/// it has the code with which TCP gives up (`WSAETIMEDOUT`), so there a `TimedOut` of a `std::io` stream records
/// nothing. If the program does not read on, [`record_error`](crate::DisconnectGuard::record_error) counts it.
///
/// Not for multiplexed streams (a QUIC stream, an HTTP/2 stream, an SSH channel), whose end is not the
/// connection's: give each a [child](Cause::child) cause and track the connection below them.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{Cause, ConnectType, DisconnectReason, Initiator, TrackedStream};
/// use std::io::Read;
///
/// let cause = Cause::default();
/// let socket: &[u8] = b"hi";
/// let mut stream =
///     TrackedStream::new(socket, ConnectType::AgentToClient, Initiator::Client, cause.clone());
///
/// let mut text = String::new();
/// stream.read_to_string(&mut text)?;
/// assert_eq!(text, "hi");
/// let end = cause.get().unwrap();
/// assert_eq!(end.reason(), DisconnectReason::NetworkError);
/// assert_eq!(end.peer(), Some(Initiator::Client));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TrackedStream<S, G = ()> {
    // Dropped in this order.
    stream: S,
    observer: Observer,
    _carried: G,
}

impl<S> TrackedStream<S> {
    /// Wraps a stream whose end is recorded in `cause`.
    ///
    /// `peer` is whose socket it is; `network` and `unknown` are no peers and leave it out.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, Initiator, TrackedStream};
    ///
    /// let (layer, cause) = (ConnectType::AgentToClient, Cause::default());
    /// let stream = TrackedStream::new(std::io::empty(), layer, Initiator::Client, cause);
    /// assert!(format!("{:?}", stream.get_ref()).contains("Empty"));
    /// ```
    pub fn new(stream: S, connect_type: ConnectType, peer: Initiator, cause: Cause) -> Self {
        Self { stream, observer: Observer::new(connect_type, peer, cause), _carried: () }
    }
}

impl<S, G> TrackedStream<S, G> {
    /// Sets that an end of file is the peer's goodbye, for a protocol in which a FIN between two messages is.
    ///
    /// The end is then a deliberate one of the peer ([`closed_by`](crate::Disconnect::closed_by)), until an error
    /// shows that a message was cut: [give it to the cause](Cause#an-end-of-file-is-an-assumption). It serves the end
    /// of file alone, never a reset or a drop.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, DisconnectReason, Initiator};
    /// use std::io::Read;
    ///
    /// let guard = DisconnectGuard::boxed(ConnectType::AgentToClient, |end| println!("{end}"));
    /// let mut stream = guard.track(std::io::empty(), Initiator::Client).with_goodbye();
    /// stream.read(&mut [0])?;
    /// assert_eq!(guard.cause().get().unwrap().reason(), DisconnectReason::ClientClosed);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub const fn with_goodbye(mut self) -> Self {
        self.observer.end_of_file = EndOfFile::Goodbye;
        self
    }

    /// Sets that an end of file ends nothing, for a protocol that lets one side finish sending and listen on.
    ///
    /// A program that ends at the first FIN takes [`with_goodbye`](Self::with_goodbye) instead.
    ///
    /// It shows that the peer stopped first. A guard that knows nothing better logs that, once nothing flows any
    /// more: every stream of the cause that was read has stopped, this side has shut all of them down, or one that had
    /// stopped was then reset.
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
    /// let mut client = guard.track(std::io::empty(), Initiator::Client).with_half_close();
    /// client.read(&mut [0])?;
    /// assert_eq!(guard.cause().get(), None, "nothing has ended yet");
    /// # drop(guard);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub const fn with_half_close(mut self) -> Self {
        self.observer.end_of_file = EndOfFile::HalfClose;
        self
    }

    /// Carries a value, such as the guard, until after the stream is dropped.
    ///
    /// For servers that take the socket and leave no place for a guard. The guard logs with the stream's drop: an error
    /// that the server returns is recorded before that only if its future is pinned
    /// ([the trap](crate::guide::guard#traps)). A value that was carried before is dropped. If the stream is split, the value is dropped with the *last* half, and so its line comes then.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator, Trigger};
    ///
    /// fn a_server_that_owns_the_socket(socket: impl std::io::Read + Send + 'static) {}
    ///
    /// let guard = DisconnectGuard::boxed(ConnectType::ClientToServer, |end| {
    ///     assert_eq!(end.trigger(), Some(Trigger::Dropped));
    /// });
    /// let socket = guard.track(std::io::empty(), Initiator::Client);
    /// a_server_that_owns_the_socket(socket.carrying(guard)); // logs when the server lets go of it
    /// ```
    pub fn carrying<V>(self, value: V) -> TrackedStream<S, V> {
        TrackedStream { stream: self.stream, observer: self.observer, _carried: value }
    }

    /// Returns a handle to the cause that this records in.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator};
    ///
    /// let guard = DisconnectGuard::boxed(ConnectType::AgentToClient, |end| println!("{end}"));
    /// let stream = guard.track(std::io::empty(), Initiator::Client);
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
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator};
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let socket = TcpStream::connect(listener.local_addr()?)?;
    /// let guard = DisconnectGuard::boxed(ConnectType::AgentToClient, |end| println!("{end}"));
    /// let stream = guard.track(socket, Initiator::Agent);
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
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator};
    ///
    /// let guard = DisconnectGuard::boxed(ConnectType::AgentToClient, |end| println!("{end}"));
    /// let mut stream = guard.track(vec![1], Initiator::Client);
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
    /// use disconnect_attribution::{ConnectType, DisconnectGuard, Initiator};
    ///
    /// let guard = DisconnectGuard::boxed(ConnectType::AgentToClient, |end| println!("{end}"));
    /// let stream = guard.track(vec![1], Initiator::Client);
    /// assert_eq!(stream.into_inner(), [1]);
    /// assert_eq!(guard.cause().get(), None);
    /// ```
    pub fn into_inner(self) -> S {
        self.stream
    }
}
