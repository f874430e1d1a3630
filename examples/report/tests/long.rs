//! Damaged logs without end: see `tests/support/long.rs` of the library.

#[path = "support/damage.rs"]
mod damage;
#[path = "../../../tests/support/long.rs"]
mod long;
#[path = "support/shapes.rs"]
mod shapes;
mod support;

use std::time::{Duration, Instant};

use damage::{damaged_log, none_is_lost};
use proptest::prelude::*;

#[test]
#[ignore = "long"]
fn no_record_of_a_damaged_log_is_lost() {
    long::run(&damaged_log(), |(chosen, carriage_returns)| {
        let records = none_is_lost(&chosen, carriage_returns)?;
        Ok(records > 0)
    });
}

/// What readers look for. Twice the log must not take four times as long, whatever it repeats.
const TOKENS: [&str; 20] = [
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
];

#[test]
#[ignore = "long"]
fn no_log_takes_more_than_its_size() {
    let token = || prop::sample::select(&TOKENS[..]);
    long::run(&(token(), token(), token(), token()), |(head, one, two, tail)| {
        let pump = format!("{one}{two}");
        let log = format!("{head}{}{tail}", pump.repeat((256 << 10) / pump.len()));
        let start = Instant::now();
        support::json_of_input(&[], log.as_bytes());
        prop_assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?} {:?}",
            start.elapsed(),
            (head, one, two, tail)
        );
        Ok(log.contains("disconnect_reason"))
    });
}
