//! The times that loggers and their wrappers write.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, Unit};
use memchr::memchr_iter;

use super::keys::squashed;
use super::value::Value;

/// Keys of a line's time, the best first, without what separates their words.
const KEYS: [&str; 18] = [
    "ts",
    "time",
    "timestamp",
    "t",
    "dt",
    "instant",
    "timestampseconds",
    "timegenerated",
    "timeunixnano",
    "timemillis",
    "timestampms",
    "epoch",
    "observedtimeunixnano",
    "ingestiontime",
    "receivedat",
    "epochsecond",
    "seconds",
    // Of Loki, each with its line.
    "values",
];

/// Keys of what comes on top of whole seconds.
const NANOSECONDS: [&str; 3] = ["timestampNanos", "nanoOfSecond", "nanos"];

/// Words in the key of a time that is not the line's.
const OTHERS: [&str; 8] = ["start", "begin", "expir", "until", "last", "connected", "monotonic", "up"];

/// How good a key is for the time of a line; the least is best.
fn rank(key: &str) -> Option<usize> {
    let plain = KEYS.iter().position(|known| *known == key);
    if plain.is_some() {
        return plain;
    }
    let key = squashed(key);
    let known = KEYS.iter().position(|known| *known == key);
    known.or_else(|| {
        let is_time = ["timestamp", "time", "date"].iter().any(|end| key.ends_with(end));
        let is_other = || OTHERS.iter().any(|other| key.contains(other));
        (is_time && !is_other()).then_some(KEYS.len())
    })
}

/// The time in a map, or in a list of a time and a line.
pub(super) fn within(value: &Value<'_>) -> Option<Timestamp> {
    match value {
        Value::Map(map) => {
            let times = map.iter().filter_map(|(key, value)| {
                let value = value.peeled();
                let rank = may_be_time(value).then(|| rank(key))??;
                Some((rank, of(value)?))
            });
            let (_, time) = times.min_by_key(|(rank, _)| *rank)?;
            let part = NANOSECONDS.iter().find_map(|key| value.get(key));
            match part {
                Some(Value::Integer(part)) if time.subsec_nanosecond() == 0 => {
                    time.checked_add(SignedDuration::from_nanos(*part)).ok()
                }
                _ => Some(time),
            }
        }
        Value::List(items) => items.iter().take(8).filter(|item| item.as_map().is_none()).find_map(of),
        _ => None,
    }
}

/// Whether a value is worth a look at its key.
fn may_be_time(value: &Value<'_>) -> bool {
    match value {
        Value::Map(_) | Value::List(_) | Value::Fraction(_) | Value::Time(_) => true,
        Value::Integer(count) => *count >= FIRST,
        _ => value.as_str().is_some_and(|text| text.len() >= 8 && text.as_bytes()[0].is_ascii_digit()),
    }
}

/// A value as a time.
#[expect(
    clippy::cast_precision_loss,
    reason = "a unit is a power of ten, and a count's size is all that matters"
)]
pub(super) fn of(value: &Value<'_>) -> Option<Timestamp> {
    match value {
        Value::Map(_) | Value::List(_) => within(value),
        Value::Time(time) => Some(*time),
        Value::Integer(count) => {
            let nanoseconds = i128::from(*count).checked_mul(unit(*count as f64)?)?;
            Timestamp::from_nanosecond(nanoseconds).ok()
        }
        Value::Fraction(count) => {
            let seconds = count / (1e9 / unit(*count)? as f64);
            let time = SignedDuration::try_from_secs_f64(seconds).ok()?;
            // A double holds microseconds of today.
            Timestamp::from_duration(time.round(Unit::Microsecond).ok()?).ok()
        }
        _ => {
            let text = value.as_str().filter(|text| text.len() >= 8)?;
            // journald and Loki write their counts as texts.
            let count = || {
                of(&text.parse().map(Value::Integer).or_else(|_| text.parse().map(Value::Fraction)).ok()?)
            };
            parse(text).or_else(count)
        }
    }
}

/// Counts since 1970 are not smaller than this: they would be of before 2001.
const FIRST: i64 = 1_000_000_000;

/// The nanoseconds in the unit that the size of a count since 1970 suggests: seconds up to the year 5138, then
/// milliseconds, microseconds and nanoseconds. What is too small counts something else.
fn unit(count: f64) -> Option<i128> {
    match count {
        1e9..1e11 => Some(1_000_000_000),
        1e11..1e14 => Some(1_000_000),
        1e14..1e17 => Some(1_000),
        1e17..1e19 => Some(1),
        _ => None,
    }
}

/// A word that counts from 1970: journald's and Fluent Bit's seconds with a fraction, or the `@` and 24 hexadecimal
/// digits of daemontools, which count ten seconds more (TAI64N).
pub(super) fn count(word: &str) -> Option<Timestamp> {
    let tai = || {
        let label = word.strip_prefix("@4").filter(|label| label.len() == 23)?;
        let (seconds, nanoseconds) = label.split_at_checked(15)?;
        let number = |digits| i64::from_str_radix(digits, 16).ok();
        Timestamp::new(number(seconds)? - 10, number(nanoseconds)?.try_into().ok()?).ok()
    };
    if word.find('.') == Some(10) { of(&Value::text(word)) } else { tai() }
}

/// A whole text as a time; without a zone it is UTC.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    match at(text.as_bytes()) {
        Some((length, time)) if length == text.len() => time,
        _ => {
            let utc = |time: DateTime| Offset::UTC.to_timestamp(time).ok();
            text.parse().ok().or_else(|| text.parse().ok().and_then(utc))
        }
    }
}

/// The zones that journald and Go write by name, in hours from UTC.
const ZONES: [(&str, i64); 12] = [
    ("UTC", 0),
    ("GMT", 0),
    ("CET", 1),
    ("CEST", 2),
    ("BST", 1),
    ("EST", -5),
    ("EDT", -4),
    ("CDT", -5),
    ("MST", -7),
    ("PST", -8),
    ("PDT", -7),
    ("JST", 9),
];

/// The first full time in a text, and where it is.
pub(super) fn first(text: &str) -> Option<(Range<usize>, Option<Timestamp>)> {
    let bytes = text.as_bytes();
    // Its first colon is behind the hour.
    memchr_iter(b':', bytes).filter_map(|colon| colon.checked_sub(13)).find_map(|start| {
        let in_number = bytes[..start].last().is_some_and(u8::is_ascii_digit);
        let (length, time) = at(&bytes[start..]).filter(|_| !in_number)?;
        Some((start..start + length, time))
    })
}

/// The full time at the start of a text, and its length: `2026-01-02T03:04:05.6Z`, `2026/01/02 03:04:05,6 +0200`.
fn at(text: &[u8]) -> Option<(usize, Option<Timestamp>)> {
    let (stamp, rest) = text.split_first_chunk::<19>()?;
    let [dash, dash_2, gap, colon, colon_2] = [4, 7, 10, 13, 16].map(|at| stamp[at]);
    let is_stamp = matches!(dash, b'-' | b'/') && dash_2 == dash && matches!(gap, b'T' | b' ');
    if !is_stamp || [colon, colon_2] != [b':'; 2] {
        return None;
    }
    let two = |at: usize| {
        let [tens, ones] = [stamp[at], stamp[at + 1]].map(|digit| digit.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i8::try_from(tens * 10 + ones).ok())?
    };
    let year = i16::from(two(0)?) * 100 + i16::from(two(2)?);
    let [month, day, hour, minute, second] = [two(5)?, two(8)?, two(11)?, two(14)?, two(17)?];
    let fraction = match rest {
        [b'.' | b',', fraction @ ..] => {
            &fraction[..fraction.iter().take_while(|byte| byte.is_ascii_digit()).count()]
        }
        _ => &[],
    };
    // From the tenth on digits mean nothing.
    let nanoseconds = (0..9).fold(0, |number, place| {
        number * 10 + fraction.get(place).map_or(0, |digit| i32::from(digit - b'0'))
    });
    let length = if fraction.is_empty() { 0 } else { 1 + fraction.len() };
    let (zone_length, offset) = zone(&rest[length..]);
    let time = || {
        let time = Time::new(hour, minute, second, nanoseconds).ok()?;
        let time = Offset::UTC.to_timestamp(Date::new(year, month, day).ok()?.to_datetime(time)).ok()?;
        // Mostly there is none.
        if offset == 0 { Some(time) } else { time.checked_sub(SignedDuration::from_secs(offset)).ok() }
    };
    Some((19 + length + zone_length, time()))
}

/// The zone at the start of a text: how long it is, and how many seconds it is from UTC.
fn zone(text: &[u8]) -> (usize, i64) {
    let spaces = usize::from(text.starts_with(b" "));
    let number = |digits: [u8; 4]| {
        let digits = digits.map(|digit| i64::from(digit.wrapping_sub(b'0')));
        let is_number = digits.iter().all(|digit| (0..10).contains(digit));
        is_number.then(|| digits[0] * 36_000 + digits[1] * 3_600 + digits[2] * 600 + digits[3] * 60)
    };
    let (sign, found) = match text[spaces..] {
        [b'Z' | b'z', ..] if spaces == 0 => return (1, 0),
        [sign @ (b'+' | b'-'), a, b, b':', c, d, ..] => (sign, number([a, b, c, d]).map(|n| (6, n))),
        [sign @ (b'+' | b'-'), a, b, c, d, ..] => (sign, number([a, b, c, d]).map(|n| (5, n))),
        ref word if spaces > 0 => {
            let length = word.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
            let known = ZONES.iter().find(|(name, _)| name.as_bytes() == &word[..length]);
            return known.map_or((0, 0), |(name, hours)| (1 + name.len(), hours * 3_600));
        }
        _ => (0, None),
    };
    found.map_or((0, 0), |(length, seconds)| (spaces + length, if sign == b'-' { -seconds } else { seconds }))
}
