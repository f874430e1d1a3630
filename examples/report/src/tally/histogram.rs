//! How long something took, and the round values around which it clusters.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde_derive::Serialize;

/// The bins that are shown: their lower bounds in seconds, and their names.
const BINS: [(u64, &str); 10] = [
    (0, "under 1 s"),
    (1, "1 to 10 s"),
    (10, "10 to 30 s"),
    (30, "30 to 60 s"),
    (60, "1 to 5 min"),
    (300, "5 to 15 min"),
    (900, "15 to 60 min"),
    (3_600, "1 to 6 h"),
    (21_600, "6 to 24 h"),
    (86_400, "over a day"),
];

/// Values at which timers are usually set, in seconds, and whose timer is known for it.
const ROUND: [(u64, &str); 27] = [
    (1, ""),
    (2, ""),
    (3, ""),
    (5, ""),
    (10, ""),
    (15, ""),
    (20, "a keepalive's timeout (gRPC)"),
    (30, "an idle timer (QUIC, HAProxy)"),
    (45, ""),
    (50, "an idle timeout of HAProxy"),
    (55, "an idle timeout of Heroku's router"),
    (60, "an idle timeout of a load balancer (AWS ALB, nginx)"),
    (75, "nginx's keepalive_timeout"),
    (90, ""),
    (100, "Cloudflare's proxy timeout"),
    (120, ""),
    (180, ""),
    (240, "an idle timeout of Azure's load balancer"),
    (300, "an idle timeout of a proxy (Envoy)"),
    (350, "an idle timeout of an AWS NLB or NAT gateway"),
    (600, "an idle timeout of Google Cloud's firewall"),
    (900, "an idle timeout of a connection table (IPVS)"),
    (1_800, "an idle timeout of half an hour"),
    (3_600, "an hour: a firewall's idle timeout, or an expiry"),
    (7_200, "TCP keepalive's default of two hours"),
    (28_800, "eight hours: a session's allowed age"),
    (86_400, "a day: an allowed age"),
];

/// Each second has its own cell up to here; later ones share a cell per minute.
const SECONDS: u64 = 4 * 3_600;

/// A cell is a second or a minute, and there are no more than this many.
const CELLS: u64 = SECONDS + 30 * 24 * 60;

#[derive(Default)]
pub(crate) struct Histogram {
    /// All values, and those no known timer set, by second, then by minute: at most [`CELLS`], and mostly few.
    cells: BTreeMap<u64, [u64; 2]>,
}

/// Values that came together right after a round one, or all after it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Cluster {
    pub(crate) seconds: u64,
    pub(crate) count: u64,
    /// Whose timer is known for such a silence; nothing if it is only a round value.
    pub(crate) suggests: Option<&'static str>,
}

impl Histogram {
    /// Adds a value; one that a known timer set is no hint at an unknown one.
    pub(crate) fn add(&mut self, value: Duration, is_known: bool) {
        // A timer may seem to fire a few milliseconds early, by rounding.
        let seconds = value.saturating_add(Duration::from_millis(5)).as_secs();
        let [all, unknown] = self.cells.entry(cell_of(seconds)).or_default();
        *all += 1;
        *unknown += u64::from(!is_known);
    }

    pub(crate) fn count(&self) -> u64 {
        self.cells.values().map(|[all, _]| all).sum()
    }

    /// The bins that are shown: bounds in seconds, a name, and how many values are in it.
    pub(crate) fn bins(&self) -> impl Iterator<Item = (Range<u64>, &'static str, u64)> {
        BINS.iter().enumerate().map(|(index, (from, name))| {
            let to = BINS.get(index + 1).map_or(u64::MAX, |(to, _)| *to);
            let inside = self.cells.range(cell_of(*from)..cell_of(to));
            (*from..to, *name, inside.map(|(_, [all, _])| all).sum())
        })
    }

    /// A timer fires at its value or a little later, and whatever else ends connections does not know
    /// that value: a cluster is three values or more there, at least one in twenty, and at least four times as
    /// many as around it.
    pub(crate) fn clusters(&self) -> Vec<Cluster> {
        ROUND
            .iter()
            .filter_map(|&(seconds, suggests)| {
                let width = (seconds / 50).clamp(1, 60);
                let count = self.within(seconds, seconds + width);
                let around = (4 * width).min(seconds);
                let before = self.within(seconds - around, seconds);
                let after = self.within(seconds + width, seconds + 5 * width);
                let usual = ((before + after) * width).div_ceil(around + 4 * width);
                (count >= 3 && count * 20 >= self.count() && count >= 4 * usual).then_some(Cluster {
                    seconds,
                    count,
                    suggests: named(suggests),
                })
            })
            .collect()
    }

    /// What forgets idle connections without a word shows in the next write, whenever that comes: ten values or
    /// more, all after a round one, the first soon after it for so many, and the others anywhere.
    pub(crate) fn floor(&self) -> Option<Cluster> {
        let unknown = || self.cells.iter().filter(|(_, [_, unknown])| *unknown > 0);
        let least = start_of(*unknown().next()?.0);
        let count: u64 = unknown().map(|(_, [_, unknown])| unknown).sum();
        let all: u64 = unknown().map(|(cell, [_, unknown])| start_of(*cell) * unknown).sum();
        let (seconds, suggests) = *ROUND.iter().rfind(|(seconds, _)| *seconds <= least)?;
        let first = least - seconds;
        let spread = (all / count).saturating_sub(seconds);
        let is_floor = seconds >= 60 && count >= 10 && first * 10 <= seconds;
        (is_floor && spread * 5 >= seconds && first * count <= 3 * spread).then_some(Cluster {
            seconds,
            count,
            suggests: named(suggests),
        })
    }

    /// How many values that no known timer set were in these whole seconds, the last left out.
    fn within(&self, from: u64, to: u64) -> u64 {
        let cells = cell_of(from)..cell_of(to).max(cell_of(from) + 1);
        self.cells.range(cells).map(|(_, [_, unknown])| unknown).sum()
    }
}

fn named(suggests: &'static str) -> Option<&'static str> {
    Some(suggests).filter(|suggests| !suggests.is_empty())
}

fn cell_of(seconds: u64) -> u64 {
    match seconds.checked_sub(SECONDS) {
        None => seconds,
        Some(later) => (SECONDS + later / 60).min(CELLS),
    }
}

/// The first second of a cell.
fn start_of(cell: u64) -> u64 {
    cell.checked_sub(SECONDS).map_or(cell, |minutes| SECONDS + minutes * 60)
}
