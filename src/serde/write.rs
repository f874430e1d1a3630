//! The record as a flat map, each enum as its text.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::disconnect::take_apart;
use crate::escaped::Escaped;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger, keys,
};

/// Writes the fields that are there, under their [keys], from the layer to the numbers.
impl Serialize for Disconnect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        take_apart!(self => detail connect_type reason initiator trigger peer code origin;
            exit_code connection_method connection_duration_ms peer_silence_ms
            bytes_received bytes_sent clock_jump_ms);

        macro_rules! write {
            ($($key:ident: $value:expr;)*) => {
                let present = [$($value.is_some()),*].into_iter().filter(|is_present| *is_present);
                let mut map = serializer.serialize_map(Some(present.count()))?;
                $(if let Some(value) = &$value {
                    map.serialize_entry(keys::$key, value)?;
                })*
                map.end()
            };
        }
        write! {
            CONNECT_TYPE: Some(connect_type);
            DISCONNECT_REASON: Some(reason);
            DISCONNECT_EXPECTED: Some(reason.expected());
            DISCONNECT_INITIATOR: initiator;
            DISCONNECT_TRIGGER: trigger;
            DISCONNECT_PEER: peer;
            DISCONNECT_CODE: code;
            DISCONNECT_DETAIL: detail.as_ref().map(Escaped::as_str);
            DISCONNECT_ORIGIN: origin;
            EXIT_CODE: exit_code.map(i64::from);
            CONNECTION_METHOD: connection_method;
            CONNECTION_DURATION_MS: connection_duration_ms;
            PEER_SILENCE_MS: peer_silence_ms;
            BYTES_RECEIVED: bytes_received;
            BYTES_SENT: bytes_sent;
            CLOCK_JUMP_MS: clock_jump_ms;
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
