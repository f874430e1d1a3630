//! The times that loggers and their wrappers write.

use std::cell::Cell;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
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
    if let Some(time) = of_known_day(text.as_bytes()) {
        return Some(time);
    }
    let clock = text.as_bytes().get(10..)?;
    let is_zone = |byte: &u8| matches!(byte, b'Z' | b'z' | b'+' | b'-');
    if clock.iter().rev().any(is_zone) {
        return text.parse().ok();
    }
    let time: DateTime = text.parse().ok()?;
    Offset::UTC.to_timestamp(time).ok()
}

thread_local! {
    /// The day of the last time, as it is written, and its midnight.
    static DAY: Cell<([u8; 10], i64)> = const { Cell::new(([0; 10], 0)) };
}

/// `2026-01-02T03:04:05.6Z` or `2026-01-02 03:04:05.6`. Only the day needs a calendar, and a log has few days.
fn of_known_day(text: &[u8]) -> Option<Timestamp> {
    let (day, clock) = text.split_first_chunk()?;
    let (clock, fraction) = clock.split_first_chunk()?;
    let [b'T' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = clock else {
        return None;
    };
    let two = |tens: &u8, ones: &u8, below: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        let number = tens.checked_mul(10)?.checked_add(ones)?;
        (tens < 10 && ones < 10 && number < below).then_some(i64::from(number))
    };
    let seconds = two(h1, h2, 24)? * 3600 + two(m1, m2, 60)? * 60 + two(s1, s2, 60)?;
    let digits = match fraction {
        [] | [b'Z'] => &[],
        [b'.', digits @ .., b'Z'] | [b'.', digits @ ..] => digits,
        _ => return None,
    };
    let mut nanoseconds = 0;
    for place in 0..9 {
        let digit = digits
            .get(place)
            .map_or(0, |digit| digit.wrapping_sub(b'0'));
        nanoseconds = nanoseconds * 10 + (digit < 10).then_some(i32::from(digit))?;
    }
    let (known, midnight) = DAY.get();
    let midnight = if known == *day {
        midnight
    } else {
        let date: Date = std::str::from_utf8(day).ok()?.parse().ok()?;
        let midnight = Offset::UTC.to_timestamp(date.into()).ok()?.as_second();
        DAY.set((*day, midnight));
        midnight
    };
    (digits.len() <= 9).then(|| Timestamp::new(midnight + seconds, nanoseconds).ok())?
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
