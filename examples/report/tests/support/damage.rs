//! Lines of all formats in all wrappers, mixed and damaged.

use std::sync::OnceLock;

use proptest::prelude::*;

use crate::shapes::{WRAPPERS, formats, wrap};
use crate::support::json_of_input;

const KEY: &[u8] = b"disconnect_reason";

/// A record: its line, and the lines of its block.
pub(crate) type Lines = Vec<Vec<u8>>;

/// Every line of every format in every wrapper, with its block if it heads one.
pub(crate) fn lines() -> &'static [Lines] {
    static LINES: OnceLock<Vec<Lines>> = OnceLock::new();
    LINES.get_or_init(|| {
        let formats = formats();
        // An empty line may be part of a block above it.
        let formats = formats.iter().filter(|(name, _)| !name.contains("pretty"));
        formats
            .flat_map(|(_, log)| WRAPPERS.iter().flat_map(|(_, with)| lines_of(&wrap(log, *with))))
            .collect()
    })
}

fn lines_of(log: &str) -> Vec<Lines> {
    let mut all: Vec<Lines> = Vec::new();
    for line in log.lines() {
        // Only the error of the first end has a block, of two lines.
        let in_block = line.contains("    error= ") || line.contains("               connection reset");
        match all.last_mut() {
            Some(header) if in_block => header.push(line.into()),
            _ => all.push(vec![line.into()]),
        }
    }
    all
}

#[derive(Debug, Clone)]
pub(crate) enum Damage {
    None,
    /// Only so much of the line is left, in thousandths.
    Cut(usize),
    /// Some bytes are others now.
    Bytes(Vec<(usize, u8)>),
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    let byte = (0..1000_usize, any::<u8>().prop_filter("one line", |byte| *byte != b'\n'));
    prop_oneof![
        Just(Damage::None),
        (0..1000_usize).prop_map(Damage::Cut),
        prop::collection::vec(byte, 1..4).prop_map(Damage::Bytes),
    ]
}

pub(crate) fn apply(damage: &Damage, line: &mut Vec<u8>) {
    let place = |thousandths: usize, length: usize| thousandths * length / 1000;
    match damage {
        Damage::None => {}
        Damage::Cut(at) => line.truncate(place(*at, line.len())),
        Damage::Bytes(bytes) => {
            for (at, byte) in bytes {
                let at = place(*at, line.len());
                line[at] = *byte;
            }
        }
    }
}

pub(crate) fn holds_key(line: &[u8]) -> bool {
    // The journal's lines of bytes hold it as numbers.
    let as_bytes = KEY.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let holds = |key: &[u8]| line.windows(key.len()).any(|window| window == key);
    holds(KEY) || holds(as_bytes.as_bytes())
}

/// Some lines, what happened to each, and whether they end as on Windows.
pub(crate) fn damaged_log() -> impl Strategy<Value = (Vec<(prop::sample::Index, Damage)>, bool)> {
    let chosen = prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..60);
    (chosen, any::<bool>())
}

/// Each record of the log counts, or is named as one that can't be read; two threads read what one does; and what
/// is read quickly is what is read when a field that is not there is asked for. Returns how many records there are.
pub(crate) fn none_is_lost(
    chosen: &[(prop::sample::Index, Damage)],
    carriage_returns: bool,
) -> Result<u64, TestCaseError> {
    let mut log = Vec::new();
    let mut records = 0;
    for (index, damage) in chosen {
        let mut lines = index.get(lines()).clone();
        apply(damage, &mut lines[0]);
        records += u64::from(holds_key(&lines[0]));
        for line in lines {
            log.extend_from_slice(&line);
            log.extend_from_slice(if carriage_returns { b"\r\n" } else { b"\n" });
        }
    }
    let one = json_of_input(&["--threads", "1"], &log);
    let found = one["ends"].as_u64().unwrap_or(0);
    let unreadable = one["skipped"]["unreadable"]["count"].as_u64().unwrap_or(0);
    prop_assert_eq!(found + unreadable, records, "{}\n{}", one, String::from_utf8_lossy(&log));
    let two = json_of_input(&["--threads", "2"], &log);
    prop_assert_eq!(&one, &two);
    let mut slow = json_of_input(&["--by", "no such key"], &log);
    let more = slow.as_object_mut().expect("an object");
    more.retain(|key, _| !key.starts_with("by"));
    prop_assert_eq!(&one, &slow, "{}", String::from_utf8_lossy(&log));
    Ok(records)
}
