use std::fmt;

use crate::escaped::Escaped;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
};

/// What is measured or known of the connection itself: never a cause, never inherited.
///
/// The numbers share one byte of flags, since four `Option<u64>` would take 32 bytes more.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    pub(crate) exit_code: Option<i32>,
    pub(crate) connection_method: Option<ConnectionMethod>,
    present: u8,
    numbers: [u64; 4],
    /// 0 means none.
    pub(crate) clock_jump_ms: i64,
}

/// The place of a number in [`Facts`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    ConnectionDurationMs,
    PeerSilenceMs,
    BytesReceived,
    BytesSent,
}

impl Facts {
    pub(crate) const NONE: Self = Self {
        exit_code: None,
        connection_method: None,
        present: 0,
        numbers: [0; 4],
        clock_jump_ms: 0,
    };

    pub(crate) const fn is_none(&self) -> bool {
        self.exit_code.is_none()
            && self.connection_method.is_none()
            && self.present == 0
            && self.clock_jump_ms == 0
    }

    pub(crate) const fn number(&self, number: Number) -> Option<u64> {
        if self.present & 1 << number as u8 == 0 {
            None
        } else {
            Some(self.numbers[number as usize])
        }
    }

    pub(crate) const fn set(&mut self, number: Number, value: u64) {
        self.present |= 1 << number as u8;
        self.numbers[number as usize] = value;
    }

    /// Takes from `others` what is missing here.
    pub(crate) fn fill(&mut self, others: &Self) {
        self.exit_code = self.exit_code.or(others.exit_code);
        self.connection_method = self.connection_method.or(others.connection_method);
        for number in [
            Number::ConnectionDurationMs,
            Number::PeerSilenceMs,
            Number::BytesReceived,
            Number::BytesSent,
        ] {
            if let (None, Some(value)) = (self.number(number), others.number(number)) {
                self.set(number, value);
            }
        }
        if self.clock_jump_ms == 0 {
            self.clock_jump_ms = others.clock_jump_ms;
        }
    }
}

/// The code and the facts, which a record that is classified where it is logged seldom has.
///
/// Without them it is one byte to write instead of 72, and one to look at. Never empty inside, so that equal
/// records are equal values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct More(Option<CodeAndFacts>);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct CodeAndFacts {
    code: Option<CloseCode>,
    facts: Facts,
}

impl More {
    /// No constant: that would be copied whole.
    #[inline]
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) const fn new(code: Option<CloseCode>, facts: Facts) -> Self {
        if code.is_none() && facts.is_none() {
            Self(None)
        } else {
            Self(Some(CodeAndFacts { code, facts }))
        }
    }

    #[inline]
    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    pub(crate) const fn code(&self) -> Option<CloseCode> {
        match self.0 {
            Some(CodeAndFacts { code, facts: _ }) => code,
            None => None,
        }
    }

    #[inline]
    pub(crate) const fn facts(&self) -> Facts {
        match self.0 {
            Some(CodeAndFacts { code: _, facts }) => facts,
            None => Facts::NONE,
        }
    }

    #[inline]
    pub(crate) const fn set_code(&mut self, code: CloseCode) {
        *self = Self::new(Some(code), self.facts());
    }

    #[inline]
    pub(crate) const fn set_facts(&mut self, facts: Facts) {
        *self = Self::new(self.code(), facts);
    }

    /// Takes from `others` the facts that are missing here.
    pub(crate) fn fill_facts(&mut self, others: &Self) {
        if !others.is_none() {
            let mut facts = self.facts();
            facts.fill(&others.facts());
            self.set_facts(facts);
        }
    }
}

impl fmt::Debug for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("More")
            .field("code", &self.code())
            .field("facts", &self.facts())
            .finish()
    }
}

#[allow(clippy::missing_fields_in_debug)] // the numbers under their names, without the flags
impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("exit_code", &self.exit_code)
            .field("connection_method", &self.connection_method)
            .field(
                "connection_duration_ms",
                &self.number(Number::ConnectionDurationMs),
            )
            .field("peer_silence_ms", &self.number(Number::PeerSilenceMs))
            .field("bytes_received", &self.number(Number::BytesReceived))
            .field("bytes_sent", &self.number(Number::BytesSent))
            .field("clock_jump_ms", &self.clock_jump_ms)
            .finish()
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
            origin,
            ref detail,
            more,
        } = self;
        let facts = more.facts();
        let Facts {
            exit_code,
            connection_method,
            present: _,
            numbers: _,
            clock_jump_ms: _,
        } = facts;
        __Fields {
            connect_type,
            reason,
            initiator,
            trigger,
            code: more.code(),
            detail: detail.as_ref().map(Escaped::as_str),
            origin,
            exit_code,
            connection_method,
            connection_duration_ms: facts.number(Number::ConnectionDurationMs),
            peer_silence_ms: facts.number(Number::PeerSilenceMs),
            bytes_received: facts.number(Number::BytesReceived),
            bytes_sent: facts.number(Number::BytesSent),
            clock_jump_ms: self.clock_jump(),
        }
    }
}
