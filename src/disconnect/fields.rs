use crate::{CloseCode, ConnectType, ConnectionMethod, DisconnectReason, Initiator, Trigger};

/// Every field of a record but the detail.
///
/// Each adapter takes this apart field by field, without `..`: a new field stops the build of all of
/// them until each has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fields {
    pub(crate) connect_type: ConnectType,
    pub(crate) reason: DisconnectReason,
    pub(crate) initiator: Option<Initiator>,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) peer: Option<Initiator>,
    pub(crate) code: Option<CloseCode>,
    pub(crate) origin: Option<ConnectType>,
    pub(crate) facts: Facts,
}

/// What is measured or known of the connection itself: never a cause, never inherited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Facts {
    pub(crate) exit_code: Option<i32>,
    pub(crate) connection_method: Option<ConnectionMethod>,
    pub(crate) connection_duration_ms: Option<u64>,
    pub(crate) peer_silence_ms: Option<u64>,
    pub(crate) bytes_received: Option<u64>,
    pub(crate) bytes_sent: Option<u64>,
    pub(crate) clock_jump_ms: Option<i64>,
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
    #[must_use]
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            exit_code: self.exit_code.or(others.exit_code),
            connection_method: self.connection_method.or(others.connection_method),
            connection_duration_ms: self
                .connection_duration_ms
                .or(others.connection_duration_ms),
            peer_silence_ms: self.peer_silence_ms.or(others.peer_silence_ms),
            bytes_received: self.bytes_received.or(others.bytes_received),
            bytes_sent: self.bytes_sent.or(others.bytes_sent),
            clock_jump_ms: self.clock_jump_ms.or(others.clock_jump_ms),
        }
    }
}
