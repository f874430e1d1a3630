//! Times of cases that take turns, so that what else the machine does hits all of them alike.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::case::{Batch, Case};
use crate::table::Table;

/// The passes through the cases, of which the second shows what a second run gives.
const PASSES: usize = 2;

/// The nanoseconds of each case in each pass, by its name.
pub(crate) type Times = BTreeMap<String, [f64; PASSES]>;

pub(crate) fn all(table: &Table, cases: &[(String, &Case)]) -> Times {
    let mut times = Times::new();
    for pass in 0..PASSES {
        for together in table.taking_turns(cases) {
            for (id, time) in pass_through(table, together) {
                times.entry(id).or_insert([0.0; PASSES])[pass] = time;
            }
        }
    }
    times
}

struct Running {
    batch: Batch,
    count: u32,
    times: Vec<f64>,
}

impl Running {
    fn new(case: &Case, least: Duration) -> Self {
        let mut batch = case.make();
        let mut count = 1;
        loop {
            // The least, since one interruption is as long as many batches.
            let taken = (0..3).map(|_| time(&mut batch, count)).min();
            if taken >= Some(least) {
                return Self {
                    batch,
                    count,
                    times: Vec::new(),
                };
            }
            count *= 2;
        }
    }

    fn run(&mut self) {
        let taken = time(&mut self.batch, self.count);
        let each = taken.as_secs_f64() * 1e9 / f64::from(self.count);
        self.times.push(each);
    }

    fn time(&mut self, is_typical: bool) -> f64 {
        let middle = if is_typical { self.times.len() / 2 } else { 0 };
        *self.times.select_nth_unstable_by(middle, f64::total_cmp).1
    }
}

fn time(batch: &mut Batch, count: u32) -> Duration {
    let start = Instant::now();
    batch(count);
    start.elapsed()
}

fn pass_through(table: &Table, cases: &[(String, &Case)]) -> Vec<(String, f64)> {
    let mut running: Vec<_> = cases
        .iter()
        .map(|(_, case)| Running::new(case, table.batch))
        .collect();
    for _ in 0..table.rounds {
        running.iter_mut().for_each(Running::run);
    }
    let time = |((id, _), mut running): (&(String, _), Running)| {
        (id.clone(), running.time(table.is_typical))
    };
    cases.iter().zip(running).map(time).collect()
}
