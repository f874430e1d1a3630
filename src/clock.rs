//! The two clocks, read when a connection opens and when it ends. The guard's page names them for each system.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The bare browser target has no clock, and asking for one panics there.
const HAS_CLOCK: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

/// Nanoseconds on the monotonic clock since this process first asked, never 0; 0 without a clock.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    if !HAS_CLOCK {
        return 0;
    }
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).map_or(u64::MAX, |elapsed| elapsed.saturating_add(1))
}

/// Whole milliseconds between two readings; 0 where the second is the earlier.
pub(crate) const fn milliseconds(from: u64, to: u64) -> u64 {
    to.saturating_sub(from) / 1_000_000
}

/// The order of all that causes learn. While it is held, none learns anything.
pub(crate) struct Order(MutexGuard<'static, u64>);

impl Order {
    pub(crate) fn hold() -> Self {
        static LATEST: Mutex<u64> = Mutex::new(0);
        Self(LATEST.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A reading of the clock that is later than all before it: it orders and measures at once.
    pub(crate) fn stamp(&mut self) -> u64 {
        *self.0 = now().max(*self.0 + 1);
        *self.0
    }
}

/// Both clocks, read at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) monotonic: u64,
    wall: Option<SystemTime>,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self {
            monotonic: now(),
            wall: HAS_CLOCK.then(SystemTime::now),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_wall_moved(self, by: Duration, is_back: bool) -> Self {
        let moved = |wall: SystemTime| if is_back { wall - by } else { wall + by };
        Self {
            wall: self.wall.map(moved),
            ..self
        }
    }

    /// How many milliseconds further the wall clock moved than the monotonic clock since `self`.
    pub(crate) fn jump_until(self, later: Self) -> i64 {
        let (Some(from), Some(to)) = (self.wall, later.wall) else {
            return 0;
        };
        let signed = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let wall = to
            .duration_since(from)
            .map_or_else(|backwards| -signed(backwards.duration()), signed);
        let monotonic = Duration::from_nanos(later.monotonic.saturating_sub(self.monotonic));
        wall.saturating_sub(signed(monotonic))
    }
}
