//! `std::io`.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};

use super::{Observer, TrackedStream};

impl<S, G> TrackedStream<S, G> {
    /// Shows a result to the observer, but for what may be a blocking socket's own timeout: on Unix that is a
    /// `WouldBlock`; Windows has one code (`WSAETIMEDOUT`) for it and for TCP that gives up.
    fn seen<T>(
        &mut self,
        result: io::Result<T>,
        see: impl FnOnce(&Observer, &io::Result<T>),
    ) -> io::Result<T> {
        let is_timeout = |error: &io::Error| cfg!(windows) && error.kind() == ErrorKind::TimedOut;
        if !result.as_ref().is_err_and(is_timeout) {
            see(&self.observer, &result);
        }
        result
    }
}

impl<S: Read, G> Read for TrackedStream<S, G> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.observer.reads();
        let result = self.stream.read(buffer);
        self.seen(result, |observer, result| observer.has_read(!buffer.is_empty(), result))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.observer.reads();
        let result = self.stream.read_vectored(buffers);
        let wanted_bytes = buffers.iter().any(|buffer| !buffer.is_empty());
        self.seen(result, |observer, result| observer.has_read(wanted_bytes, result))
    }
}

impl<S: Write, G> Write for TrackedStream<S, G> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.stream.write(bytes);
        self.seen(result, |observer, result| observer.has_written(!bytes.is_empty(), result))
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.stream.write_vectored(buffers);
        self.seen(result, |observer, result| observer.has_written(has_bytes(buffers), result))
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.stream.flush();
        self.seen(result, Observer::has_flushed)
    }
}

pub(super) fn has_bytes(buffers: &[IoSlice<'_>]) -> bool {
    buffers.iter().any(|buffer| !buffer.is_empty())
}
