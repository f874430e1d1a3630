//! tracing: the record's fields as an event.

/// For the expansion of [`disconnect_event!`](crate::disconnect_event) in crates that use another
/// version of `tracing`, or none.
#[doc(hidden)]
pub use ::tracing as __tracing;

/// Writes a `tracing` event with the fields of a [`Disconnect`](crate::Disconnect).
///
/// Keys, values and types are those that slog writes; absent fields are absent. The level, the record,
/// then whatever [`tracing::event!`] takes: more fields, and a message. `name:`, `target:` and
/// `parent:` may stand before the level, in this order. The callsite (module, line, target) is the
/// caller's own, and nothing is evaluated while the level is off.
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
/// assert_eq!(end.report_reason(), "normal close");
/// ```
#[macro_export]
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
    ([$($options:tt)*] $level:expr, $disconnect:expr $(, $($fields:tt)*)?) => {
        if $level <= $crate::__tracing::level_filters::STATIC_MAX_LEVEL
            && $level <= $crate::__tracing::level_filters::LevelFilter::current()
        {
            let end: &$crate::Disconnect = &$disconnect;
            $crate::__tracing::event!(
                $($options)*
                $level,
                connect_type = end.connect_type().as_str(),
                disconnect_reason = end.reason().as_str(),
                disconnect_expected = end.expected(),
                disconnect_initiator = end.initiator().map(|initiator| initiator.as_str()),
                disconnect_detail = end.detail(),
                disconnect_code = end.code().map($crate::__tracing::field::display),
                exit_code = end.exit_code(),
                connection_method = end.connection_method().map(|method| method.as_str()),
                $($($fields)*)?
            );
        }
    };
}
