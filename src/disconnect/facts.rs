use crate::ConnectionMethod;

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

    /// Takes from `other` what is missing here.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            exit_code: self.exit_code.or(other.exit_code),
            connection_method: self.connection_method.or(other.connection_method),
            connection_duration_ms: self.connection_duration_ms.or(other.connection_duration_ms),
            peer_silence_ms: self.peer_silence_ms.or(other.peer_silence_ms),
            bytes_received: self.bytes_received.or(other.bytes_received),
            bytes_sent: self.bytes_sent.or(other.bytes_sent),
            clock_jump_ms: self.clock_jump_ms.or(other.clock_jump_ms),
        }
    }
}

/// Takes a whole record apart, into the names that an adapter lists: its fields, and behind the semicolon its facts. A
/// new one stops the build of each adapter until it has decided.
macro_rules! take_apart {
    ($end:expr => $detail:ident $($field:ident)*; $($fact:ident)*) => {
        let &$crate::Disconnect {
            detail: ref $detail, $($field,)* facts: $crate::disconnect::Facts { $($fact,)* },
        } = $end;
    };
}
pub(crate) use take_apart;
