//! What each connection must log, and what it logged.

use std::sync::{Mutex, MutexGuard, PoisonError};

use disconnect_attribution::Disconnect;
use serde_json::Value;

use crate::story::{HELD, STORIES, Story};
use crate::words::words;

/// So many of what is wrong are shown.
pub(crate) const SHOWN: usize = 10;

#[derive(Debug)]
pub(crate) struct Ledger {
    connections: u64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// How many lines each connection left. Made at once, so that the harness does not grow.
    seen: Vec<u8>,
    /// Connections that were made.
    made: Vec<u64>,
    lines: u64,
    wrong: Vec<String>,
    /// What guards wrote to standard error in place of a line, which does not name the connection.
    lost: Vec<String>,
}

impl Entries {
    /// What is wrong goes to standard error whole, so that the summary can be short.
    fn note(&mut self, text: String) {
        if self.wrong.len() < SHOWN {
            eprintln!("{text}");
        }
        self.wrong.push(text);
    }
}

/// How one story went.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) story: Story,
    pub(crate) made: u64,
    pub(crate) lines: u64,
    pub(crate) lost: u64,
}

impl Ledger {
    pub(crate) fn new(connections: u64) -> Self {
        let all = usize::try_from(connections + HELD).expect("fits");
        let entries = Entries {
            seen: vec![0; all],
            made: Vec::with_capacity(all),
            ..Entries::default()
        };
        Self {
            connections,
            entries: Mutex::new(entries),
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn story(&self, number: u64) -> Story {
        if number < self.connections {
            Story::of(number)
        } else {
            Story::Held
        }
    }

    pub(crate) fn made(&self, number: u64) {
        self.entries().made.push(number);
    }

    pub(crate) fn trouble(&self, text: String) {
        self.entries().note(text);
    }

    /// Checks a line of the log on the spot.
    pub(crate) fn line(&self, line: &str, value: &Value) {
        let number = value["connection"].as_u64().unwrap_or(u64::MAX);
        let mut entries = self.entries();
        entries.lines += 1;
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(seen) = entries.seen.get_mut(at) else {
            entries.note(format!("of no connection: {line}"));
            return;
        };
        *seen = seen.saturating_add(1);
        if *seen > 1 {
            entries.note(format!("one line too many: {line}"));
        }
        let expected = self.story(number).expected();
        let is_right = serde_json::from_str::<Disconnect>(line).is_ok_and(|end| {
            words(&end) == expected.words
                && end.bytes_received() == Some(expected.received)
                && end.bytes_sent() == Some(expected.sent)
                && end.connection_duration() >= end.peer_silence()
                && end.clock_jump().is_none()
        });
        if !is_right {
            entries.note(format!("not {}: {line}", expected.words));
        }
    }

    /// Takes what the guard wrote where the log statement panicked.
    pub(crate) fn lost(&self, text: &str) {
        self.entries().lost.push(outline(text));
    }

    /// How many connections were made, and how many lines came for them, here or on standard error.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let entries = self.entries();
        let lost = entries.lost.len() as u64;
        (entries.made.len() as u64, entries.lines, lost)
    }

    /// What went wrong so far, and with what is missing for good.
    pub(crate) fn verdict(&self) -> (Vec<Row>, Vec<String>) {
        let entries = self.entries();
        let mut wrong = entries.wrong.clone();
        let mut lost = entries.lost.clone();
        let mut rows: Vec<Row> = STORIES
            .into_iter()
            .map(|story| Row {
                story,
                made: 0,
                lines: 0,
                lost: 0,
            })
            .collect();
        for &number in &entries.made {
            let story = self.story(number);
            let row = rows.iter_mut().find(|row| row.story == story);
            let row = row.expect("every story has a row");
            row.made += 1;
            if entries.seen[usize::try_from(number).expect("fits")] > 0 {
                row.lines += 1;
                continue;
            }
            let outline = outline(story.expected().words);
            match lost.iter().position(|text| *text == outline) {
                Some(at) => {
                    lost.swap_remove(at);
                    row.lost += 1;
                }
                None => wrong.push(format!("no line: connection {number}, {}", story.name())),
            }
        }
        wrong.extend(
            lost.iter()
                .map(|text| format!("lost, of no connection: {text}")),
        );
        (rows, wrong)
    }
}

/// Layer, side and reason, up to the numbers, which only one of the texts has.
fn outline(text: &str) -> String {
    let parts: Vec<&str> = text.splitn(3, ": ").take(2).collect();
    let outline = parts.join(": ");
    outline.split(" (").next().unwrap_or_default().to_owned()
}
