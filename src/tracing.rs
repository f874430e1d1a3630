//! tracing: the record's fields as an event.

/// For the expansion of [`disconnect_event!`](crate::disconnect_event) in crates that use another
/// version of `tracing`, or none.
#[doc(hidden)]
pub use ::tracing as __tracing;

/// Writes a `tracing` event with the fields of a [`Disconnect`](crate::Disconnect).
///
/// Keys, values and types are those that slog writes; absent fields are absent. It takes the level, the
/// record, and then whatever `tracing::event!` takes: more fields, and a message. `name:`, `target:` and
/// `parent:` may stand before the level, in this order. The callsite (module, line, target) is the
/// caller's own, and nothing is evaluated while the level is off.
///
/// `tracing`'s macros take the level as a constant. `expected:` and `unexpected:` give two of them, one for
/// an end that is expected and one for any other; the record is then evaluated once, whether or not its
/// level is on.
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
/// assert_eq!(end.report_reason(), "normal close");
/// ```
#[macro_export]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
macro_rules! disconnect_event {
    (name: $name:expr, $($rest:tt)+) => {
        $crate::__disconnect_event!([name: $name,] $($rest)+)
    };
    ($($rest:tt)+) => {
        $crate::__disconnect_event!([] $($rest)+)
    };
}

/// Gathers the options, then expands to one event.
#[doc(hidden)]
#[macro_export]
macro_rules! __disconnect_event {
    ([$($options:tt)*] target: $target:expr, $($rest:tt)+) => {
        $crate::__disconnect_event!([$($options)* target: $target,] $($rest)+)
    };
    ([$($options:tt)*] parent: $parent:expr, $($rest:tt)+) => {
        $crate::__disconnect_event!([$($options)* parent: $parent,] $($rest)+)
    };
    (
        [$($options:tt)*] expected: $expected:expr, unexpected: $unexpected:expr, $disconnect:expr
        $(, $($fields:tt)*)?
    ) => {{
        let end: &$crate::Disconnect = &$disconnect;
        if end.expected() {
            $crate::__disconnect_event!([$($options)*] $expected, end $(, $($fields)*)?);
        } else {
            $crate::__disconnect_event!([$($options)*] $unexpected, end $(, $($fields)*)?);
        }
    }};
    ([$($options:tt)*] $level:expr, $disconnect:expr $(, $($fields:tt)*)?) => {
        if $level <= $crate::__tracing::level_filters::STATIC_MAX_LEVEL
            && $level <= $crate::__tracing::level_filters::LevelFilter::current()
        {
            let end: &$crate::Disconnect = &$disconnect;
            // Without `..`: a new field stops the build here.
            let $crate::__Fields {
                connect_type,
                reason,
                initiator,
                trigger,
                peer,
                code,
                detail,
                origin,
                exit_code,
                connection_method,
                connection_duration_ms,
                peer_silence_ms,
                bytes_received,
                bytes_sent,
                clock_jump_ms,
            } = end.__fields();
            $crate::__tracing::event!(
                $($options)*
                $level,
                connect_type = connect_type.as_str(),
                disconnect_reason = reason.as_str(),
                disconnect_expected = reason.expected(),
                disconnect_initiator = initiator.map(|initiator| initiator.as_str()),
                disconnect_trigger = trigger.map(|trigger| trigger.as_str()),
                disconnect_peer = peer.map(|peer| peer.as_str()),
                disconnect_code = code.map($crate::__tracing::field::display),
                disconnect_detail = detail,
                disconnect_origin = origin.map(|origin| origin.as_str()),
                exit_code,
                connection_method = connection_method.map(|method| method.as_str()),
                connection_duration_ms,
                peer_silence_ms,
                bytes_received,
                bytes_sent,
                clock_jump_ms,
                $($($fields)*)?
            );
        }
    };
}
