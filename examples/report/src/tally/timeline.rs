//! When the ends to investigate were.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// How wide a column may be, in seconds. Wider ones double.
const WIDTHS: [i64; 21] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 1_209_600,
];

/// Counts over time, in cells that get wider when there are too many of them.
pub(crate) struct Timeline {
    cells: BTreeMap<i64, u64>,
    seconds: i64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { cells: BTreeMap::new(), seconds: 1 }
    }
}

impl Timeline {
    const CELLS: usize = 4096;

    pub(crate) fn add(&mut self, time: Timestamp) {
        let cell = time.as_second().div_euclid(self.seconds);
        *self.cells.entry(cell).or_default() += 1;
        while self.cells.len() > Self::CELLS {
            self.widen();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    fn widen(&mut self) {
        let wider = self.width(|width| width > self.seconds);
        let times = wider / self.seconds;
        self.seconds = wider;
        for (cell, count) in std::mem::take(&mut self.cells) {
            *self.cells.entry(cell.div_euclid(times)).or_default() += count;
        }
    }

    /// The first width that is a whole number of cells and will do.
    fn width(&self, will_do: impl Fn(i64) -> bool) -> i64 {
        let last = WIDTHS[WIDTHS.len() - 1];
        // No log spans as many seconds as the last of these.
        let doubled = (1..40).map(|times| last << times);
        let mut widths = WIDTHS.into_iter().chain(doubled);
        widths.find(|width| width % self.seconds == 0 && will_do(*width)).unwrap_or(last << 40)
    }

    /// At most so many columns of equal width from one time to another, else from the first to the last that was
    /// counted; and that width in seconds.
    pub(crate) fn columns(&self, range: Option<[Timestamp; 2]>, most: i64) -> (i64, Vec<(Timestamp, u64)>) {
        let known = self.cells.first_key_value().zip(self.cells.last_key_value());
        let Some(((first, _), (last, _))) = known else {
            return (self.seconds, Vec::new());
        };
        let cell = |time: Timestamp| time.as_second().div_euclid(self.seconds);
        let [first, last] = range.map_or([*first, *last], |range| range.map(cell));
        let column = |cell: i64, width: i64| (cell * self.seconds).div_euclid(width);
        let seconds = self.width(|width| column(last, width) - column(first, width) < most);
        let columns = column(first, seconds)..=column(last, seconds);
        let mut counts: BTreeMap<_, u64> = columns.map(|column| (column, 0)).collect();
        for (cell, count) in &self.cells {
            *counts.entry(column(*cell, seconds)).or_default() += count;
        }
        let start = |column| Timestamp::from_second(column * seconds).unwrap_or(Timestamp::MIN);
        (seconds, counts.into_iter().map(|(column, count)| (start(column), count)).collect())
    }
}
