//! How often a machine reconnected, and how long it was away.

use disconnect_attribution::ConnectType;
use foldhash::fast::RandomState;
use indexmap::IndexSet;
use jiff::{SignedDuration, Timestamp};

use crate::clean::clean;
use crate::read::End;

/// No more ends than this are looked at: 32 MB.
const MOST: usize = 1 << 20;

/// What is known of all machines.
#[derive(Default)]
pub(crate) struct Away {
    machines: IndexSet<String, RandomState>,
    /// Machine, end and start of each connection.
    connections: Vec<(usize, i64, Option<i64>)>,
}

/// A machine that is shown.
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
        if end.connect_type() == ConnectType::AgentToClient || self.connections.len() >= MOST {
            return;
        }
        let open = end.connection_duration().and_then(|open| SignedDuration::try_from(open).ok());
        let start = open.and_then(|open| time.checked_sub(open).ok());
        let (index, _) = self.machines.insert_full(clean(machine));
        self.connections.push((index, time.as_millisecond(), start.map(Timestamp::as_millisecond)));
    }

    /// The machines, those with the most ends first.
    pub(crate) fn machines(&self) -> Vec<Machine<'_>> {
        let mut connections = self.connections.clone();
        // Rotated logs may be named in any order.
        connections.sort_unstable();
        let machines = connections.chunk_by(|one, other| one.0 == other.0).map(|connections| {
            let away = connections.windows(2).filter_map(|pair| u64::try_from(pair[1].2? - pair[0].1).ok());
            let away: Vec<_> = away.collect();
            Machine {
                name: &self.machines[connections[0].0],
                ends: connections.len() as u64,
                known: away.len() as u64,
                total: away.iter().sum(),
                longest: away.iter().copied().max().unwrap_or(0),
            }
        });
        let mut machines: Vec<_> = machines.collect();
        machines.sort_by_key(|machine| (std::cmp::Reverse(machine.ends), machine.name));
        machines
    }
}
