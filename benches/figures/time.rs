//! Times of cases that take turns, so that what else the machine does hits all of them alike.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{Batch, Row};

/// Long enough for a reading of the clock not to show, short enough to run between interruptions.
const BATCH: Duration = Duration::from_micros(50);
const ROUNDS: usize = 2_000;

/// The nanoseconds of each case by its name, the least of all batches.
pub(crate) fn all(rows: &[(String, &Row)]) -> BTreeMap<String, f64> {
    let warm = rows.iter().map(|(id, row)| {
        let (mut batch, mut count) = ((row.make)(), 1);
        // The least, since one interruption is as long as many batches.
        while (0..3).map(|_| time(&mut batch, count)).min() < Some(BATCH) {
            count *= 2;
        }
        (id, batch, count, f64::INFINITY)
    });
    let mut running: Vec<_> = warm.collect();
    for _ in 0..ROUNDS {
        for (_, batch, count, least) in &mut running {
            let each = time(batch, *count).as_secs_f64() * 1e9 / f64::from(*count);
            *least = least.min(each);
        }
    }
    let times = running.into_iter();
    times.map(|(id, _, _, least)| (id.clone(), least)).collect()
}

fn time(batch: &mut Batch, count: u32) -> Duration {
    let start = Instant::now();
    batch(count);
    start.elapsed()
}
