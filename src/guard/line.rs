//! What the line holds.

use std::thread;
use std::time::Instant;

use super::DisconnectGuard;
use crate::cause::Found;
use crate::clock::{Moment, milliseconds};
use crate::disconnect::Facts;
use crate::{Disconnect, DisconnectReason, Evidence, Trigger};

const PANICKED: &str = "ended by a panic";
const DROPPED: &str = "no cause was recorded: cancelled task or early return";

/// The least clock jump that is logged; smaller ones are the clock being disciplined (NTP).
const LEAST_CLOCK_JUMP_MS: u64 = 1000;

impl<F: FnOnce(Disconnect)> DisconnectGuard<F> {
    /// The line, by the four steps of the guide's page.
    pub(super) fn line(&self) -> Disconnect {
        let mut end = if thread::panicking() && !self.made_in_a_panic {
            self.known_in_a_panic()
        } else if let Some(found) = self.cause.known_or_weak() {
            self.of_this_layer(found)
        } else {
            // Not stored: what is learned a moment later is still a cause for what runs over this.
            self.unknown(Trigger::Dropped).with_detail(DROPPED)
        };
        self.fill_facts(&mut end);
        end
    }

    /// While this thread panics in serving it, a connection did not end as expected because of what another one
    /// knew, or because of what was only assumed.
    fn known_in_a_panic(&self) -> Disconnect {
        let known = || {
            let found = self.cause.known()?;
            (!found.yields_to_panic).then(|| self.of_this_layer(found))
        };
        known().unwrap_or_else(|| {
            let panicked = self.unknown(Trigger::Panic).with_detail(PANICKED);
            // Stored, so that what runs over this hears of it; then the rule decides, since a parent may have
            // learned something meanwhile.
            self.cause.record(Evidence::Local, panicked.clone());
            known().unwrap_or(panicked)
        })
    }

    fn unknown(&self, trigger: Trigger) -> Disconnect {
        Disconnect::new(self.connect_type, DisconnectReason::Unknown).with_trigger(trigger)
    }

    fn of_this_layer(&self, found: Found) -> Disconnect {
        let mut end = found.end;
        end.connect_type = self.connect_type;
        end.origin = found.origin;
        end
    }

    /// Fills what the site did not set: what other observations knew, then what the guard and the tracked streams
    /// measured.
    fn fill_facts(&self, end: &mut Disconnect) {
        let closed = Moment::now();
        let (observed, first_knew) = self.cause.own_facts();
        let ended = first_knew.or(closed.monotonic);
        let since = |from: Option<Instant>| Some(milliseconds(ended?.saturating_duration_since(from?)));
        let open = since(self.opened.monotonic);
        // No silence is longer than the connection.
        let silence = since(self.cause.last_heard(end.peer(), self.opened.monotonic)).min(open);
        let jump = self.opened.jump_until(closed);
        let measured = Facts {
            connection_duration_ms: open,
            peer_silence_ms: silence,
            clock_jump_ms: jump.filter(|jump| jump.unsigned_abs() >= LEAST_CLOCK_JUMP_MS),
            ..Facts::NONE
        };
        end.facts = end.facts.or(observed).or(measured);
    }
}
