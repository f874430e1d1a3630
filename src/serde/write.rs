//! The record as a flat map, each enum as its text.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::disconnect::{Facts, Fields};
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

        let text = Value::Text;
        let values = [
            (keys::CONNECT_TYPE, Some(text(connect_type.as_str()))),
            (keys::DISCONNECT_REASON, Some(text(reason.as_str()))),
            (
                keys::DISCONNECT_EXPECTED,
                Some(Value::Bool(reason.expected())),
            ),
            (
                keys::DISCONNECT_INITIATOR,
                initiator.map(|it| text(it.as_str())),
            ),
            (
                keys::DISCONNECT_TRIGGER,
                trigger.map(|it| text(it.as_str())),
            ),
            (keys::DISCONNECT_PEER, peer.map(|it| text(it.as_str()))),
            (keys::DISCONNECT_CODE, code.map(Value::Code)),
            (
                keys::DISCONNECT_DETAIL,
                detail.as_ref().map(|it| text(it.as_str())),
            ),
            (keys::DISCONNECT_ORIGIN, origin.map(|it| text(it.as_str()))),
            (
                keys::EXIT_CODE,
                exit_code.map(|it| Value::Signed(it.into())),
            ),
            (
                keys::CONNECTION_METHOD,
                connection_method.map(|it| text(it.as_str())),
            ),
            (
                keys::CONNECTION_DURATION_MS,
                connection_duration_ms.map(Value::Unsigned),
            ),
            (keys::PEER_SILENCE_MS, peer_silence_ms.map(Value::Unsigned)),
            (keys::BYTES_RECEIVED, bytes_received.map(Value::Unsigned)),
            (keys::BYTES_SENT, bytes_sent.map(Value::Unsigned)),
            (keys::CLOCK_JUMP_MS, clock_jump_ms.map(Value::Signed)),
        ];
        let present = || {
            values
                .iter()
                .filter_map(|(key, value)| Some((key, value.as_ref()?)))
        };
        let mut map = serializer.serialize_map(Some(present().count()))?;
        for (key, value) in present() {
            map.serialize_entry(key, value)?;
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
