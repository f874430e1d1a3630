//! What a cause and a guard know after some calls, by the tables in the docs.

use std::io::{self, ErrorKind};

use disconnect_attribution::{DisconnectReason, Trigger};

use super::script::Call;

/// The reason and the trigger of an end.
pub(crate) type End = (DisconnectReason, Option<Trigger>);

/// What an end of file means to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndOfFile {
    /// What it means when nothing is set.
    Breaks,
    /// `with_goodbye`: the client's.
    Goodbye,
    /// `with_half_close`: the client stops first.
    Stops,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // they do not depend on one another
pub(crate) struct Oracle {
    meaning: EndOfFile,
    presumed: Option<DisconnectReason>,
    pub(crate) known: Option<End>,
    /// What is known is expected, and only assumed.
    is_assumed: bool,
    /// What `NotConnected` left, as long as nothing better is known.
    weak: Option<End>,
    is_shut_down: bool,
    /// An end of file answers a shutdown, after which nothing was written.
    answers: bool,
    has_stopped: bool,
    /// The client stopped first, and nothing ended.
    stopped: bool,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Oracle {
    pub(crate) const fn new(meaning: EndOfFile) -> Self {
        Self {
            meaning,
            presumed: None,
            known: None,
            is_assumed: false,
            weak: None,
            is_shut_down: false,
            answers: false,
            has_stopped: false,
            stopped: false,
            received: 0,
            sent: 0,
        }
    }

    fn observed_weakly(&self) -> Option<End> {
        let graceful = (DisconnectReason::Graceful, None);
        self.weak.or(self.is_shut_down.then_some(graceful))
    }

    /// What the line reads: what is known, presumed, observed weakly, or a drop.
    pub(crate) fn line(&self) -> End {
        let presumed = self.presumed.map(|reason| (reason, None));
        let client = (DisconnectReason::ClientClosed, Some(Trigger::EndOfFile));
        self.known
            .or(presumed)
            .or(self.stopped.then_some(client))
            .or_else(|| self.observed_weakly())
            .unwrap_or((DisconnectReason::Unknown, Some(Trigger::Dropped)))
    }

    pub(crate) fn saw(&mut self, call: Call, result: &io::Result<usize>) {
        match (call, result) {
            (Call::Read(wanted), Ok(0)) if wanted > 0 => self.saw_end_of_file(),
            (Call::Write(offered), Ok(0)) if offered > 0 => {
                self.failed(ErrorKind::WriteZero, false);
            }
            (Call::Read(_), Ok(count)) => self.received += *count as u64,
            (Call::Write(_), Ok(count)) => {
                self.sent += *count as u64;
                self.answers &= *count == 0;
            }
            (Call::Flush | Call::Shutdown, Ok(_)) => {}
            (Call::Shutdown, Err(error)) if error.kind() == ErrorKind::NotConnected => {}
            (Call::Presume(reason), _) => self.presumed = reason,
            (_, Err(error)) => self.failed(error.kind(), error.raw_os_error().is_some()),
        }
    }

    /// A shutdown is a graceful end from its beginning on, unless the peer stopped before.
    pub(crate) fn begins(&mut self, call: Call) {
        self.is_shut_down |= call == Call::Shutdown && !self.has_stopped;
        self.answers |= call == Call::Shutdown;
    }

    fn saw_end_of_file(&mut self) {
        self.has_stopped = true;
        if self.answers {
            return;
        }
        let otherwise = match self.meaning {
            EndOfFile::Breaks => DisconnectReason::NetworkError,
            EndOfFile::Goodbye => DisconnectReason::ClientClosed,
            EndOfFile::Stops => {
                self.stopped = true;
                return;
            }
        };
        let reason = self.presumed.unwrap_or(otherwise);
        self.assumes(reason, Trigger::EndOfFile);
    }

    fn failed(&mut self, kind: ErrorKind, is_of_the_system: bool) {
        let network = DisconnectReason::NetworkError;
        match kind {
            ErrorKind::Interrupted | ErrorKind::WouldBlock => {}
            ErrorKind::TimedOut if !is_of_the_system => {}
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::WriteZero => {
                let is_reset = kind == ErrorKind::ConnectionReset;
                let trigger = if is_reset { Trigger::Reset } else { Trigger::BrokenPipe };
                if !self.has_stopped {
                    self.assumes(self.presumed.unwrap_or(network), trigger);
                }
            }
            ErrorKind::NotConnected => {
                let aborted = (network, Some(Trigger::Aborted));
                self.weak.get_or_insert(aborted);
            }
            ErrorKind::InvalidData => self.refutes(DisconnectReason::ProtocolError, None),
            ErrorKind::UnexpectedEof => self.refutes(network, Some(Trigger::EndOfFile)),
            // A library's word for a read of 0 bytes.
            ErrorKind::ConnectionAborted => self.ends(network, Some(Trigger::EndOfFile)),
            ErrorKind::HostUnreachable => self.ends(network, Some(Trigger::Unreachable)),
            ErrorKind::TimedOut => self.ends(network, Some(Trigger::TimedOut)),
            _ => self.ends(network, None),
        }
    }

    fn assumes(&mut self, reason: DisconnectReason, trigger: Trigger) {
        self.is_assumed |= self.known.is_none() && reason.expected();
        self.ends(reason, Some(trigger));
    }

    /// Bytes were missing or wrong.
    fn refutes(&mut self, reason: DisconnectReason, trigger: Option<Trigger>) {
        if self.is_assumed {
            let assumed = self.known.take();
            self.known = Some((reason, trigger.or(assumed.and_then(|(_, trigger)| trigger))));
            self.is_assumed = false;
        }
        self.ends(reason, trigger);
    }

    fn ends(&mut self, reason: DisconnectReason, trigger: Option<Trigger>) {
        self.known.get_or_insert((reason, trigger));
    }
}
