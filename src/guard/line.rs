//! What the line holds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread;

use super::{DisconnectGuard, Shutdown};
use crate::cause::{Found, Weight};
use crate::clock::{self, Moment};
use crate::disconnect::{Facts, Number};
use crate::panics::drop_quietly;
use crate::{Disconnect, DisconnectReason, Initiator, Trigger};

const PANICKED: &str = "ended by a panic";
const DROPPED: &str = "no cause was recorded: cancelled task or early return";

/// The least clock jump that is logged; smaller ones are the clock being disciplined (NTP).
const LEAST_CLOCK_JUMP_MS: u64 = 1000;

impl<F: FnOnce(Disconnect)> DisconnectGuard<F> {
    /// The line, by the seven steps of the module's page.
    pub(super) fn line(&mut self) -> Disconnect {
        let is_panicking = thread::panicking() && !self.made_in_a_panic;
        let found = self
            .known(is_panicking)
            .or_else(|| self.concluded(is_panicking))
            .or_else(|| self.weakly_known());
        let end = found.map_or_else(|| self.dropped(), |found| self.of_this_layer(found));
        self.with_facts(end)
    }

    /// Step 1: what is known on the path.
    fn known(&self, is_panicking: bool) -> Option<Found> {
        let known = self.cause_ref().known()?;
        let is_passed_over = is_panicking && known.is_inherited && known.end.expected();
        (!is_passed_over).then_some(known)
    }

    /// Steps 2 and 3: what this guard concludes is stored, so that what runs over it hears of it.
    fn concluded(&mut self, is_panicking: bool) -> Option<Found> {
        let end = if is_panicking {
            Disconnect::new(self.connect_type, DisconnectReason::Unknown)
                .with_trigger(Trigger::Panic)
                .with_detail(PANICKED)
        } else {
            Disconnect::shutdown(self.connect_type, self.side_that_shuts_down()?)
        };
        let concluded = Found {
            end: end.clone(),
            weight: Weight::Local,
            is_inherited: false,
        };
        if self.cause_ref().observe(Weight::Local, end) {
            Some(concluded)
        } else {
            // Its own cause knows: it learned just now, or step 1 passed over an inherited cause in front of it.
            self.known(is_panicking).or(Some(concluded))
        }
    }

    /// Whether this side is shutting down. A condition that panics does not answer, and its own destructor
    /// may panic too.
    fn side_that_shuts_down(&mut self) -> Option<Initiator> {
        let Shutdown { side, condition } = self.shutdown.take()?;
        let answer = catch_unwind(AssertUnwindSafe(&condition));
        drop_quietly(condition);
        match answer {
            Ok(is_shutting_down) => is_shutting_down.then_some(side),
            Err(panic) => {
                drop_quietly(panic);
                None
            }
        }
    }

    /// Steps 4 to 6: what was observed weakly, and the presumption.
    fn weakly_known(&self) -> Option<Found> {
        let cause = self.cause_ref();
        let best = cause.known_or_weak();
        if best
            .as_ref()
            .is_some_and(|best| best.weight >= Weight::Unexplained)
        {
            return best;
        }
        cause.presumption().or(best)
    }

    /// Step 7, which is not stored.
    fn dropped(&self) -> Disconnect {
        Disconnect::new(self.connect_type, DisconnectReason::Unknown)
            .with_trigger(Trigger::Dropped)
            .with_detail(DROPPED)
    }

    /// Why, who, trigger, code and detail may be inherited; the layer and the facts never are.
    fn of_this_layer(
        &self,
        Found {
            mut end,
            is_inherited,
            ..
        }: Found,
    ) -> Disconnect {
        end.origin = is_inherited.then_some(end.connect_type);
        if is_inherited {
            end.more.set_facts(Facts::NONE);
        }
        end.connect_type = self.connect_type;
        end
    }

    /// Fills what the site did not set: what other observations knew, then what the guard and the first
    /// tracked stream measured.
    fn with_facts(&self, mut end: Disconnect) -> Disconnect {
        let closed = Moment::now();
        let cell = self.cause_ref().cell();
        let state = cell.lock();
        let (observed, first_knew) = state.facts();
        let is_tracked = state.is_tracked;
        drop(state);

        let mut measured = Facts::NONE;
        let ended = first_knew.unwrap_or(closed.monotonic);
        let open =
            (self.opened.monotonic > 0).then(|| clock::milliseconds(self.opened.monotonic, ended));
        if let Some(open) = open {
            measured.set(Number::ConnectionDurationMs, open);
        }
        if is_tracked {
            let traffic = &cell.traffic;
            measured.set(
                Number::BytesReceived,
                traffic.received.load(Ordering::Relaxed),
            );
            measured.set(Number::BytesSent, traffic.sent.load(Ordering::Relaxed));
            let silence = match traffic.heard.load(Ordering::Relaxed) {
                0 => open,
                heard => Some(clock::milliseconds(heard, ended)),
            };
            if let Some(silence) = silence {
                measured.set(Number::PeerSilenceMs, silence);
            }
        }
        let jump = self.opened.jump_until(closed);
        if jump.unsigned_abs() >= LEAST_CLOCK_JUMP_MS {
            measured.clock_jump_ms = jump;
        }

        let mut facts = end.more.facts();
        facts.fill(&observed);
        facts.fill(&measured);
        end.more.set_facts(facts);
        end
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ConnectType;

    /// No test can set the clock of the machine, so the moment of opening moves instead.
    #[test]
    fn a_clock_jump_is_a_field_from_one_second_on_in_either_direction() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        // Both clocks are read in whole milliseconds, so a second is exact to a tenth.
        let rows = [
            (Duration::from_millis(900), None),
            (2 * second, Some(2)),
            (1000 * 24 * hour, Some(1000 * 24 * 3600)),
        ];
        for (jump, seconds) in rows {
            for is_back in [false, true] {
                let mut line = None;
                let mut guard =
                    DisconnectGuard::new(ConnectType::AgentToClient, |end| line = Some(end));
                guard.opened = guard.opened.with_wall_moved(jump, !is_back);
                drop(guard);
                let seen = line.and_then(|end| end.clock_jump());
                let rounded = seen.map(|jump| (jump + jump.signum() * 100) / 1000);
                let expected = seconds.map(|seconds| if is_back { -seconds } else { seconds });
                assert_eq!(rounded, expected, "{jump:?} {seen:?}");
            }
        }
    }
}
