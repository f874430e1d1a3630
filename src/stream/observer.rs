//! The part that decides, apart from the stream.

use std::io::{self, ErrorKind};

use crate::cause::{Direction, State, Transport, Weight};
use crate::error::{Finding, is_end_of_terminal};
use crate::{Cause, ConnectType, Disconnect, DisconnectReason, Evidence, Initiator, Trigger, clock};

#[derive(Debug)]
pub(super) struct Observer {
    pub(super) cause: Cause,
    /// This stream's place in its cause.
    place: u32,
    connect_type: ConnectType,
    pub(super) end_of_file: EndOfFile,
    is_read: bool,
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
        let place = cause.track(peer.is_side().then_some(peer));
        Self { cause, place, connect_type, end_of_file: EndOfFile::Failure, is_read: false }
    }

    fn note(&self, change: impl FnOnce(&mut Transport)) {
        change(self.cause.lock().transport(self.place));
    }

    /// A read begins.
    pub(super) fn reads(&mut self) {
        if !self.is_read {
            self.is_read = true;
            self.note(|transport| transport.incoming = Direction::Open);
        }
    }

    /// A read has returned.
    pub(super) fn has_read(&self, wanted_bytes: bool, result: &io::Result<usize>) {
        match result {
            Ok(0) if wanted_bytes => self.stopped(),
            Ok(0) => {}
            Ok(count) => {
                let now = clock::now();
                self.note(|transport| {
                    transport.received = transport.received.saturating_add(*count as u64);
                    transport.heard = now;
                });
            }
            Err(error) if is_end_of_terminal(error) => self.stopped(),
            Err(error) => self.failed("read", error),
        }
    }

    pub(super) fn has_written(&self, had_bytes: bool, result: &io::Result<usize>) {
        match result {
            Ok(0) if had_bytes => self.failed("write", &ErrorKind::WriteZero.into()),
            Ok(0) => {}
            Ok(count) => self.note(|transport| {
                transport.sent = transport.sent.saturating_add(*count as u64);
                transport.outgoing = Direction::Open;
            }),
            Err(error) => self.failed("write", error),
        }
    }

    /// A shutdown begins. From here on it can be answered, since another handle may read the answer before it returns.
    #[cfg(feature = "tokio")]
    pub(super) fn shuts_down(&self) {
        self.note(|transport| transport.outgoing = Direction::Ended);
    }

    #[cfg(feature = "tokio")]
    pub(super) fn has_shut_down(&self, result: &io::Result<()>) {
        match result {
            // Newer versions of tokio take a `NotConnected` for a shutdown themselves.
            Err(error) if error.kind() != ErrorKind::NotConnected => self.failed("shutdown", error),
            Ok(()) | Err(_) => self.cause.lock().note_shut_down(self.place, self.connect_type),
        }
    }

    #[cold]
    fn stopped(&self) {
        self.cause.observe(|state| {
            // It answers the shutdown of this side.
            let is_answer = state.is_shut_down(self.place);
            if is_answer {
                state.note_shut_down(self.place, self.connect_type);
            }
            let transport = state.transport(self.place);
            transport.incoming = Direction::Ended;
            let peer = transport.peer;
            if is_answer { None } else { self.end_of_file(state, peer) }
        });
    }

    fn end_of_file(&self, state: &mut State, peer: Option<Initiator>) -> Option<(Weight, Disconnect)> {
        let layer = self.connect_type;
        let (weight, end) = match (self.end_of_file, state.presumed_of(peer)) {
            (EndOfFile::HalfClose, _) => {
                state.open().half_closed.get_or_insert((layer, peer));
                return None;
            }
            (EndOfFile::Failure | EndOfFile::Goodbye, Some(end)) => (Weight::Presumed, end),
            (EndOfFile::Goodbye, None) => {
                (Weight::Goodbye, Disconnect::closed_by(layer, peer.unwrap_or_default()))
            }
            (EndOfFile::Failure, None) => {
                let end = Disconnect::failure(layer, DisconnectReason::NetworkError);
                (Weight::Known(Evidence::Transport), end)
            }
        };
        Some((weight, Disconnect { trigger: Some(Trigger::EndOfFile), peer, ..end }))
    }

    pub(super) fn has_flushed(&self, result: &io::Result<()>) {
        if let Err(error) = result {
            self.failed("flush", error);
        }
    }

    #[cold]
    fn failed(&self, operation: &str, error: &io::Error) {
        let finding = Finding::of(error);
        if finding.ends_nothing() {
            return;
        }
        // Without a meaning of its own, an error of the transport is still one.
        let is_nothing = finding.weight == Weight::Text;
        let Finding { reason, trigger, weight } = if is_nothing { Finding::FAILED } else { finding };
        let failure = Disconnect::failure(self.connect_type, reason);
        let failure = failure.with_text(&format_args!("{operation} failed: {error}"));
        self.cause.observe(|state| {
            let peer = state.transport(self.place).peer;
            if state.was_ended_beside(peer) {
                // What a stream meets corrects nothing that one of another peer assumed.
                return None;
            }
            let is_broken = operation == "write" && trigger == Some(Trigger::BrokenPipe);
            if is_broken && state.is_shut_down(self.place) {
                // By this side's own shutdown, whatever the peer does.
                return None;
            }
            let mut end = (weight, failure);
            if matches!(trigger, Some(Trigger::Reset | Trigger::BrokenPipe)) {
                if state.has_stopped(self.place) {
                    // Nothing new, but that it does not listen on.
                    state.open().has_left = true;
                    return None;
                }
                if let Some(presumed) = state.presumed_of(peer) {
                    let detail = presumed.detail.clone().or(end.1.detail);
                    end = (Weight::Presumed, Disconnect { detail, ..presumed });
                }
            }
            Some((end.0, Disconnect { trigger, peer, ..end.1 }))
        });
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.note(|transport| transport.is_gone = true);
    }
}
