//! The times that loggers and their wrappers write.

use std::borrow::Cow;
use std::cell::Cell;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::keys::squashed;
use super::value::peeled;

/// Keys of a line's time, the best first, without what separates their words.
const KEYS: [&str; 21] = [
    "ts",
    "time",
    "timestamp",
    "t",
    "date",
    "datetime",
    "dt",
    "instant",
    "timestampseconds",
    "eventtime",
    "logtime",
    "timegenerated",
    "timeunixnano",
    "timemillis",
    "timestampms",
    "epoch",
    "sourcerealtimetimestamp",
    "realtimetimestamp",
    "observedtimeunixnano",
    "ingestiontime",
    "receivedat",
];

/// Words in the key of a time that is not the line's.
const OTHERS: [&str; 8] = ["start", "begin", "expir", "until", "last", "connected", "monotonic", "up"];

/// How good a key is for the time of a line; the least is best.
pub(super) fn rank(key: &str) -> Option<usize> {
    let key = squashed(key);
    let known = KEYS.iter().position(|known| *known == key);
    known.or_else(|| {
        let is_time = ["timestamp", "time", "date"].iter().any(|end| key.ends_with(end));
        let is_other = || OTHERS.iter().any(|other| key.contains(other));
        (is_time && !is_other()).then_some(KEYS.len())
    })
}

/// The time in a map, or in a list of a time and a line.
pub(super) fn within(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Object(map) => {
            let times = map.iter().filter_map(|(key, value)| {
                let time = of(peeled(value))?;
                Some((rank(key)?, time))
            });
            let (_, time) = times.min_by_key(|(rank, _)| *rank).or_else(|| {
                let seconds = map.get("epochSecond").or_else(|| map.get("seconds"))?;
                Some((0, of(seconds)?))
            })?;
            let nanoseconds = ["timestampNanos", "nanoOfSecond", "nanos"]
                .iter()
                .find_map(|key| map.get(*key)?.as_i64())
                .filter(|_| time.subsec_nanosecond() == 0);
            time.checked_add(SignedDuration::from_nanos(nanoseconds.unwrap_or(0))).ok()
        }
        Value::Array(items) => items.iter().take(8).find_map(|item| match item {
            Value::String(_) | Value::Number(_) => of(item),
            _ => None,
        }),
        _ => None,
    }
}

/// A value as a time.
pub(super) fn of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => of_text(text),
        Value::Number(number) => match number.as_i64() {
            Some(count) => since_1970(count),
            None => since_1970_as_fraction(number.as_f64()?),
        },
        Value::Object(_) => within(value),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// A text as a time; journald and Loki write their counts as texts.
pub(super) fn of_text(text: &str) -> Option<Timestamp> {
    if text.len() < 8 {
        return None;
    }
    let count =
        || text.parse().map_or_else(|_| text.parse().ok().and_then(since_1970_as_fraction), since_1970);
    parse(text).or_else(count).or_else(|| match first(text) {
        Some((range, time)) if range == (0..text.len()) => time,
        _ => None,
    })
}

/// A count since 1970, in the unit that its size suggests: seconds up to the year 5138, then
/// milliseconds, microseconds and nanoseconds. What is so small that it is before 2001 counts something else.
pub(super) fn since_1970(count: i64) -> Option<Timestamp> {
    match count {
        i64::MIN..1_000_000_000 => return None,
        1_000_000_000..100_000_000_000 => Timestamp::from_second(count),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(count),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_microsecond(count),
        _ => Timestamp::from_nanosecond(count.into()),
    }
    .ok()
}

pub(super) fn since_1970_as_fraction(count: f64) -> Option<Timestamp> {
    let unit =
        [(1e19, 1e9), (1e17, 1e6), (1e14, 1e3), (1e11, 1e0)].into_iter().rfind(|(most, _)| count < *most)?.1;
    if count < 1e9 {
        return None;
    }
    let time = SignedDuration::try_from_secs_f64(count / unit).ok()?;
    // A double holds microseconds of today.
    Timestamp::from_duration(time.round(jiff::Unit::Microsecond).ok()?).ok()
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

/// The first full time in a text, and where it is: `2026-01-02T03:04:05.6Z`, `2026/01/02 03:04:05,6 +0200`.
pub(super) fn first(text: &str) -> Option<(std::ops::Range<usize>, Option<Timestamp>)> {
    let bytes = text.as_bytes();
    let is_start = |at: &usize| {
        let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
        matches!(bytes[at + 4], b'-' | b'/')
            && bytes[at + 7] == bytes[at + 4]
            && matches!(bytes[at + 10], b'T' | b' ')
            && bytes[at + 13] == b':'
            && (*at == 0 || !bytes[at - 1].is_ascii_digit())
            && digits(*at..at + 4)
            && digits(at + 17..at + 19)
    };
    let start = (0..(bytes.len() + 1).saturating_sub(19)).find(is_start)?;
    let rest = &bytes[start + 19..];
    let mut length = match rest {
        [b'.' | b',', fraction @ ..] => 1 + fraction.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    if length == 1 {
        length = 0;
    }
    // From the tenth on digits mean nothing.
    let mut written = Cow::Borrowed(text.get(start..start + 19 + length.min(10))?);
    if bytes[start + 4] == b'/' || rest.starts_with(b",") {
        written = Cow::Owned(written.replace('/', "-").replace(',', "."));
    }
    let (zone_length, offset) = zone(&rest[length..]);
    let time = parse(&written).and_then(|time| time.checked_sub(SignedDuration::from_secs(offset)).ok());
    Some((start..start + 19 + length + zone_length, time))
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
            let is_upper = |byte: &&u8| byte.is_ascii_uppercase();
            let length = word.iter().take_while(is_upper).count();
            let is_known = |(name, _): &&(&str, i64)| name.as_bytes() == &word[..length];
            let known = ZONES.iter().find(is_known);
            return known.map_or((0, 0), |(name, hours)| (1 + name.len(), hours * 3_600));
        }
        _ => (0, None),
    };
    found.map_or((0, 0), |(length, seconds)| (spaces + length, if sign == b'-' { -seconds } else { seconds }))
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
        let digit = digits.get(place).map_or(0, |digit| digit.wrapping_sub(b'0'));
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
