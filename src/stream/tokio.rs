//! tokio.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::TrackedStream;
use super::std::has_bytes;

impl<S: AsyncRead + Unpin, G: Unpin> AsyncRead for TrackedStream<S, G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wanted_bytes = buffer.remaining() > 0;
        let filled = buffer.filled().len();
        self.observer.reads();
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        // A reader may also have taken bytes back.
        let result = result.map(|()| buffer.filled().len().saturating_sub(filled));
        self.observer.has_read(wanted_bytes, &result);
        Poll::Ready(result.map(drop))
    }
}

impl<S: AsyncWrite + Unpin, G: Unpin> AsyncWrite for TrackedStream<S, G> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.observer.has_written(!bytes.is_empty(), &result);
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, buffers));
        self.observer.has_written(has_bytes(buffers), &result);
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_flush(context));
        self.observer.has_flushed(&result);
        Poll::Ready(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.observer.shuts_down();
        let result = ready!(Pin::new(&mut self.stream).poll_shutdown(context));
        self.observer.has_shut_down(&result);
        Poll::Ready(result)
    }
}
