//! How long something took, and the round values around which it clusters.

use std::collections::BTreeMap;

/// The bins that are shown: their lower bounds in milliseconds, and their names.
pub(crate) const BINS: [(u64, &str); 10] = [
    (0, "under 1 s"),
    (1_000, "1 to 10 s"),
    (10_000, "10 to 30 s"),
    (30_000, "30 to 60 s"),
    (60_000, "1 to 5 min"),
    (300_000, "5 to 15 min"),
    (900_000, "15 to 60 min"),
    (3_600_000, "1 to 6 h"),
    (21_600_000, "6 to 24 h"),
    (86_400_000, "over a day"),
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
    bins: [u64; BINS.len()],
    /// By second, then by minute: at most [`CELLS`], and mostly few.
    cells: BTreeMap<u64, u64>,
    count: u64,
}

/// Values that came together right after a round one, or all after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cluster {
    pub(crate) seconds: u64,
    pub(crate) count: u64,
    /// Whose timer is known for such a silence; empty where it is only a round value.
    pub(crate) suggests: &'static str,
}

impl Histogram {
    /// Adds a value; one that a known timer set is no hint at an unknown one.
    pub(crate) fn add(&mut self, milliseconds: u64, is_known: bool) {
        self.count += 1;
        self.bins[bin_of(milliseconds)] += 1;
        if is_known {
            return;
        }
        *self.cells.entry(cell_of(milliseconds)).or_default() += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn bins(&self) -> &[u64; BINS.len()] {
        &self.bins
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
                (count >= 3 && count * 20 >= self.count && count >= 4 * usual).then_some(Cluster {
                    seconds,
                    count,
                    suggests,
                })
            })
            .collect()
    }

    /// What forgets idle connections without a word shows in the next write, whenever that comes: ten values or
    /// more, all after a round one, the first soon after it for so many, and the others anywhere.
    pub(crate) fn floor(&self) -> Option<Cluster> {
        let least = *self.cells.first_key_value()?.0;
        let count: u64 = self.cells.values().sum();
        let all: u64 = self.cells.iter().map(|(cell, count)| start_of(*cell) * count).sum();
        let (seconds, suggests) = *ROUND.iter().rfind(|(seconds, _)| *seconds <= start_of(least))?;
        let first = start_of(least) - seconds;
        let spread = (all / count).saturating_sub(seconds);
        let is_floor = seconds >= 60 && count >= 10 && first * 10 <= seconds;
        (is_floor && spread * 5 >= seconds && first * count <= 3 * spread).then_some(Cluster {
            seconds,
            count,
            suggests,
        })
    }

    /// How many values were in these whole seconds, the last left out.
    fn within(&self, from: u64, to: u64) -> u64 {
        let cells = cell_of(from * 1000)..cell_of(to * 1000).max(cell_of(from * 1000) + 1);
        self.cells.range(cells).map(|(_, count)| count).sum()
    }
}

fn bin_of(milliseconds: u64) -> usize {
    BINS.iter().rposition(|(from, _)| *from <= milliseconds).unwrap_or_default()
}

/// A timer may seem to fire a few milliseconds early, by rounding.
fn cell_of(milliseconds: u64) -> u64 {
    let seconds = milliseconds.saturating_add(5) / 1000;
    match seconds.checked_sub(SECONDS) {
        None => seconds,
        Some(later) => (SECONDS + later / 60).min(CELLS),
    }
}

/// The first second of a cell.
fn start_of(cell: u64) -> u64 {
    cell.checked_sub(SECONDS).map_or(cell, |minutes| SECONDS + minutes * 60)
}
