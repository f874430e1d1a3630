//! Times of cases that take turns, so that what else the machine does hits all of them alike.

use std::time::Instant;

use crate::Row;

const ROUNDS: usize = 2_000;
/// Short enough to run between interruptions.
const COUNT: u32 = 8;

/// The nanoseconds of each case, the least of all rounds.
pub(crate) fn all(rows: &[(String, &Row)]) -> Vec<f64> {
    let mut cases: Vec<_> = rows.iter().map(|(_, row)| ((row.make)(), f64::INFINITY)).collect();
    for _ in 0..ROUNDS {
        for (batch, least) in &mut cases {
            let start = Instant::now();
            batch(COUNT);
            *least = least.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(COUNT));
        }
    }
    cases.into_iter().map(|(_, least)| least).collect()
}
