//! When the ends to investigate were.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// How wide a cell may be, in seconds; each divides the next. Wider ones double.
const CELLS_OF: [i64; 10] = [1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800];

/// How wide a column may be, in seconds. Wider ones double.
const COLUMNS_OF: [i64; 21] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 1_209_600,
];

/// The first width that will do.
fn width(widths: &[i64], mut will_do: impl FnMut(i64) -> bool) -> i64 {
    let found = widths.iter().copied().find(|width| will_do(*width));
    found.unwrap_or_else(|| {
        let mut width = widths.last().copied().unwrap_or(1) * 2;
        // No log spans as many seconds as this reaches.
        while width < i64::MAX / 4 && !will_do(width) {
            width *= 2;
        }
        width
    })
}

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

/// A column of the timeline as it is shown.
pub(crate) struct Column {
    pub(crate) start: Timestamp,
    pub(crate) count: u64,
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
        let wider = width(&CELLS_OF, |width| width > self.seconds);
        let times = wider / self.seconds;
        self.seconds = wider;
        for (cell, count) in std::mem::take(&mut self.cells) {
            *self.cells.entry(cell.div_euclid(times)).or_default() += count;
        }
    }

    /// At most so many columns of equal width from the first cell to the last, and that width in seconds.
    pub(crate) fn columns(&self, most: i64) -> (i64, Vec<Column>) {
        let (Some((first, _)), Some((last, _))) = (self.cells.first_key_value(), self.cells.last_key_value())
        else {
            return (self.seconds, Vec::new());
        };
        self.of_cells(*first, *last, most)
    }

    /// The same from one time to another.
    pub(crate) fn between(&self, first: Timestamp, last: Timestamp, most: i64) -> (i64, Vec<Column>) {
        let [first, last] = [first, last].map(|time| time.as_second().div_euclid(self.seconds));
        self.of_cells(first, last, most)
    }

    fn of_cells(&self, first: i64, last: i64, most: i64) -> (i64, Vec<Column>) {
        let column = |cell: i64, width: i64| (cell * self.seconds).div_euclid(width);
        // Cells that are wider than a second are so many that a column is a whole number of them.
        let seconds = width(&COLUMNS_OF, |width| column(last, width) - column(first, width) < most);
        let first = column(first, seconds);
        let columns = usize::try_from(column(last, seconds) - first + 1).unwrap_or(0);
        let mut counts = vec![0; columns];
        for (cell, count) in &self.cells {
            let index = usize::try_from(column(*cell, seconds) - first).unwrap_or(0);
            if let Some(known) = counts.get_mut(index) {
                *known += count;
            }
        }
        let columns = (first..).zip(counts).map(|(column, count)| Column {
            start: Timestamp::from_second(column * seconds).unwrap_or(Timestamp::MIN),
            count,
        });
        (seconds, columns.collect())
    }
}
