use std::num::NonZeroI64;

use crate::escaped::Escaped;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
};

/// What is measured or known of the connection itself: never a cause, never inherited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Facts {
    pub(crate) exit_code: Option<i32>,
    pub(crate) connection_method: Option<ConnectionMethod>,
    pub(crate) connection_duration_ms: Option<u64>,
    pub(crate) peer_silence_ms: Option<u64>,
    pub(crate) bytes_received: Option<u64>,
    pub(crate) bytes_sent: Option<u64>,
    pub(crate) clock_jump_ms: Option<NonZeroI64>,
}

impl Facts {
    pub(crate) const NONE: Self = Self {
        exit_code: None,
        connection_method: None,
        connection_duration_ms: None,
        peer_silence_ms: None,
        bytes_received: None,
        bytes_sent: None,
        clock_jump_ms: None,
    };

    /// Takes from `others` what is missing here.
    pub(crate) fn fill(&mut self, others: &Self) {
        *self = Self {
            exit_code: self.exit_code.or(others.exit_code),
            connection_method: self.connection_method.or(others.connection_method),
            connection_duration_ms: self
                .connection_duration_ms
                .or(others.connection_duration_ms),
            peer_silence_ms: self.peer_silence_ms.or(others.peer_silence_ms),
            bytes_received: self.bytes_received.or(others.bytes_received),
            bytes_sent: self.bytes_sent.or(others.bytes_sent),
            clock_jump_ms: self.clock_jump_ms.or(others.clock_jump_ms),
        };
    }
}

/// Every field of a record, as the adapters write it.
///
/// Each adapter takes this apart field by field, without `..`: a new field stops the build of all of
/// them until each has decided. Public for the expansion of `disconnect_event!` alone.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct __Fields<'a> {
    pub connect_type: ConnectType,
    pub reason: DisconnectReason,
    pub initiator: Option<Initiator>,
    pub trigger: Option<Trigger>,
    pub peer: Option<Initiator>,
    pub code: Option<CloseCode>,
    pub detail: Option<&'a str>,
    pub origin: Option<ConnectType>,
    pub exit_code: Option<i32>,
    pub connection_method: Option<ConnectionMethod>,
    pub connection_duration_ms: Option<u64>,
    pub peer_silence_ms: Option<u64>,
    pub bytes_received: Option<u64>,
    pub bytes_sent: Option<u64>,
    pub clock_jump_ms: Option<i64>,
}

impl Disconnect {
    #[doc(hidden)]
    #[must_use]
    #[inline]
    pub fn __fields(&self) -> __Fields<'_> {
        let &Self {
            connect_type,
            reason,
            initiator,
            trigger,
            peer,
            code,
            origin,
            ref detail,
            facts:
                Facts {
                    exit_code,
                    connection_method,
                    connection_duration_ms,
                    peer_silence_ms,
                    bytes_received,
                    bytes_sent,
                    clock_jump_ms,
                },
        } = self;
        __Fields {
            connect_type,
            reason,
            initiator,
            trigger,
            peer,
            code,
            detail: detail.as_ref().map(Escaped::as_str),
            origin,
            exit_code,
            connection_method,
            connection_duration_ms,
            peer_silence_ms,
            bytes_received,
            bytes_sent,
            clock_jump_ms: clock_jump_ms.map(NonZeroI64::get),
        }
    }
}
