//! What people and machines get to see.

mod machines;
mod people;
mod tables;
mod text;

use std::cmp::Reverse;

use crate::tally::{Ends, Kind, Skipped, Tally};

pub(crate) use self::machines::for_machines;
pub(crate) use self::people::{Look, for_people};

/// How many of the most frequent values are shown.
const MOST: usize = 10;

/// What a reader of the numbers must not miss.
pub(crate) fn warning(tally: &Tally) -> Option<String> {
    let first = tally.skipped.get(&Skipped::Unreadable)?;
    let likely = first.likely.as_deref().unwrap_or_default();
    let (records, counted) = match first.count {
        1 => ("record that holds", "it is"),
        _ => ("records that hold", "they are"),
    };
    Some(format!(
        "{} {records} a disconnect_reason can't be read, so {counted} not counted. The first is {}; \
         it looks like {likely}",
        text::grouped(first.count),
        first.place,
    ))
}

/// What has to be looked at first, then the most frequent.
fn kinds(tally: &Tally) -> Vec<(&Kind, &Ends)> {
    let mut kinds: Vec<_> = tally.kinds.iter().collect();
    kinds.sort_by_key(|(kind, ends)| {
        let counts = (Reverse(ends.original), Reverse(ends.inherited));
        (kind.reason.expected(), counts, kind.words())
    });
    kinds
}
