//! The part that decides, apart from the stream.

use std::io::{self, ErrorKind};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cause::Weight;
use crate::classify::{deciding_kind, is_deadline};
use crate::{
    Cause, ConnectType, Disconnect, DisconnectReason, Evidence, Initiator, Trigger, clock,
};

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // they do not depend on one another
pub(super) struct Observer {
    pub(super) cause: Cause,
    connect_type: ConnectType,
    pub(super) end_of_file: EndOfFile,
    /// This side has shut the stream down.
    is_shut_down: bool,
    /// The peer's end of file was read.
    has_stopped: bool,
    /// The first stream of its cause.
    counts: bool,
    /// A read found nothing and waits.
    is_waiting: bool,
    /// Bytes came, and the clock was not read since.
    has_unread_clock: bool,
}

/// What an end of file means where nothing was presumed.
#[derive(Debug, Clone, Copy)]
pub(super) enum EndOfFile {
    /// The connection has ended.
    Ends(DisconnectReason, Initiator),
    /// That side sends no more, and the connection lives on.
    Stops(Initiator),
}

impl Observer {
    pub(super) fn new(connect_type: ConnectType, cause: Cause) -> Self {
        let counts = !mem::replace(&mut cause.cell().lock().is_tracked, true);
        Self {
            connect_type,
            end_of_file: EndOfFile::Ends(DisconnectReason::NetworkError, Initiator::Network),
            is_shut_down: false,
            has_stopped: false,
            counts,
            is_waiting: false,
            has_unread_clock: false,
            cause,
        }
    }

    /// A read that returned. After bytes the clock is read only where the read had to wait.
    #[inline]
    pub(super) fn read(&mut self, wanted_bytes: bool, result: &io::Result<usize>) {
        match result {
            Ok(0) if wanted_bytes => self.reached_end_of_file(),
            Ok(count) => {
                if self.counts && *count > 0 {
                    add(&self.cause.cell().traffic.received, *count);
                    self.has_unread_clock = true;
                    if self.is_waiting {
                        self.is_waiting = false;
                        self.read_clock();
                    }
                }
            }
            Err(error) => self.failed("read", error),
        }
    }

    /// A read that blocked for as long as it had to: each is a wait.
    #[inline]
    pub(super) fn blocked(&mut self, wanted_bytes: bool, result: &io::Result<usize>) {
        self.is_waiting = true;
        self.read(wanted_bytes, result);
    }

    /// A poll that found nothing: a wait begins.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(super) fn waits(&mut self) {
        self.is_waiting = true;
        if self.has_unread_clock {
            self.read_clock();
        }
    }

    #[inline]
    fn read_clock(&mut self) {
        self.has_unread_clock = false;
        let heard = &self.cause.cell().traffic.heard;
        heard.store(clock::now(), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn wrote(&mut self, had_bytes: bool, result: &io::Result<usize>) {
        match result {
            Ok(0) if had_bytes => self.failed("write", &ErrorKind::WriteZero.into()),
            Ok(count) => {
                if self.counts {
                    add(&self.cause.cell().traffic.sent, *count);
                }
            }
            Err(error) => self.failed("write", error),
        }
    }

    #[inline]
    pub(super) fn flushed(&mut self, result: &io::Result<()>) {
        if let Err(error) = result {
            self.failed("flush", error);
        }
    }

    #[cfg(feature = "tokio")]
    pub(super) fn shut_down(&mut self, result: &io::Result<()>) {
        match result {
            Ok(()) => {
                if !self.is_shut_down && !self.has_stopped {
                    self.cause.note_shut_down(self.connect_type);
                }
                self.is_shut_down = true;
            }
            Err(error) => self.failed("shutdown", error),
        }
    }

    #[cold]
    fn reached_end_of_file(&mut self) {
        self.note_last_bytes();
        self.has_stopped = true;
        // This side shut down first; the peer's end of file only answers that.
        if self.is_shut_down {
            return;
        }
        match self.end_of_file {
            EndOfFile::Stops(peer) => self.cause.note_stopped(self.connect_type, peer),
            EndOfFile::Ends(reason, initiator) => {
                let unless_presumed = || Disconnect::new(self.connect_type, reason).by(initiator);
                let end = self.cause.own_presumption().unwrap_or_else(unless_presumed);
                let end = end.with_trigger(Trigger::EndOfFile);
                self.cause.record(Evidence::Transport, end);
            }
        }
    }

    #[cold]
    fn failed(&mut self, operation: &str, error: &io::Error) {
        let lives_on = matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock);
        if lives_on || is_deadline(error) {
            return;
        }
        self.note_last_bytes();
        let kind = deciding_kind(error);
        let trigger = kind.and_then(Trigger::from_io_error_kind);
        let may_be_presumed = matches!(trigger, Some(Trigger::Reset | Trigger::BrokenPipe));
        if may_be_presumed && self.has_stopped {
            return;
        }
        let presumed = self.cause.own_presumption().filter(|_| may_be_presumed);
        let mut end = presumed.unwrap_or_else(|| match kind {
            Some(ErrorKind::InvalidData) => {
                Disconnect::new(self.connect_type, DisconnectReason::ProtocolError)
            }
            // Without a reason of its own, an error of the transport is still a network error.
            Some(_) | None => Disconnect::new(self.connect_type, DisconnectReason::NetworkError)
                .with_initiator(Initiator::Network),
        });
        end.trigger = trigger;
        if end.detail.is_none() {
            end = end.with_text(&format_args!("{operation} failed: {error}"));
        }
        let weight = match kind {
            Some(ErrorKind::NotConnected) => Weight::Failed,
            Some(_) | None => Weight::Transport,
        };
        self.cause.observe(weight, end);
    }

    /// Reads the clock for bytes that came without a wait, since the stream ends now.
    fn note_last_bytes(&mut self) {
        if self.has_unread_clock {
            self.read_clock();
        }
    }
}

/// There is one writer, so this needs no atomic addition.
#[inline]
fn add(counter: &AtomicU64, count: usize) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(count as u64);
    counter.store(sum, Ordering::Relaxed);
}
