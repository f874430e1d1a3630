//! The most frequent texts of a log, in bounded memory.

use std::cmp::Reverse;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

/// Counts of distinct texts: exact up to [`DISTINCT`](Self::DISTINCT) of them, then the most frequent with a
/// bound on the error.
///
/// Space-Saving (Metwally, Agrawal, El Abbadi 2005) in batches: when there are twice as many texts as are kept,
/// the rarer half goes. What went had at most `floor` occurrences, so a text that comes (again) may have had
/// as many before, and no text that is more frequent than `floor` is ever missing.
#[derive(Default)]
pub(crate) struct Top<const N: usize> {
    counts: IndexMap<String, Counter<N>, RandomState>,
    floor: u64,
    total: u64,
}

#[derive(Clone, Copy)]
struct Counter<const N: usize> {
    counted: [u64; N],
    /// How many more there may have been before this one was counted.
    missed: u64,
}

impl<const N: usize> Counter<N> {
    fn at_least(&self) -> u64 {
        self.counted.iter().sum()
    }

    fn at_most(&self) -> u64 {
        self.at_least() + self.missed
    }
}

/// A text that is shown.
pub(crate) struct Shown<'a, const N: usize> {
    pub(crate) text: &'a str,
    pub(crate) counted: [u64; N],
    pub(crate) at_least: u64,
    pub(crate) at_most: u64,
}

impl<const N: usize> Top<N> {
    /// How many texts are kept whatever comes.
    pub(crate) const DISTINCT: usize = 10_000;

    /// Counts one more of a text.
    pub(crate) fn add(&mut self, text: &str, column: usize) {
        self.total += 1;
        if let Some(counter) = self.counts.get_mut(text) {
            counter.counted[column] += 1;
            return;
        }
        let mut counted = [0; N];
        counted[column] = 1;
        let missed = self.floor;
        self.counts.insert(text.to_owned(), Counter { counted, missed });
        if self.counts.len() >= 2 * Self::DISTINCT {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.counts.sort_by(|a, one, b, other| (other.at_most(), a).cmp(&(one.at_most(), b)));
        for (_, counter) in self.counts.drain(Self::DISTINCT..) {
            self.floor = self.floor.max(counter.at_most());
        }
    }

    /// The most frequent first; ties in alphabetical order.
    pub(crate) fn most(&self, count: usize) -> Vec<Shown<'_, N>> {
        let all = self.counts.iter().map(|(text, counter)| Shown {
            text,
            counted: counter.counted,
            at_least: counter.at_least(),
            at_most: counter.at_most(),
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|shown| (Reverse(shown.at_most), shown.text));
        all.truncate(count);
        all
    }

    /// How many were counted, of all texts.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// How many distinct texts there were, where that is known.
    pub(crate) fn distinct(&self) -> Option<usize> {
        (self.floor == 0).then_some(self.counts.len())
    }

    /// By how much a count may be too high, and how often a text that is missing may have occurred.
    pub(crate) fn error_at_most(&self) -> u64 {
        self.floor
    }
}
