//! The times that loggers and their wrappers write.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Splits a time off the front: `2026-01-02T03:04:05.6Z`, or `2026-01-02 03:04:05.6`, which is UTC.
pub(crate) fn leading(text: &str) -> Option<(Timestamp, &str)> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || bytes[4] != b'-' || !matches!(bytes[10], b'T' | b' ') {
        return None;
    }
    let end = bytes[11..]
        .iter()
        .position(u8::is_ascii_whitespace)
        .map_or(bytes.len(), |length| 11 + length);
    let (time, rest) = text.split_at_checked(end)?;
    Some((parse(time)?, rest))
}

/// A whole text as a time; without a zone it is UTC.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let clock = text.get(10..)?;
    let has_zone = clock.contains(['Z', 'z', '+', '-']);
    if has_zone {
        return text.parse().ok();
    }
    let time: DateTime = text.parse().ok()?;
    Offset::UTC.to_timestamp(time).ok()
}

/// A count since 1970, in the unit that its size suggests: seconds up to the year 5138, then
/// milliseconds, microseconds and nanoseconds.
fn since_1970(count: i64) -> Option<Timestamp> {
    match count.unsigned_abs() {
        0..100_000_000_000 => Timestamp::from_second(count),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(count),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_microsecond(count),
        _ => Timestamp::from_nanosecond(count.into()),
    }
    .ok()
}

/// A JSON value that should be a time. Anything else is none, and no error.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Time(pub(crate) Option<Timestamp>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl<'de> Visitor<'de> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        // journald and Loki write their counts as texts.
        let time = match text.parse() {
            Ok(count) => since_1970(count),
            Err(_) => parse(text),
        };
        Ok(Time(time))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Time, E> {
        let whole = jiff::SignedDuration::try_from_secs_f64(seconds).ok();
        Ok(Time(
            whole.and_then(|time| Timestamp::from_duration(time).ok()),
        ))
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Time, E> {
        Ok(Time(since_1970(count)))
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Time, E> {
        Ok(Time(i64::try_from(count).ok().and_then(since_1970)))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Time, E> {
        Ok(Time(None))
    }

    fn visit_unit<E: Error>(self) -> Result<Time, E> {
        Ok(Time(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Time, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Time(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Time, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Time(None))
    }
}
