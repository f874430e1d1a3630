use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use crate::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence, Initiator};

/// A stream that records what its transport did.
///
/// Wraps anything that reads or writes (`std::io`, and tokio's traits under the feature `tokio`) and
/// tells a [`Cause`] how it ended. It changes no byte, no result and no error.
///
/// | observed | recorded | evidence |
/// |---|---|---|
/// | end of file | `network_error` by `network`, unless [told otherwise](Self::with_end_of_file) | `Transport` |
/// | an error of a read, a write, a flush or a shutdown | [by its chain](DisconnectReason::from_error), else `network_error` | `Transport` |
/// | a write of bytes that takes none | `network_error` by `network` | `Transport` |
/// | a shutdown of this side (tokio), or a drop | `unknown` | `Presumed` |
/// | `Interrupted`, `WouldBlock`, a deadline that passed | nothing: the connection lives on | |
///
/// A deadline is a `TimedOut` that no system call reported (on Unix, a socket's read timeout is a
/// `WouldBlock`, and `ETIMEDOUT` means that TCP itself gave up; Windows uses one code for both, so there
/// neither counts). An end of file that answers a shutdown of this side says nothing new.
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
pub struct TrackedStream<S> {
    stream: S,
    observer: Observer,
}

impl<S> TrackedStream<S> {
    /// Wraps a stream whose end is told to `cause`.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, TrackedStream};
    ///
    /// let stream = TrackedStream::new(std::io::empty(), ConnectType::AgentToClient, Cause::default());
    /// assert!(format!("{:?}", stream.get_ref()).contains("Empty"));
    /// ```
    pub const fn new(stream: S, connect_type: ConnectType, cause: Cause) -> Self {
        Self {
            stream,
            observer: Observer {
                cause: Some(cause),
                connect_type,
                end_of_file: Some((DisconnectReason::NetworkError, Initiator::Network)),
                shut_down: false,
            },
        }
    }

    /// Says what an end of file means, for a protocol that has no close handshake.
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
        self.observer.end_of_file = Some((reason, initiator));
        self
    }

    /// Says that an end of file ends nothing: the protocol lets one side finish sending and listen on.
    ///
    /// # Examples
    ///
    /// ```
    /// use disconnect_attribution::{Cause, ConnectType, TrackedStream};
    /// use std::io::Read;
    ///
    /// let cause = Cause::default();
    /// let mut stream = TrackedStream::new(std::io::empty(), ConnectType::AgentToClient, cause.clone())
    ///     .with_half_close();
    /// stream.read(&mut [0])?;
    /// assert_eq!(cause.get(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_half_close(mut self) -> Self {
        self.observer.end_of_file = None;
        self
    }

    /// Returns the wrapped stream.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the wrapped stream, for options that need it mutable. What is read or written past the
    /// wrapper is not recorded.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Unwraps the stream, which lives on: nothing is recorded.
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
    pub fn into_inner(mut self) -> S {
        self.observer.cause = None;
        self.stream
    }
}

/// The part that decides, apart from the stream, so that a drop is seen without a `Drop` on the
/// wrapper.
#[derive(Debug)]
struct Observer {
    /// Nothing once the stream is unwrapped.
    cause: Option<Cause>,
    connect_type: ConnectType,
    /// Nothing where an end of file is no end.
    end_of_file: Option<(DisconnectReason, Initiator)>,
    shut_down: bool,
}

impl Observer {
    #[inline]
    fn read(&self, wanted_bytes: bool, result: &io::Result<usize>) {
        match result {
            Ok(0) if wanted_bytes => self.reached_end_of_file(),
            Ok(_) => {}
            Err(error) => self.failed("read", error),
        }
    }

    #[inline]
    fn wrote(&self, had_bytes: bool, result: &io::Result<usize>) {
        match result {
            Ok(0) if had_bytes => self.failed("write", &io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) => self.failed("write", error),
        }
    }

    #[inline]
    fn flushed(&self, result: &io::Result<()>) {
        if let Err(error) = result {
            self.failed("flush", error);
        }
    }

    #[cfg(feature = "tokio")]
    fn shut_down(&mut self, result: &io::Result<()>) {
        match result {
            Ok(()) => {
                self.shut_down = true;
                self.closed_here();
            }
            Err(error) => self.failed("shutdown", error),
        }
    }

    #[cold]
    fn reached_end_of_file(&self) {
        match self.end_of_file {
            Some((reason, initiator)) if !self.shut_down => {
                let end = Disconnect::new(self.connect_type, reason).by(initiator);
                self.record(Evidence::Transport, end);
            }
            Some(_) | None => {}
        }
    }

    #[cold]
    fn failed(&self, operation: &str, error: &io::Error) {
        let deadline = || !cfg!(unix) || error.raw_os_error().is_none();
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => return,
            io::ErrorKind::TimedOut if deadline() => return,
            _ => {}
        }
        let reason = match DisconnectReason::from_error(error) {
            // An error of the transport that says no more than that.
            DisconnectReason::Unknown => DisconnectReason::NetworkError,
            reason => reason,
        };
        let end = Disconnect::new(self.connect_type, reason)
            .with_error(&format_args!("{operation} failed: {error}"));
        self.record(
            Evidence::Transport,
            if reason == DisconnectReason::NetworkError {
                end.with_initiator(Initiator::Network)
            } else {
                end
            },
        );
    }

    #[cold]
    fn closed_here(&self) {
        let end = Disconnect::new(self.connect_type, DisconnectReason::Unknown)
            .with_detail("closed here, nobody said why");
        self.record(Evidence::Presumed, end);
    }

    fn record(&self, evidence: Evidence, end: Disconnect) {
        if let Some(cause) = &self.cause {
            cause.record(evidence, end);
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.closed_here();
    }
}

impl<S: Read> Read for TrackedStream<S> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.stream.read(buffer);
        self.observer.read(!buffer.is_empty(), &result);
        result
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let result = self.stream.read_vectored(buffers);
        let wanted_bytes = buffers.iter().any(|buffer| !buffer.is_empty());
        self.observer.read(wanted_bytes, &result);
        result
    }
}

impl<S: Write> Write for TrackedStream<S> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.stream.write(bytes);
        self.observer.wrote(!bytes.is_empty(), &result);
        result
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.stream.write_vectored(buffers);
        self.observer.wrote(has_bytes(buffers), &result);
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.stream.flush();
        self.observer.flushed(&result);
        result
    }
}

fn has_bytes(buffers: &[IoSlice<'_>]) -> bool {
    buffers.iter().any(|buffer| !buffer.is_empty())
}

#[cfg(feature = "tokio")]
mod tokio {
    use std::io::{self, IoSlice};
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::{TrackedStream, has_bytes};

    impl<S: AsyncRead + Unpin> AsyncRead for TrackedStream<S> {
        #[inline]
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let wanted_bytes = buffer.remaining() > 0;
            let filled = buffer.filled().len();
            let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer))
                .map(|()| buffer.filled().len() - filled);
            self.observer.read(wanted_bytes, &result);
            Poll::Ready(result.map(drop))
        }
    }

    impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedStream<S> {
        #[inline]
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let result = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
            self.observer.wrote(!bytes.is_empty(), &result);
            Poll::Ready(result)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffers: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, buffers));
            self.observer.wrote(has_bytes(buffers), &result);
            Poll::Ready(result)
        }

        fn is_write_vectored(&self) -> bool {
            self.stream.is_write_vectored()
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            let result = ready!(Pin::new(&mut self.stream).poll_flush(context));
            self.observer.flushed(&result);
            Poll::Ready(result)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            let result = ready!(Pin::new(&mut self.stream).poll_shutdown(context));
            self.observer.shut_down(&result);
            Poll::Ready(result)
        }
    }
}
