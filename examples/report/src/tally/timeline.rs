//! When the ends to investigate were.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Counts over time, in cells that double in width when there are too many of them.
pub(crate) struct Timeline {
    cells: BTreeMap<i64, u64>,
    seconds: i64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            cells: BTreeMap::new(),
            seconds: 1,
        }
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
        if self.cells.len() > Self::CELLS {
            self.widen();
        }
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        while self.seconds < other.seconds {
            self.widen();
        }
        while other.seconds < self.seconds {
            other.widen();
        }
        for (cell, count) in other.cells {
            *self.cells.entry(cell).or_default() += count;
        }
        while self.cells.len() > Self::CELLS {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.seconds *= 2;
        let mut wider = BTreeMap::new();
        for (cell, count) in std::mem::take(&mut self.cells) {
            *wider.entry(cell.div_euclid(2)).or_default() += count;
        }
        self.cells = wider;
    }

    /// At most `columns` of equal width from the first cell to the last, and that width in seconds.
    pub(crate) fn columns(&self, columns: i64) -> (i64, Vec<Column>) {
        let (Some((first, _)), Some((last, _))) =
            (self.cells.first_key_value(), self.cells.last_key_value())
        else {
            return (self.seconds, Vec::new());
        };
        let cells = (last - first) / columns + 1;
        let mut counts = vec![0; usize::try_from((last - first) / cells + 1).unwrap_or_default()];
        for (cell, count) in &self.cells {
            let column = usize::try_from((cell - first) / cells).unwrap_or_default();
            counts[column] += count;
        }
        let start = |column: usize| {
            let column = i64::try_from(column).unwrap_or_default();
            Timestamp::from_second((first + column * cells) * self.seconds).unwrap_or_default()
        };
        let columns = counts.into_iter().enumerate();
        (
            cells * self.seconds,
            columns
                .map(|(column, count)| Column {
                    start: start(column),
                    count,
                })
                .collect(),
        )
    }
}
