//! tracing: the record's fields as an event.

use crate::Disconnect;
use crate::disconnect::take_apart;

/// A new field stops the build here, until the macro has it, which can only call getters.
#[allow(unused_variables)]
const _: fn(&Disconnect) = |end| {
    take_apart!(end => detail connect_type reason initiator trigger peer code origin;
        exit_code connection_method connection_duration_ms peer_silence_ms
        bytes_received bytes_sent clock_jump_ms);
};

/// Writes a `tracing` event with the fields of a [`Disconnect`](crate::Disconnect).
///
/// Keys, values and types are those that slog writes; absent fields are absent. It takes the level, the
/// record, and then whatever `tracing::event!` takes: more fields, and a message. `name:`, `target:` and
/// `parent:` may stand before the level, in this order. The callsite (module, line, target) is the
/// caller's own. The record is evaluated once; fields and message only if the level is on. The event goes wherever
/// `tracing::event!` would, also to `log` through tracing's feature of that name.
///
/// `tracing`'s macros take the level as a constant. `expected:` and `unexpected:` give two of them, one for
/// an end that is expected and one for any other; `inherited:` behind them gives one for a line whose cause another
/// line reports (one outage under 65 channels need not be 65 warnings).
///
/// # Examples
///
/// ```
/// use disconnect_attribution::{classify_channel_close, disconnect_event};
/// use tracing::Level;
///
/// # let addr = "127.0.0.1:2222";
/// let copied: std::io::Result<u64> = Ok(42);
/// let end = classify_channel_close(&copied);
/// disconnect_event!(Level::INFO, end, peer = %addr, "channel closed");
/// disconnect_event!(target: "audit", Level::WARN, end, "channel of {} closed", addr);
/// disconnect_event!(expected: Level::DEBUG, unexpected: Level::WARN, end, "channel closed");
/// disconnect_event!(expected: Level::DEBUG, unexpected: Level::WARN, inherited: Level::DEBUG, end, "closed");
/// assert_eq!(end.report_reason(), "normal close");
/// ```
#[macro_export]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
macro_rules! disconnect_event {
    (
        @event [$($options:tt)*] expected: $expected:expr, unexpected: $unexpected:expr,
        inherited: $inherited:expr, $disconnect:expr $(, $($fields:tt)*)?
    ) => {{
        let end: &$crate::Disconnect = &$disconnect;
        if end.origin().is_some() {
            $crate::disconnect_event!(@event [$($options)*] $inherited, end $(, $($fields)*)?);
        } else {
            $crate::disconnect_event!(
                @event [$($options)*] expected: $expected, unexpected: $unexpected, end $(, $($fields)*)?
            );
        }
    }};
    (
        @event [$($options:tt)*] expected: $expected:expr, unexpected: $unexpected:expr, $disconnect:expr
        $(, $($fields:tt)*)?
    ) => {{
        let end: &$crate::Disconnect = &$disconnect;
        if end.expected() {
            $crate::disconnect_event!(@event [$($options)*] $expected, end $(, $($fields)*)?);
        } else {
            $crate::disconnect_event!(@event [$($options)*] $unexpected, end $(, $($fields)*)?);
        }
    }};
    // `name:`, `target:`, `parent:`, as tracing takes them.
    (@event [$($options:tt)*] $option:ident: $value:expr, $($rest:tt)+) => {
        $crate::disconnect_event!(@event [$($options)* $option: $value,] $($rest)+)
    };
    (@event [$($options:tt)*] $level:expr, $disconnect:expr $(, $($fields:tt)*)?) => {{
        let end: &$crate::Disconnect = &$disconnect;
        $crate::__tracing::event!(
            $($options)*
            $level,
            connect_type = end.connect_type().as_str(),
            disconnect_reason = end.reason().as_str(),
            disconnect_expected = end.expected(),
            disconnect_initiator = end.initiator().map(|initiator| initiator.as_str()),
            disconnect_trigger = end.trigger().map(|trigger| trigger.as_str()),
            disconnect_peer = end.peer().map(|peer| peer.as_str()),
            disconnect_code = end.code().map($crate::__tracing::field::display),
            disconnect_detail = end.detail(),
            disconnect_origin = end.origin().map(|origin| origin.as_str()),
            exit_code = end.exit_code(),
            connection_method = end.connection_method().map(|method| method.as_str()),
            connection_duration_ms = end.connection_duration().map(|duration| duration.as_millis() as u64),
            peer_silence_ms = end.peer_silence().map(|silence| silence.as_millis() as u64),
            bytes_received = end.bytes_received(),
            bytes_sent = end.bytes_sent(),
            clock_jump_ms = end.clock_jump(),
            $($($fields)*)?
        );
    }};
    ($($rest:tt)+) => {
        $crate::disconnect_event!(@event [] $($rest)+)
    };
}
