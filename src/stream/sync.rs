//! `std::io`.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use super::TrackedStream;

impl<S: Read, G> Read for TrackedStream<S, G> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.stream.read(buffer);
        self.observer.blocked(!buffer.is_empty(), &result);
        result
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let result = self.stream.read_vectored(buffers);
        let wanted_bytes = buffers.iter().any(|buffer| !buffer.is_empty());
        self.observer.blocked(wanted_bytes, &result);
        result
    }
}

impl<S: Write, G> Write for TrackedStream<S, G> {
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

pub(super) fn has_bytes(buffers: &[IoSlice<'_>]) -> bool {
    buffers.iter().any(|buffer| !buffer.is_empty())
}
