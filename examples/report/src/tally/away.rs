//! How often a machine reconnected, and how long it was away.

use disconnect_attribution::ConnectType;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use crate::clean::clean;
use crate::read::End;

/// No more ends than this are looked at: 32 MB.
const MOST: usize = 1 << 20;

/// What is known of all machines.
#[derive(Default)]
pub(crate) struct Away {
    machines: IndexMap<String, (), RandomState>,
    /// End, start and machine of each connection.
    intervals: Vec<(i64, Option<i64>, usize)>,
}

/// A machine that is shown.
#[derive(Default)]
pub(crate) struct Machine<'a> {
    pub(crate) name: &'a str,
    pub(crate) ends: u64,
    /// How often it is known how long it was away, for how many milliseconds in all, and at the longest.
    pub(crate) known: u64,
    pub(crate) total: u64,
    pub(crate) longest: u64,
}

impl Away {
    /// Adds a connection to a server.
    pub(crate) fn add(&mut self, read: &End) {
        let end = &read.disconnect;
        let (Some(time), Some(machine)) = (read.time, &read.by) else {
            return;
        };
        if end.connect_type() == ConnectType::AgentToClient || self.intervals.len() >= MOST {
            return;
        }
        let open = end.connection_duration().and_then(|open| SignedDuration::try_from(open).ok());
        let start = open.and_then(|open| time.checked_sub(open).ok());
        let (index, _) = self.machines.insert_full(clean(machine), ());
        self.intervals.push((time.as_millisecond(), start.map(Timestamp::as_millisecond), index));
    }

    /// The machines, those with the most ends first.
    pub(crate) fn machines(&self) -> Vec<Machine<'_>> {
        let mut machines: Vec<_> =
            self.machines.keys().map(|name| (Machine { name, ..Machine::default() }, None)).collect();
        let mut intervals = self.intervals.clone();
        // Rotated logs may be named in any order.
        intervals.sort_unstable();
        for (end, start, index) in intervals {
            let (machine, last) = &mut machines[index];
            machine.ends += 1;
            if let (Some(start), Some(last)) = (start, *last)
                && let Ok(away) = u64::try_from(start - last)
            {
                machine.known += 1;
                machine.total += away;
                machine.longest = machine.longest.max(away);
            }
            *last = Some(end);
        }
        let mut machines: Vec<_> = machines.into_iter().map(|(machine, _)| machine).collect();
        machines.sort_by_key(|machine| (std::cmp::Reverse(machine.ends), machine.name));
        machines
    }
}
