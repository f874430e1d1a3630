//! slog: the record and each enum as [`KV`], each enum as a [`Value`] too.
//!
//! Fields go out from the most specific to the most general, as the docs of [`KV`] ask; slog-term's
//! `use_original_order` turns that round, so that a line reads from the layer to the detail.

use ::slog::{KV, Key, Record, Result, Serializer, Value};

use crate::disconnect::take_apart;
use crate::escaped::Escaped;
use crate::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger, keys,
};

/// Writes every field that is there, from the detail to the layer.
///
/// slog-term separates fields with commas and does not quote them. With its `use_original_order` the
/// detail comes last, so a detail of `x, disconnect_expected: true` overrides the real field for a parser
/// that takes the last value. Let machines read JSON.
impl KV for Disconnect {
    fn serialize(&self, record: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        take_apart!(self => detail connect_type reason initiator trigger peer code origin;
            exit_code connection_method connection_duration_ms peer_silence_ms
            bytes_received bytes_sent clock_jump_ms);

        macro_rules! emit {
            ($($key:ident: $value:expr;)*) => {
                $(if let Some(value) = &$value {
                    Value::serialize(value, record, Key::from(keys::$key), serializer)?;
                })*
            };
        }
        emit! {
            DISCONNECT_DETAIL: detail.as_ref().map(Escaped::as_str);
            CLOCK_JUMP_MS: clock_jump_ms;
            BYTES_SENT: bytes_sent;
            BYTES_RECEIVED: bytes_received;
            PEER_SILENCE_MS: peer_silence_ms;
            CONNECTION_DURATION_MS: connection_duration_ms;
            CONNECTION_METHOD: connection_method;
            EXIT_CODE: exit_code;
            DISCONNECT_ORIGIN: origin;
            DISCONNECT_CODE: code;
            DISCONNECT_PEER: peer;
            DISCONNECT_TRIGGER: trigger;
            DISCONNECT_INITIATOR: initiator;
        }
        KV::serialize(&reason, record, serializer)?;
        KV::serialize(&connect_type, record, serializer)
    }
}

impl KV for DisconnectReason {
    fn serialize(&self, _record: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        serializer.emit_bool(Key::from(keys::DISCONNECT_EXPECTED), self.expected())?;
        serializer.emit_str(Key::from(Self::KEY), self.as_str())
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
            fn serialize(&self, record: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
                Value::serialize(self, record, Key::from(Self::KEY), serializer)
            }
        }
    )*};
}
kv_under_own_key!(CloseCode ConnectType ConnectionMethod Initiator Trigger);

macro_rules! value_as_text {
    ($($name:ident)*) => {$(
        impl Value for $name {
            fn serialize(&self, _: &Record<'_>, key: Key, serializer: &mut dyn Serializer) -> Result {
                serializer.emit_str(key, self.as_str())
            }
        }
    )*};
}
value_as_text!(ConnectType ConnectionMethod DisconnectReason Initiator Trigger);

/// Logs a [`Disconnect`](crate::Disconnect) with slog, at one level if the end is expected and at
/// another if it is not.
///
/// slog's macros take the level as a constant, so without this macro each line would be written twice. It
/// takes the logger, the two levels, if wanted a third one for an inherited line (one outage under 65 channels need not
/// be 65 warnings), the record, and then what slog's own macros take: a message with arguments, and more fields after a
/// semicolon. The callsite (module, file, line) is the caller's own.
/// The message is not formatted if its level is off.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{classify_channel_close, disconnect_log};
/// use slog::{Discard, Level, Logger, o};
///
/// let log = Logger::root(Discard, o!());
/// # let addr = "127.0.0.1:2222";
/// let copied: std::io::Result<u64> = Ok(42);
/// let end = classify_channel_close(&copied);
/// disconnect_log!(log, expected: Level::Debug, unexpected: Level::Warning, end, "channel closed");
/// disconnect_log!(log, expected: Level::Debug, unexpected: Level::Warning, inherited: Level::Debug, end,
///     "channel of {} closed", addr; "peer" => addr);
/// assert!(end.expected());
/// ```
#[macro_export]
#[cfg_attr(docsrs, doc(cfg(feature = "slog")))]
macro_rules! disconnect_log {
    // The message and its arguments go before the record, so each token up to the semicolon is moved there.
    (@log $log:expr, $level:expr, $end:ident, [$($message:tt)+] $(; $($fields:tt)*)?) => {
        $crate::__slog::log!($log, $level, "", $($message)+; $end $(, $($fields)*)?)
    };
    (@log $log:expr, $level:expr, $end:ident, [$($message:tt)*] $next:tt $($rest:tt)*) => {
        $crate::disconnect_log!(@log $log, $level, $end, [$($message)* $next] $($rest)*)
    };
    (
        $log:expr, expected: $expected:expr, unexpected: $unexpected:expr, inherited: $inherited:expr,
        $disconnect:expr, $($message:tt)+
    ) => {{
        let end: &$crate::Disconnect = &$disconnect;
        if end.origin().is_some() {
            $crate::disconnect_log!(@log $log, $inherited, end, [] $($message)+);
        } else {
            $crate::disconnect_log!(
                $log, expected: $expected, unexpected: $unexpected, end, $($message)+
            );
        }
    }};
    (
        $log:expr, expected: $expected:expr, unexpected: $unexpected:expr, $disconnect:expr,
        $($message:tt)+
    ) => {{
        let end: &$crate::Disconnect = &$disconnect;
        if end.expected() {
            $crate::disconnect_log!(@log $log, $expected, end, [] $($message)+);
        } else {
            $crate::disconnect_log!(@log $log, $unexpected, end, [] $($message)+);
        }
    }};
}
