//! Whatever happens to a log: each of its records counts, or is named as one that can't be read, in time.
//!
//! `TEST_SIZE=100 cargo test -p disconnect-report --test properties` tries a hundred times as many logs.

#[allow(dead_code)] // the library's tests use the rest of it
#[path = "../../../tests/support/random.rs"]
mod random;
#[path = "support/shapes.rs"]
mod shapes;
mod support;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;

use shapes::{WRAPPERS, formats, wrap};
use support::json_of_input;

/// Each line of each format in each wrapper, as bytes, with its block if it heads one.
fn lines() -> Vec<Vec<Vec<u8>>> {
    let mut all: Vec<Vec<Vec<u8>>> = Vec::new();
    // An empty line may be part of a block above it.
    for (_, log) in formats().iter().filter(|(name, _)| !name.contains("pretty")) {
        for line in WRAPPERS
            .iter()
            .flat_map(|(_, with)| wrap(log, *with).lines().map(str::to_owned).collect::<Vec<_>>())
        {
            // Only the error of the first end has a block, of two lines.
            let in_block = line.contains("    error= ") || line.contains("               connection reset");
            match all.last_mut() {
                Some(header) if in_block => header.push(line.into()),
                _ => all.push(vec![line.into()]),
            }
        }
    }
    all
}

/// What is done to a line, with places in thousandths of it.
#[derive(Debug, Clone)]
enum Damage {
    None,
    Cut(usize),
    Bytes(Vec<(usize, u8)>),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let byte = (0..1000_usize, any::<u8>().prop_filter("one line", |byte| *byte != b'\n'));
        let bytes = prop::collection::vec(byte, 1..4);
        prop_oneof![Just(Self::None), (0..1000_usize).prop_map(Self::Cut), bytes.prop_map(Self::Bytes)]
    }

    fn apply(&self, line: &mut Vec<u8>) {
        let length = line.len();
        match self {
            Self::None => {}
            Self::Cut(at) => line.truncate(at * length / 1000),
            Self::Bytes(bytes) => bytes.iter().for_each(|(at, byte)| line[at * length / 1000] = *byte),
        }
    }
}

fn holds_key(line: &[u8]) -> bool {
    const KEY: &[u8] = b"disconnect_reason";
    // The journal's lines of bytes hold it as numbers.
    let as_bytes = KEY.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let holds = |key: &[u8]| line.windows(key.len()).any(|window| window == key);
    holds(KEY) || holds(b"disconnect-reason") || holds(as_bytes.as_bytes())
}

/// Two threads read what one does, and what is read at once is what is read when a field that is not there is asked
/// for.
#[test]
fn no_record_of_a_damaged_log_is_lost() {
    let chosen = prop::collection::vec((any::<Index>(), Damage::any()), 1..60);
    let lines = lines();
    random::run(150, 2, &(chosen, any::<bool>()), |(chosen, with_carriage_returns)| {
        let (mut log, mut records) = (Vec::new(), 0);
        for (index, damage) in &chosen {
            let mut lines = index.get(&lines).clone();
            damage.apply(&mut lines[0]);
            records += u64::from(holds_key(&lines[0]));
            for line in lines {
                log.extend(line);
                log.extend_from_slice(if with_carriage_returns { b"\r\n" } else { b"\n" });
            }
        }
        let one = json_of_input(&["--threads", "1"], &log);
        let found = one["ends"].as_u64().unwrap_or(0);
        let unreadable = one["skipped"]["unreadable"]["count"].as_u64().unwrap_or(0);
        prop_assert_eq!(found + unreadable, records, "{}\n{}", one, String::from_utf8_lossy(&log));
        prop_assert_eq!(&one, &json_of_input(&["--threads", "2"], &log));
        let mut slow = json_of_input(&["--by", "no such key"], &log);
        slow.as_object_mut().expect("an object").retain(|key, _| !key.starts_with("by"));
        prop_assert_eq!(&one, &slow, "{}", String::from_utf8_lossy(&log));
        Ok(records > 0)
    });
}

/// What readers look for. Twice the log must not take four times as long, whatever it repeats.
const TOKENS: [&str; 24] = [
    "{",
    "}",
    "[",
    "\"",
    "\\\"",
    "{\"",
    "    ",
    "\n",
    " ...\n",
    "...",
    "=",
    ", a: ",
    "disconnect_reason",
    "\u{1b}[3m",
    "2026-05-13 17:42:21.701 [info]  x",
    "\"disconnect_reason\":\"graceful\",",
    "connect_type=agent_to_client ",
    "\n    disconnect_reason= ",
    "\t\"disconnect_reason\" : 1,\n",
    "\"MESSAGE\":null",
    "\\n",
    "\"=>\"",
    "[0m",
    "=&quot;",
];

#[test]
fn no_log_takes_more_than_its_size() {
    let token = || prop::sample::select(&TOKENS[..]);
    random::run(32, 10, &(token(), token(), token(), token()), |(head, one, two, tail)| {
        let pump = format!("{one}{two}");
        let log = format!("{head}{}{tail}", pump.repeat((256 << 10) / pump.len()));
        // Others may share the machine.
        let is_quick = |_| {
            let start = Instant::now();
            json_of_input(&[], log.as_bytes());
            start.elapsed() < Duration::from_secs(5)
        };
        prop_assert!((0..3).any(is_quick), "{:?}", (head, one, two, tail));
        Ok(log.contains("disconnect_reason"))
    });
}
