//! The counts, in memory that does not grow with the log.
//!
//! A log is read in parts, and what is in them is counted in their order, so that the result does not depend on
//! how many threads read.

pub(crate) mod away;
pub(crate) mod histogram;
pub(crate) mod timeline;
pub(crate) mod top;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_derive::Serialize;

use self::away::Away;
use self::histogram::Histogram;
use self::timeline::Timeline;
use self::top::{EXPECTED, INHERITED, Top, UNEXPECTED};
use crate::arguments::{Arguments, BY_FILE};
use crate::clean::clean;
use crate::read::{End, Record, Skip};

/// What a row of the table stands for: a few thousand of them at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Kind {
    connect_type: ConnectType,
    #[serde(rename = "disconnect_reason")]
    reason: DisconnectReason,
    #[serde(rename = "disconnect_expected")]
    pub(crate) expected: bool,
    #[serde(rename = "disconnect_initiator")]
    initiator: Option<Initiator>,
    #[serde(rename = "disconnect_trigger")]
    trigger: Option<Trigger>,
    /// Whose transport ended.
    #[serde(rename = "disconnect_peer")]
    peer: Option<Initiator>,
}

impl Kind {
    fn of(end: &Disconnect) -> Self {
        Self {
            connect_type: end.connect_type(),
            reason: end.reason(),
            expected: end.expected(),
            initiator: end.initiator(),
            trigger: end.trigger(),
            peer: end.peer(),
        }
    }

    /// In the order of the columns; empty for what is not known.
    pub(crate) fn words(self) -> [&'static str; 5] {
        [
            self.connect_type.as_str(),
            self.reason.as_str(),
            self.initiator.map_or("", Initiator::as_str),
            self.trigger.map_or("", Trigger::as_str),
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

/// Why something was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Skipped {
    Unreadable,
    NoEnd,
    TooLong,
    WithoutTime,
    ReadError,
    SameFile,
    /// journald left the message of a line out, so that it may be an end.
    WithoutMessage,
    Replaced,
    Cut,
}

/// What was found in a part of a log; its lines are counted from 0.
#[derive(Default)]
pub(crate) struct Part {
    /// Each with its line.
    pub(crate) records: Vec<(u64, Record)>,
    pub(crate) lines: u64,
}

impl Part {
    /// What is to be noted in place of a part.
    pub(crate) fn of(what: Skipped, why: String) -> Self {
        let lines = u64::from(what == Skipped::TooLong);
        Self { records: vec![(0, Record::Skip(Skip::new(what, why)))], lines }
    }
}

/// How often something happened, and where first.
#[derive(Default, Serialize)]
pub(crate) struct First {
    pub(crate) count: u64,
    #[serde(rename = "first", skip_serializing_if = "String::is_empty")]
    pub(crate) place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) likely: Option<String>,
}

impl First {
    fn add(&mut self, count: u64, place: impl FnOnce() -> String) {
        if self.count == 0 {
            self.place = place();
        }
        self.count += count;
    }
}

/// The counts of whole logs.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) arguments: Arc<Arguments>,
    names: Vec<String>,
    /// The file of the last part, and how many of its lines were counted.
    file: (usize, u64),
    pub(crate) lines: u64,
    pub(crate) left_out: u64,
    kinds: IndexMap<Kind, Ends, RandomState>,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) by: Top,
    pub(crate) seconds: Top,
    pub(crate) away: Away,
    /// Of the ends to investigate that are not inherited, as all that follows.
    pub(crate) timeline: Timeline,
    pub(crate) details: Top,
    pub(crate) codes: Top,
    pub(crate) lifetimes: Histogram,
    pub(crate) silences: Histogram,
    pub(crate) before_a_byte: u64,
    pub(crate) clock_jumps: u64,
    pub(crate) skipped: BTreeMap<Skipped, First>,
    pub(crate) without_time: First,
}

impl Tally {
    /// Counts what is asked for in files of such names.
    pub(crate) fn new(arguments: Arc<Arguments>, names: Vec<String>) -> Self {
        Self { arguments, names, ..Self::default() }
    }

    /// Counts the next part of a file.
    pub(crate) fn add(&mut self, part: Part, file: usize) {
        if self.file.0 != file {
            self.file = (file, 0);
        }
        let (name, before) = (self.names[file].clone(), self.file.1);
        for (line, record) in part.records {
            let place = || format!("{name}:{}", before + line + 1);
            match record {
                Record::End(end) => self.end(&end, &name, place),
                Record::Skip(skip) => {
                    let is_of_file = matches!(
                        skip.what,
                        Skipped::ReadError | Skipped::SameFile | Skipped::Replaced | Skipped::Cut
                    );
                    self.skip(skip, || if is_of_file { name.clone() } else { place() });
                }
            }
        }
        self.file.1 += part.lines;
        self.lines += part.lines;
    }

    /// Counts what is left out.
    fn skip(&mut self, skip: Skip, place: impl FnOnce() -> String) {
        let first = self.skipped.entry(skip.what).or_default();
        let why = if skip.why.is_empty() { String::new() } else { format!(": {}", skip.why) };
        first.add(skip.count, || place() + &why);
        first.likely = first.likely.take().or(skip.likely);
    }

    fn end(&mut self, read: &End, file: &str, place: impl FnOnce() -> String) {
        let arguments = Arc::clone(&self.arguments);
        let (since, until) = (arguments.since, arguments.until);
        let end = &read.disconnect;
        let is_outside =
            |time| since.is_some_and(|since| time < since) || until.is_some_and(|until| time >= until);
        match read.time {
            None if since.is_some() || until.is_some() => {
                return self.skip(Skip::new(Skipped::WithoutTime, String::new()), place);
            }
            time if time.is_some_and(is_outside) || arguments.only_unexpected && end.expected() => {
                self.left_out += 1;
                return;
            }
            Some(time) => {
                self.first = Some(self.first.map_or(time, |known| known.min(time)));
                self.last = Some(self.last.map_or(time, |known| known.max(time)));
            }
            None => self.without_time.add(1, place),
        }
        let is_inherited = end.origin().is_some();
        let column = match (is_inherited, end.expected()) {
            (true, _) => INHERITED,
            (false, true) => EXPECTED,
            (false, false) => UNEXPECTED,
        };
        let ends = self.kinds.entry(Kind::of(end)).or_default();
        *(if is_inherited { &mut ends.inherited } else { &mut ends.original }) += 1;
        if let Some(time) = read.time.filter(|_| arguments.when) {
            ends.timeline.add(time);
            self.seconds.add(&format!("{time:.0}"), column);
        }
        if arguments.by.as_deref() == Some(BY_FILE) {
            self.by.add(file, column);
        } else if let Some(by) = &read.by {
            self.by.add(&clean(by), column);
        }
        if arguments.away && !is_inherited {
            self.away.add(read);
        }
        if !is_inherited && end.expected() == arguments.expected {
            self.look_at(end, read.time);
        }
    }

    fn look_at(&mut self, end: &Disconnect, time: Option<Timestamp>) {
        if let Some(time) = time {
            self.timeline.add(time);
        }
        if let Some(code) = end.code() {
            self.codes.add(&code.to_string(), UNEXPECTED);
        }
        if let Some(detail) = end.detail() {
            self.details.add(detail, UNEXPECTED);
        }
        if let Some(open) = end.connection_duration() {
            self.lifetimes.add(open, false);
        }
        if let Some(silence) = end.peer_silence() {
            self.silences.add(silence, end.trigger().is_some_and(is_own_timer));
        }
        self.before_a_byte += u64::from(end.bytes_received() == Some(0));
        self.clock_jumps += u64::from(end.clock_jump().is_some());
    }

    /// What has to be looked at first, then the most frequent.
    pub(crate) fn kinds(&self) -> Vec<(&Kind, &Ends)> {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(kind, ends)| {
            let counts = (Reverse(ends.original), Reverse(ends.inherited));
            (kind.expected, counts, kind.words())
        });
        kinds
    }

    /// How many ends were expected or were not: those that began here, and those whose cause another line reports.
    pub(crate) fn count(&self, expected: bool) -> [u64; 2] {
        let kinds = self.kinds.iter().filter(|(kind, _)| kind.expected == expected);
        kinds.fold([0; 2], |[own, inherited], (_, ends)| [own + ends.original, inherited + ends.inherited])
    }

    /// All ends that count.
    pub(crate) fn ends(&self) -> u64 {
        [true, false].into_iter().flat_map(|expected| self.count(expected)).sum()
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
