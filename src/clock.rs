//! The two clocks, read when a connection opens and when it ends. The guard's page names them for each system.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The bare browser target has no clock, and asking for one panics there.
const HAS_CLOCK: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

/// Nanoseconds on the monotonic clock since this process first asked, never 0; 0 without a clock.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    if !HAS_CLOCK {
        return 0;
    }
    let elapsed = START.get_or_init(Instant::now).elapsed();
    elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos()) + 1 // overflows after 584 years
}

/// Whole milliseconds between two readings; 0 if the second is the earlier.
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
    /// Milliseconds since 1970; 0 without a clock.
    wall: i64,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { monotonic: now(), wall: if HAS_CLOCK { wall() } else { 0 } }
    }

    /// How many milliseconds further the wall clock moved than the monotonic clock since `self`.
    pub(crate) fn jump_until(self, later: Self) -> i64 {
        let open = milliseconds(self.monotonic, later.monotonic);
        let moved = later.wall.saturating_sub(self.wall);
        moved.saturating_sub_unsigned(open)
    }
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default(); // a clock before 1970 is not set
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
