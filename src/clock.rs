//! The two clocks, read when a connection opens and when it ends. The guard's page names them for each system.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The bare browser target has no clock, and asking for one panics there.
const HAS_CLOCK: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

/// The monotonic clock.
pub(crate) fn now() -> Option<Instant> {
    HAS_CLOCK.then(Instant::now)
}

/// Whole milliseconds, at most `u64::MAX` (584 million years).
#[allow(clippy::cast_possible_truncation)] // only what fits is cast
pub(crate) const fn milliseconds(duration: Duration) -> u64 {
    let milliseconds = duration.as_millis();
    if milliseconds > u64::MAX as u128 { u64::MAX } else { milliseconds as u64 }
}

/// The latest number in the order of all that causes learn. While it is held, none learns anything.
pub(crate) type Order = MutexGuard<'static, u64>;

pub(crate) fn order() -> Order {
    static LATEST: Mutex<u64> = Mutex::new(0);
    LATEST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both clocks, read at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) monotonic: Option<Instant>,
    /// Milliseconds since 1970; 0 without a clock.
    wall: i64,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { monotonic: now(), wall: if HAS_CLOCK { wall() } else { 0 } }
    }

    /// How many milliseconds further the wall clock moved than the monotonic clock since `self`.
    pub(crate) fn jump_until(self, later: Self) -> Option<i64> {
        let open = later.monotonic?.saturating_duration_since(self.monotonic?);
        let moved = later.wall.saturating_sub(self.wall);
        Some(moved.saturating_sub_unsigned(milliseconds(open)))
    }
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default(); // a clock before 1970 is not set
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
