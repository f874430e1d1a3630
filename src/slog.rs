//! slog: the record and each enum as [`KV`], each enum as a [`Value`] too.
//!
//! Fields go out from the most specific to the most general, as the docs of [`KV`] ask; slog-term's
//! `use_original_order` turns that round, so that a line reads from the layer to the detail.

use slog::{KV, Key, Record, Result, Serializer, Value};

use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, keys,
};

impl KV for Disconnect {
    fn serialize(&self, record: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        if let Some(method) = self.connection_method() {
            KV::serialize(&method, record, serializer)?;
        }
        if let Some(exit_code) = self.exit_code() {
            serializer.emit_i32(Key::from(keys::EXIT_CODE), exit_code)?;
        }
        if let Some(code) = self.code() {
            KV::serialize(&code, record, serializer)?;
        }
        if let Some(detail) = self.detail() {
            serializer.emit_str(Key::from(keys::DISCONNECT_DETAIL), detail)?;
        }
        if let Some(initiator) = self.initiator() {
            KV::serialize(&initiator, record, serializer)?;
        }
        KV::serialize(&self.reason(), record, serializer)?;
        KV::serialize(&self.connect_type(), record, serializer)
    }
}

/// Writes the reason and `disconnect_expected`, so that no site can forget the second.
impl KV for DisconnectReason {
    fn serialize(&self, _record: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        serializer.emit_bool(Key::from(keys::DISCONNECT_EXPECTED), self.expected())?;
        serializer.emit_str(Key::from(Self::KEY), self.as_str())
    }
}

impl KV for CloseCode {
    fn serialize(&self, record: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        Value::serialize(self, record, Key::from(Self::KEY), serializer)
    }
}

impl Value for CloseCode {
    fn serialize(&self, _record: &Record<'_>, key: Key, serializer: &mut dyn Serializer) -> Result {
        serializer.emit_arguments(key, &format_args!("{self}"))
    }
}

macro_rules! kv_under_own_key {
    ($($name:ident)*) => {$(
        impl KV for $name {
            fn serialize(&self, _record: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
                serializer.emit_str(Key::from(Self::KEY), self.as_str())
            }
        }
    )*};
}
kv_under_own_key!(ConnectType ConnectionMethod Initiator);

macro_rules! value_as_text {
    ($($name:ident)*) => {$(
        impl Value for $name {
            fn serialize(
                &self,
                _record: &Record<'_>,
                key: Key,
                serializer: &mut dyn Serializer,
            ) -> Result {
                serializer.emit_str(key, self.as_str())
            }
        }
    )*};
}
value_as_text!(ConnectType ConnectionMethod DisconnectReason Initiator);
