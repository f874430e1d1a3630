//! The counts, in memory that does not grow with the log.
//!
//! A log is counted in parts, and the parts are merged in their order, so that the result does not depend on
//! how many threads count.

pub(crate) mod histogram;
mod timeline;
pub(crate) mod top;

use std::collections::BTreeMap;

use disconnect_attribution::{ConnectType, DisconnectReason, Initiator, Trigger};
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;

use self::histogram::Histogram;
use self::timeline::Timeline;
use self::top::{Seen, Top, see};
use crate::clean::clean;
use crate::read::{End, Record, Unreadable};

/// What a row of the table stands for: at most 3 x 10 x 6 x 16 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) connect_type: ConnectType,
    pub(crate) reason: DisconnectReason,
    pub(crate) initiator: Option<Initiator>,
    pub(crate) trigger: Option<&'static str>,
}

/// Ends of one kind: those that began here, and those whose cause a parent saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    pub(crate) original: u64,
    pub(crate) inherited: u64,
}

/// Columns of the counts by message.
pub(crate) const EXPECTED: usize = 0;
pub(crate) const UNEXPECTED: usize = 1;
pub(crate) const INHERITED: usize = 2;

/// Which ends count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) only_unexpected: bool,
}

/// Why something was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skipped {
    Unreadable,
    NoEnd,
    TooLong,
    WithoutTime,
    ReadError,
    SameFile,
}

impl Skipped {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NoEnd => "no_end",
            Self::TooLong => "too_long",
            Self::WithoutTime => "without_time",
            Self::ReadError => "read_error",
            Self::SameFile => "same_file",
        }
    }
}

/// What can be added up in any order.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) lines: u64,
    pub(crate) expected: u64,
    pub(crate) unexpected: u64,
    pub(crate) inherited_expected: u64,
    pub(crate) inherited_unexpected: u64,
    pub(crate) left_out: u64,
    pub(crate) kinds: IndexMap<Kind, Ends, RandomState>,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    /// Of the unexpected ends that are not inherited, as all that follows.
    pub(crate) timeline: Timeline,
    pub(crate) before_a_byte: u64,
    pub(crate) clock_jumps: u64,
}

impl Counts {
    fn time(&mut self, first: Option<Timestamp>, last: Option<Timestamp>) {
        if let Some(first) = first {
            self.first = Some(self.first.map_or(first, |known| known.min(first)));
        }
        if let Some(last) = last {
            self.last = Some(self.last.map_or(last, |known| known.max(last)));
        }
    }

    fn merge(&mut self, other: Self) {
        let Self {
            lines,
            expected,
            unexpected,
            inherited_expected,
            inherited_unexpected,
            left_out,
            kinds,
            first,
            last,
            timeline,
            before_a_byte,
            clock_jumps,
        } = other;
        self.lines += lines;
        self.expected += expected;
        self.unexpected += unexpected;
        self.inherited_expected += inherited_expected;
        self.inherited_unexpected += inherited_unexpected;
        self.left_out += left_out;
        for (kind, ends) in kinds {
            let known = self.kinds.entry(kind).or_default();
            known.original += ends.original;
            known.inherited += ends.inherited;
        }
        self.time(first, last);
        self.timeline.merge(timeline);
        self.before_a_byte += before_a_byte;
        self.clock_jumps += clock_jumps;
    }
}

/// How often something happened in a part, and on which of its lines first.
struct Noted {
    count: u64,
    line: u64,
    why: Option<Unreadable>,
}

/// The counts of a part of a log.
#[derive(Default)]
pub(crate) struct Part {
    filter: Filter,
    counts: Counts,
    details: Seen<1>,
    codes: Seen<1>,
    messages: Seen<3>,
    lifetimes: Vec<u64>,
    silences: Vec<u64>,
    skipped: BTreeMap<Skipped, Noted>,
    without_time: Option<Noted>,
    text: String,
}

impl Part {
    pub(crate) fn new(filter: Filter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// Counts a record; `line` gives the number of its first line in the part, from 0.
    pub(crate) fn count(&mut self, record: Record, line: impl FnOnce() -> u64) {
        match record {
            Record::End(end) => self.end(&end, line),
            Record::Unreadable(why) => {
                note(&mut self.skipped, Skipped::Unreadable, line, Some(why));
            }
            Record::NoEnd => {}
        }
    }

    /// Counts lines that are about something else.
    pub(crate) fn no_end(&mut self, lines: u64, line: impl FnOnce() -> u64) {
        note(&mut self.skipped, Skipped::NoEnd, line, None);
        if let Some(noted) = self.skipped.get_mut(&Skipped::NoEnd) {
            noted.count += lines - 1;
        }
    }

    pub(crate) fn lines(&mut self, lines: u64) {
        self.counts.lines += lines;
    }

    /// Counts a line that is too long to be read.
    pub(crate) fn too_long(&mut self) {
        self.counts.lines += 1;
        note(&mut self.skipped, Skipped::TooLong, || 0, None);
    }

    fn end(&mut self, read: &End, line: impl FnOnce() -> u64) {
        let end = &read.disconnect;
        let Filter {
            since,
            until,
            only_unexpected,
        } = self.filter;
        match read.time {
            None if since.is_some() || until.is_some() => {
                return note(&mut self.skipped, Skipped::WithoutTime, line, None);
            }
            Some(time)
                if since.is_some_and(|since| time < since)
                    || until.is_some_and(|until| time >= until) =>
            {
                self.counts.left_out += 1;
                return;
            }
            Some(_) | None => {}
        }
        if only_unexpected && end.expected() {
            self.counts.left_out += 1;
            return;
        }
        self.counts.time(read.time, read.time);
        if read.time.is_none() {
            match &mut self.without_time {
                Some(noted) => noted.count += 1,
                none => {
                    *none = Some(Noted {
                        count: 1,
                        line: line(),
                        why: None,
                    });
                }
            }
        }
        let inherited = end.origin().is_some();
        self.kind(read, inherited);
        if !inherited && !end.expected() {
            self.investigate(read);
        }
    }

    fn kind(&mut self, read: &End, inherited: bool) {
        let end = &read.disconnect;
        let kind = Kind {
            connect_type: end.connect_type(),
            reason: end.reason(),
            initiator: end.initiator(),
            trigger: end.trigger().map(Trigger::as_str),
        };
        let ends = self.counts.kinds.entry(kind).or_default();
        let (total, column) = match (inherited, end.expected()) {
            (false, true) => (&mut self.counts.expected, EXPECTED),
            (false, false) => (&mut self.counts.unexpected, UNEXPECTED),
            (true, true) => (&mut self.counts.inherited_expected, INHERITED),
            (true, false) => (&mut self.counts.inherited_unexpected, INHERITED),
        };
        *total += 1;
        *(if inherited {
            &mut ends.inherited
        } else {
            &mut ends.original
        }) += 1;
        if let Some(message) = &read.message {
            see(&mut self.messages, &clean(message), column);
        }
    }

    fn investigate(&mut self, read: &End) {
        let end = &read.disconnect;
        if let Some(time) = read.time {
            self.counts.timeline.add(time);
        }
        if let Some(code) = end.code() {
            use std::fmt::Write;
            self.text.clear();
            // Writing to a string does not fail.
            let _ = write!(self.text, "{code}");
            see(&mut self.codes, &self.text, 0);
        }
        if let Some(detail) = end.detail() {
            see(&mut self.details, detail, 0);
        }
        let milliseconds =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.lifetimes
            .extend(end.connection_duration().map(milliseconds));
        self.silences.extend(end.peer_silence().map(milliseconds));
        self.counts.before_a_byte += u64::from(end.bytes_received() == Some(0));
        self.counts.clock_jumps += u64::from(end.clock_jump().is_some());
    }
}

/// Counts, and keeps where it happened first.
fn note(
    skipped: &mut BTreeMap<Skipped, Noted>,
    what: Skipped,
    line: impl FnOnce() -> u64,
    why: Option<Unreadable>,
) {
    skipped
        .entry(what)
        .or_insert_with(|| Noted {
            count: 0,
            line: line(),
            why,
        })
        .count += 1;
}

/// How often something happened, and where first.
pub(crate) struct First {
    pub(crate) count: u64,
    pub(crate) place: String,
    pub(crate) likely: Option<String>,
}

/// The counts of whole logs.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    pub(crate) details: Top<1>,
    pub(crate) codes: Top<1>,
    pub(crate) messages: Top<3>,
    pub(crate) lifetimes: Histogram,
    pub(crate) silences: Histogram,
    pub(crate) skipped: BTreeMap<Skipped, First>,
    pub(crate) without_time: Option<First>,
}

impl Tally {
    /// Adds a part of a file; `lines` of that file came before it.
    pub(crate) fn merge(&mut self, part: Part, file: &str, lines: u64) -> u64 {
        let place = |noted: &Noted| {
            let why = noted.why.as_ref();
            let why = why.map_or_else(String::new, |unreadable| format!(": {}", unreadable.why));
            format!("{file}:{}{why}", lines + noted.line + 1)
        };
        for (what, noted) in part.skipped {
            let first = self.skipped.entry(what).or_insert_with(|| First {
                count: 0,
                place: place(&noted),
                likely: noted.why.as_ref().map(|why| why.likely.clone()),
            });
            first.count += noted.count;
        }
        if let Some(noted) = part.without_time {
            let first = self.without_time.get_or_insert_with(|| First {
                count: 0,
                place: place(&noted),
                likely: None,
            });
            first.count += noted.count;
        }
        let lines = part.counts.lines;
        self.counts.merge(part.counts);
        self.details.merge(part.details);
        self.codes.merge(part.codes);
        self.messages.merge(part.messages);
        part.lifetimes
            .into_iter()
            .for_each(|time| self.lifetimes.add(time));
        part.silences
            .into_iter()
            .for_each(|time| self.silences.add(time));
        lines
    }

    /// Counts what is about a file as a whole.
    pub(crate) fn note(&mut self, what: Skipped, place: String) {
        let first = self.skipped.entry(what).or_insert(First {
            count: 0,
            place,
            likely: None,
        });
        first.count += 1;
    }

    /// All ends that count.
    pub(crate) fn ends(&self) -> u64 {
        let counts = &self.counts;
        counts.expected + counts.unexpected + self.inherited()
    }

    pub(crate) fn inherited(&self) -> u64 {
        self.counts.inherited_expected + self.counts.inherited_unexpected
    }
}
