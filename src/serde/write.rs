//! The record as a flat map, each enum as its text.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::disconnect::{Facts, Fields};
use crate::escaped::Escaped;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
    keys,
};

/// Writes the fields that are there, under their [keys], from the layer to the numbers.
impl Serialize for Disconnect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Disconnect { fields, detail } = self;
        let &Fields {
            connect_type,
            reason,
            initiator,
            trigger,
            peer,
            code,
            origin,
            facts,
        } = fields;
        let Facts {
            exit_code,
            connection_method,
            connection_duration_ms,
            peer_silence_ms,
            bytes_received,
            bytes_sent,
            clock_jump_ms,
        } = facts;

        macro_rules! values {
            ($($key:ident: $kind:ident $value:expr;)*) => {
                [$((keys::$key, $value.map(Value::$kind)),)*]
            };
        }
        let values = values! {
            CONNECT_TYPE: Text Some(connect_type.as_str());
            DISCONNECT_REASON: Text Some(reason.as_str());
            DISCONNECT_EXPECTED: Bool Some(reason.expected());
            DISCONNECT_INITIATOR: Text initiator.map(Initiator::as_str);
            DISCONNECT_TRIGGER: Text trigger.map(Trigger::as_str);
            DISCONNECT_PEER: Text peer.map(Initiator::as_str);
            DISCONNECT_CODE: Code code;
            DISCONNECT_DETAIL: Text detail.as_ref().map(Escaped::as_str);
            DISCONNECT_ORIGIN: Text origin.map(ConnectType::as_str);
            EXIT_CODE: Signed exit_code.map(i64::from);
            CONNECTION_METHOD: Text connection_method.map(ConnectionMethod::as_str);
            CONNECTION_DURATION_MS: Unsigned connection_duration_ms;
            PEER_SILENCE_MS: Unsigned peer_silence_ms;
            BYTES_RECEIVED: Unsigned bytes_received;
            BYTES_SENT: Unsigned bytes_sent;
            CLOCK_JUMP_MS: Signed clock_jump_ms;
        };
        let count = values.iter().filter(|(_, value)| value.is_some()).count();
        let mut map = serializer.serialize_map(Some(count))?;
        for (key, value) in values {
            if let Some(value) = value {
                map.serialize_entry(key, &value)?;
            }
        }
        map.end()
    }
}

enum Value<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Text(&'a str),
    Code(CloseCode),
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Code(value) => value.serialize(serializer),
        }
    }
}

impl Serialize for CloseCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

macro_rules! written_as_text {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )*};
}
written_as_text!(ConnectType ConnectionMethod DisconnectReason Initiator Trigger);
