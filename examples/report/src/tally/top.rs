//! The most frequent texts of a log, in bounded memory.

use std::cmp::Reverse;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

/// So many texts are kept whatever comes.
const DISTINCT: usize = 10_000;

/// The columns in which the occurrences of a text are counted.
pub(crate) const EXPECTED: usize = 0;
pub(crate) const UNEXPECTED: usize = 1;
pub(crate) const INHERITED: usize = 2;

/// Counts of distinct texts: exact up to twice [`DISTINCT`] of them, then the most frequent with a bound on the error.
///
/// Space-Saving (Metwally, Agrawal, El Abbadi 2005) in batches: when there are twice as many texts as are kept,
/// the rarer half goes. What went had at most `floor` occurrences, so a text that comes (again) may have had
/// as many before, and no text that is more frequent than `floor` is ever missing.
#[derive(Default)]
pub(crate) struct Top {
    counts: IndexMap<String, Count, RandomState>,
    floor: u64,
    total: u64,
}

#[derive(Clone, Copy)]
pub(crate) struct Count {
    pub(crate) columns: [u64; 3],
    /// How many more there may have been before this one was counted.
    missed: u64,
}

impl Count {
    pub(crate) fn at_least(&self) -> u64 {
        self.columns.iter().sum()
    }

    pub(crate) fn at_most(&self) -> u64 {
        self.at_least() + self.missed
    }
}

impl Top {
    /// Counts one more of a text.
    pub(crate) fn add(&mut self, text: &str, column: usize) {
        self.total += 1;
        if let Some(count) = self.counts.get_mut(text) {
            count.columns[column] += 1;
            return;
        }
        let mut count = Count { columns: [0; 3], missed: self.floor };
        count.columns[column] = 1;
        self.counts.insert(text.to_owned(), count);
        if self.counts.len() >= 2 * DISTINCT {
            self.counts.sort_by(|a, one, b, other| (other.at_most(), a).cmp(&(one.at_most(), b)));
            for (_, count) in self.counts.drain(DISTINCT..) {
                self.floor = self.floor.max(count.at_most());
            }
        }
    }

    /// The most frequent first; ties in alphabetical order.
    pub(crate) fn most(&self, count: usize) -> Vec<(&str, Count)> {
        let mut all: Vec<_> = self.counts.iter().map(|(text, count)| (text.as_str(), *count)).collect();
        all.sort_by_key(|(text, count)| (Reverse(count.at_most()), *text));
        all.truncate(count);
        all
    }

    /// What the most frequent leave out: how many occurrences, and how many distinct texts if that is known.
    pub(crate) fn more(&self, count: usize) -> (u64, Option<usize>) {
        let most = self.most(count);
        let shown: u64 = most.iter().map(|(_, count)| count.at_least()).sum();
        let distinct = (self.floor == 0).then(|| self.counts.len() - most.len());
        (self.total.saturating_sub(shown), distinct)
    }

    /// By how much a count may be too high, and how often a text that is missing may have occurred.
    pub(crate) fn error_at_most(&self) -> u64 {
        self.floor
    }
}
