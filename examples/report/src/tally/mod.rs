//! The counts, in memory that does not grow with the log.
//!
//! A log is read in parts, and what is in them is counted in their order, so that the result does not depend on
//! how many threads read.

pub(crate) mod away;
pub(crate) mod histogram;
pub(crate) mod timeline;
pub(crate) mod top;

use std::collections::BTreeMap;

use disconnect_attribution::{ConnectType, DisconnectReason, Initiator, Trigger};
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;

use self::away::Away;
use self::histogram::Histogram;
use self::timeline::Timeline;
use self::top::Top;
use crate::clean::clean;
use crate::read::{End, Record};

/// What a row of the table stands for: a few thousand of them at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) connect_type: ConnectType,
    pub(crate) reason: DisconnectReason,
    pub(crate) initiator: Option<Initiator>,
    pub(crate) trigger: Option<&'static str>,
    /// Whose transport ended.
    pub(crate) peer: Option<Initiator>,
}

impl Kind {
    /// In the order of the columns; empty for what is not known.
    pub(crate) fn words(&self) -> [&'static str; 5] {
        [
            self.connect_type.as_str(),
            self.reason.as_str(),
            self.initiator.map_or("", Initiator::as_str),
            self.trigger.unwrap_or(""),
            self.peer.map_or("", Initiator::as_str),
        ]
    }
}

/// Ends of one kind: those that began here, and those whose cause another line reports.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) original: u64,
    pub(crate) inherited: u64,
    /// Of all of them, on request.
    pub(crate) timeline: Timeline,
}

/// Columns of the counts by a field, and by the second.
pub(crate) const EXPECTED: usize = 0;
pub(crate) const UNEXPECTED: usize = 1;
pub(crate) const INHERITED: usize = 2;

/// Which ends count, and what is counted on request.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Filter {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) only_unexpected: bool,
    /// Whether what follows the first table is about the expected ends.
    pub(crate) expected: bool,
    pub(crate) by_file: bool,
    pub(crate) when: bool,
    pub(crate) away: bool,
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
    WithoutMessage,
    Replaced,
    Cut,
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
            Self::WithoutMessage => "without_message",
            Self::Replaced => "replaced",
            Self::Cut => "cut",
        }
    }
}

/// What was found in a part of a log; its lines are counted from 0.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) records: Vec<Record>,
    /// The line of each.
    pub(crate) places: Vec<u64>,
    pub(crate) lines: u64,
    /// How many lines are about something else, and the first of them.
    pub(crate) other: (u64, u64),
    pub(crate) too_long: bool,
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
    pub(crate) filter: Filter,
    pub(crate) lines: u64,
    pub(crate) expected: u64,
    pub(crate) unexpected: u64,
    pub(crate) inherited_expected: u64,
    pub(crate) inherited_unexpected: u64,
    pub(crate) left_out: u64,
    pub(crate) kinds: IndexMap<Kind, Ends, RandomState>,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) by: Top<3>,
    pub(crate) seconds: Top<3>,
    pub(crate) away: Away,
    /// Of the ends to investigate that are not inherited, as all that follows.
    pub(crate) timeline: Timeline,
    pub(crate) details: Top<1>,
    pub(crate) codes: Top<1>,
    pub(crate) lifetimes: Histogram,
    pub(crate) silences: Histogram,
    pub(crate) before_a_byte: u64,
    pub(crate) clock_jumps: u64,
    pub(crate) skipped: BTreeMap<Skipped, First>,
    pub(crate) without_time: Option<First>,
}

impl Tally {
    /// Counts a part of a file, of which so many lines came before it, and gives back how many are in the part.
    pub(crate) fn add(&mut self, part: Part, file: &str, lines: u64) -> u64 {
        let place = |line: u64| format!("{file}:{}", lines + line + 1);
        for (record, line) in part.records.into_iter().zip(part.places) {
            match record {
                Record::End(end) => self.end(&end, file, || place(line)),
                Record::Unreadable(read) => {
                    let first =
                        self.skip(Skipped::Unreadable, 1, || format!("{}: {}", place(line), read.why));
                    first.likely.get_or_insert(read.likely);
                }
                Record::WithoutMessage => {
                    self.skip(Skipped::WithoutMessage, 1, || place(line));
                }
            }
        }
        if part.other.0 > 0 {
            self.skip(Skipped::NoEnd, part.other.0, || place(part.other.1));
        }
        if part.too_long {
            self.skip(Skipped::TooLong, 1, || place(0));
        }
        self.lines += part.lines;
        part.lines
    }

    /// Counts what is left out.
    pub(crate) fn skip(&mut self, what: Skipped, count: u64, place: impl FnOnce() -> String) -> &mut First {
        let first = self.skipped.entry(what).or_insert_with(|| First::at(place()));
        first.count += count;
        first
    }

    fn end(&mut self, read: &End, file: &str, place: impl FnOnce() -> String) {
        let Filter { since, until, only_unexpected, expected, .. } = self.filter;
        let end = &read.disconnect;
        let is_outside =
            |time| since.is_some_and(|since| time < since) || until.is_some_and(|until| time >= until);
        match read.time {
            None if since.is_some() || until.is_some() => {
                self.skip(Skipped::WithoutTime, 1, place);
                return;
            }
            time if time.is_some_and(is_outside) || only_unexpected && end.expected() => {
                self.left_out += 1;
                return;
            }
            Some(time) => {
                self.first = Some(self.first.map_or(time, |known| known.min(time)));
                self.last = Some(self.last.map_or(time, |known| known.max(time)));
            }
            None => {
                let first = self.without_time.get_or_insert_with(|| First::at(place()));
                first.count += 1;
            }
        }
        let inherited = end.origin().is_some();
        self.kind(read, file, inherited);
        if !inherited && end.expected() == expected {
            self.investigate(read);
        }
    }

    fn kind(&mut self, read: &End, file: &str, inherited: bool) {
        let end = &read.disconnect;
        let kind = Kind {
            connect_type: end.connect_type(),
            reason: end.reason(),
            initiator: end.initiator(),
            trigger: end.trigger().map(Trigger::as_str),
            peer: end.peer(),
        };
        let ends = self.kinds.entry(kind).or_default();
        let (total, column) = match (inherited, end.expected()) {
            (false, true) => (&mut self.expected, EXPECTED),
            (false, false) => (&mut self.unexpected, UNEXPECTED),
            (true, true) => (&mut self.inherited_expected, INHERITED),
            (true, false) => (&mut self.inherited_unexpected, INHERITED),
        };
        *total += 1;
        if inherited {
            ends.inherited += 1;
        } else {
            ends.original += 1;
        }
        if let Some(time) = read.time.filter(|_| self.filter.when) {
            ends.timeline.add(time);
            self.seconds.add(&format!("{time:.0}"), column);
        }
        if self.filter.by_file {
            self.by.add(file, column);
        } else if let Some(by) = &read.by {
            self.by.add(&clean(by), column);
        }
        if self.filter.away && !inherited {
            self.away.add(read);
        }
    }

    fn investigate(&mut self, read: &End) {
        let end = &read.disconnect;
        if let Some(time) = read.time {
            self.timeline.add(time);
        }
        if let Some(code) = end.code() {
            self.codes.add(&code.to_string(), 0);
        }
        if let Some(detail) = end.detail() {
            self.details.add(detail, 0);
        }
        let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if let Some(open) = end.connection_duration() {
            self.lifetimes.add(milliseconds(open), false);
        }
        if let Some(silence) = end.peer_silence() {
            let is_known = end.trigger().is_some_and(is_own_timer);
            self.silences.add(milliseconds(silence), is_known);
        }
        self.before_a_byte += u64::from(end.bytes_received() == Some(0));
        self.clock_jumps += u64::from(end.clock_jump().is_some());
    }

    /// All ends that count.
    pub(crate) fn ends(&self) -> u64 {
        self.expected + self.unexpected + self.inherited()
    }

    pub(crate) fn inherited(&self) -> u64 {
        self.inherited_expected + self.inherited_unexpected
    }
}

impl First {
    fn at(place: String) -> Self {
        Self { count: 0, place, likely: None }
    }
}

/// Whether a timer of this program fired, so that its value is known.
fn is_own_timer(trigger: Trigger) -> bool {
    matches!(
        trigger,
        Trigger::IdleTimeout
            | Trigger::KeepaliveTimeout
            | Trigger::HandshakeTimeout
            | Trigger::Deadline
            | Trigger::MaxAge
    )
}
