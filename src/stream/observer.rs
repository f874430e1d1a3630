//! The part that decides, apart from the stream.

use std::io::{self, ErrorKind};
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::task::Poll;

use crate::cause::{Assumption, Mark, Transport, Weight};
use crate::error::{Finding, is_end_of_terminal};
use crate::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence, Initiator, Trigger};

#[derive(Debug)]
pub(super) struct Observer {
    pub(super) cause: Cause,
    /// This stream's place in its cause, unless it is the first.
    other: Option<Arc<Transport>>,
    connect_type: ConnectType,
    pub(super) end_of_file: EndOfFile,
}

/// What an end of file means if nothing is presumed.
#[derive(Debug, Clone, Copy)]
pub(super) enum EndOfFile {
    /// The transport failed.
    Failure,
    /// The peer leaves on purpose.
    Goodbye,
    /// The peer sends no more, and the connection lives on.
    HalfClose,
}

impl Observer {
    pub(super) fn new(connect_type: ConnectType, peer: Initiator, cause: Cause) -> Self {
        Self {
            other: cause.track(peer.is_side().then_some(peer)),
            connect_type,
            end_of_file: EndOfFile::Failure,
            cause,
        }
    }

    #[inline]
    fn transport(&self) -> &Transport {
        self.cause.transport(self.other.as_ref())
    }

    /// A read begins.
    #[inline]
    pub(super) fn reads(&self) {
        self.transport().set(Mark::Read);
    }

    /// A read has returned.
    #[inline]
    pub(super) fn has_read(&self, wanted_bytes: bool, result: &io::Result<usize>) {
        match result {
            Ok(0) if wanted_bytes => self.end_of_file(),
            Ok(0) => {}
            Ok(count) => self.transport().receive(*count),
            Err(error) if is_end_of_terminal(error) => self.end_of_file(),
            Err(error) => self.failed("read", error),
        }
    }

    #[inline]
    pub(super) fn has_written(&self, had_bytes: bool, result: &io::Result<usize>) {
        match result {
            Ok(0) if had_bytes => self.failed("write", &ErrorKind::WriteZero.into()),
            Ok(0) => {}
            Ok(count) => self.transport().send(*count),
            Err(error) => self.failed("write", error),
        }
    }

    #[inline]
    pub(super) fn has_flushed(&self, result: &io::Result<()>) {
        if let Err(error) = result {
            self.failed("flush", error);
        }
    }

    /// Watches a shutdown. It counts from its beginning, unless it fails or has to wait: another handle may read
    /// the answer before it returns.
    #[cfg(feature = "tokio")]
    pub(super) fn shuts_down(
        &self,
        shut_down: impl FnOnce() -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        let transport = self.transport();
        let was_shut_down = transport.has(Mark::ShutDown);
        let is_noted = self.cause.note_shut_down(self.connect_type, transport);
        let result = shut_down();
        let is_error = |error: &io::Error| error.kind() != ErrorKind::NotConnected;
        match &result {
            Poll::Ready(Err(error)) if is_error(error) => self.failed("shutdown", error),
            // Newer versions of tokio take a `NotConnected` for a shutdown themselves.
            Poll::Ready(_) => return result,
            Poll::Pending => {}
        }
        if !was_shut_down {
            self.cause.forget_shut_down(transport, is_noted);
        }
        result
    }

    #[cold]
    fn end_of_file(&self) {
        self.learn_end_of_file();
        // Last: another handle that finds the mark finds what it stands for.
        self.transport().set(Mark::Stopped);
    }

    fn learn_end_of_file(&self) {
        let transport = self.transport();
        let (layer, peer) = (self.connect_type, transport.peer);
        // Else it answers the shutdown of this side.
        let Ok(presumed) = self.cause.stopped(transport) else {
            return;
        };
        let (end, assumption) = match (self.end_of_file, presumed) {
            (EndOfFile::HalfClose, _) => return self.cause.note_half_closed(layer, peer),
            (EndOfFile::Failure | EndOfFile::Goodbye, Some(end)) => (end, Some(Assumption::Presumption)),
            (EndOfFile::Goodbye, None) => {
                let end = Disconnect::closed_by(layer, peer.unwrap_or_default());
                (end, Some(Assumption::Goodbye))
            }
            (EndOfFile::Failure, None) => {
                let reason = DisconnectReason::NetworkError;
                (Disconnect::failure(layer, reason), None)
            }
        };
        let end = end.with_trigger(Trigger::EndOfFile);
        self.record(Weight::Known(Evidence::Transport), end, assumption);
    }

    #[cold]
    fn failed(&self, operation: &str, error: &io::Error) {
        let finding = Finding::of(error);
        if finding == Some(Finding::Deadline) || error.kind() == ErrorKind::Interrupted {
            // The program may go on.
            return;
        }
        let transport = self.transport();
        // Without a meaning of its own, an error of the transport is still one.
        let weight = match finding {
            Some(_) => Finding::weight(finding, false),
            None => Weight::Known(Evidence::Transport),
        };
        let trigger = finding.and_then(Finding::trigger);
        let may_be_presumed = matches!(trigger, Some(Trigger::Reset | Trigger::BrokenPipe));
        if may_be_presumed && self.cause.has_stopped(transport) {
            // It stopped before: nothing new, but that it does not listen on.
            return self.cause.note_left();
        }
        let presumed = self.cause.presumed_of(transport);
        let presumed = presumed.filter(|_| may_be_presumed);
        let assumption = presumed.is_some().then_some(Assumption::Presumption);
        let reason = finding.map_or(DisconnectReason::NetworkError, Finding::reason);
        let mut end = presumed.unwrap_or_else(|| Disconnect::failure(self.connect_type, reason));
        end = end.with_known_trigger(trigger);
        if end.detail.is_none() {
            end = end.with_text(&format_args!("{operation} failed: {error}"));
        }
        self.record(weight, end, assumption);
    }

    fn record(&self, weight: Weight, mut end: Disconnect, assumption: Option<Assumption>) {
        end.fields.peer = self.transport().peer;
        self.cause.observe(weight, end, assumption);
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.transport().set(Mark::Gone);
    }
}
