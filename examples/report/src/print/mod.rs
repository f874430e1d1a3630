//! What people and machines get to see.

mod look;
mod machines;
mod people;
mod table;
mod text;

use crate::tally::{Skipped, Tally};

pub(crate) use self::look::Look;
pub(crate) use self::machines::for_machines;
pub(crate) use self::people::for_people;

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
