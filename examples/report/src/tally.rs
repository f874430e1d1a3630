//! The counts, in memory that does not grow with the log.

use std::collections::{BTreeMap, HashMap};
use std::io;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};
use jiff::Timestamp;

use crate::line::Line;

/// Layer, reason and initiator: at most 3 x 10 x 6 of them.
pub(crate) type Kind = (ConnectType, DisconnectReason, Option<Initiator>);

pub(crate) struct Tally {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    only_unexpected: bool,

    pub(crate) lines: u64,
    pub(crate) expected: u64,
    pub(crate) unexpected: u64,
    pub(crate) kinds: HashMap<Kind, u64>,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    /// Of the unexpected ends.
    pub(crate) timeline: Timeline,
    pub(crate) details: Top,
    pub(crate) codes: Top,

    pub(crate) left_out: u64,
    pub(crate) skipped: BTreeMap<Skipped, (u64, String)>,
}

/// Why a line was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skipped {
    NoEnd,
    NotJson,
    Unreadable,
    TooLong,
    WithoutTime,
    ReadError,
}

impl Skipped {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NoEnd => "lines about something else",
            Self::NotJson => "lines that are not JSON, or cut",
            Self::Unreadable => "lines with disconnect fields that make no sense",
            Self::TooLong => "lines longer than 1 MiB",
            Self::WithoutTime => "ends without a time, so neither since nor until",
            Self::ReadError => "files that could not be read to their end",
        }
    }

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::NoEnd => "no_end",
            Self::NotJson => "not_json",
            Self::Unreadable => "unreadable",
            Self::TooLong => "too_long",
            Self::WithoutTime => "without_time",
            Self::ReadError => "read_error",
        }
    }
}

impl Tally {
    pub(crate) fn new(
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        only_unexpected: bool,
    ) -> Self {
        Self {
            since,
            until,
            only_unexpected,
            lines: 0,
            expected: 0,
            unexpected: 0,
            kinds: HashMap::new(),
            first: None,
            last: None,
            timeline: Timeline::default(),
            details: Top::default(),
            codes: Top::default(),
            left_out: 0,
            skipped: BTreeMap::new(),
        }
    }

    pub(crate) fn count(&mut self, file: &str, number: u64, line: Line) {
        self.lines += 1;
        let place = |why: &str| format!("{file}:{number}{why}");
        match line {
            Line::End(end, time) => self.end(&end, time, file, number),
            Line::NoEnd => self.skip(Skipped::NoEnd, || place("")),
            Line::NotJson => self.skip(Skipped::NotJson, || place("")),
            Line::Unreadable(error) => {
                self.skip(Skipped::Unreadable, || place(&format!(": {error}")));
            }
            Line::Blank => {}
        }
    }

    pub(crate) fn count_too_long(&mut self, file: &str, number: u64) {
        self.lines += 1;
        self.skip(Skipped::TooLong, || format!("{file}:{number}"));
    }

    pub(crate) fn count_read_error(&mut self, file: &str, error: &io::Error) {
        self.skip(Skipped::ReadError, || format!("{file}: {error}"));
    }

    /// Counts, and keeps where it happened first.
    fn skip(&mut self, why: Skipped, place: impl FnOnce() -> String) {
        self.skipped.entry(why).or_insert_with(|| (0, place())).0 += 1;
    }

    fn end(&mut self, end: &Disconnect, time: Option<Timestamp>, file: &str, number: u64) {
        if self.since.is_some() || self.until.is_some() {
            let Some(time) = time else {
                return self.skip(Skipped::WithoutTime, || format!("{file}:{number}"));
            };
            if self.since.is_some_and(|since| time < since)
                || self.until.is_some_and(|until| time >= until)
            {
                self.left_out += 1;
                return;
            }
        }
        if self.only_unexpected && end.expected() {
            self.left_out += 1;
            return;
        }
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        let kind = (end.connect_type(), end.reason(), end.initiator());
        *self.kinds.entry(kind).or_default() += 1;
        if end.expected() {
            self.expected += 1;
            return;
        }
        self.unexpected += 1;
        if let Some(time) = time {
            self.timeline.add(time);
        }
        if let Some(code) = end.code() {
            self.codes.add(&code.to_string());
        }
        if let Some(detail) = end.detail() {
            self.details.add(detail);
        }
    }
}

/// Counts of distinct texts, up to a bound; later newcomers share one count.
#[derive(Default)]
pub(crate) struct Top {
    counts: HashMap<String, u64>,
    pub(crate) others: u64,
}

impl Top {
    const DISTINCT: usize = 10_000;

    fn add(&mut self, text: &str) {
        if let Some(count) = self.counts.get_mut(text) {
            *count += 1;
        } else if self.counts.len() < Self::DISTINCT {
            self.counts.insert(text.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    /// The most frequent first; ties in alphabetical order.
    pub(crate) fn most(&self, count: usize) -> Vec<(&str, u64)> {
        let all = self.counts.iter();
        let mut all: Vec<_> = all.map(|(text, count)| (text.as_str(), *count)).collect();
        all.sort_by_key(|(text, count)| (std::cmp::Reverse(*count), *text));
        all.truncate(count);
        all
    }
}

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

    fn add(&mut self, time: Timestamp) {
        *self
            .cells
            .entry(time.as_second().div_euclid(self.seconds))
            .or_default() += 1;
        while self.cells.len() > Self::CELLS {
            self.seconds *= 2;
            let mut wider = BTreeMap::new();
            for (cell, count) in std::mem::take(&mut self.cells) {
                *wider.entry(cell.div_euclid(2)).or_default() += count;
            }
            self.cells = wider;
        }
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
