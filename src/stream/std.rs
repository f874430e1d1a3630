//! `std::io`.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use super::TrackedStream;
use crate::error::may_be_socket_timeout;

/// A timeout of this side's ends nothing.
#[inline]
fn may_be_timeout<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(may_be_socket_timeout)
}

impl<S: Read, G> Read for TrackedStream<S, G> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.observer.reads();
        let result = self.stream.read(buffer);
        if !may_be_timeout(&result) {
            self.observer.has_read(!buffer.is_empty(), &result);
        }
        result
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.observer.reads();
        let result = self.stream.read_vectored(buffers);
        let wanted_bytes = buffers.iter().any(|buffer| !buffer.is_empty());
        if !may_be_timeout(&result) {
            self.observer.has_read(wanted_bytes, &result);
        }
        result
    }
}

impl<S: Write, G> Write for TrackedStream<S, G> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.stream.write(bytes);
        if !may_be_timeout(&result) {
            self.observer.has_written(!bytes.is_empty(), &result);
        }
        result
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.stream.write_vectored(buffers);
        if !may_be_timeout(&result) {
            self.observer.has_written(has_bytes(buffers), &result);
        }
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.stream.flush();
        if !may_be_timeout(&result) {
            self.observer.has_flushed(&result);
        }
        result
    }
}

pub(super) fn has_bytes(buffers: &[IoSlice<'_>]) -> bool {
    buffers.iter().any(|buffer| !buffer.is_empty())
}
