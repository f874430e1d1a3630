//! What the line holds.

use std::thread;
use std::time::Instant;

use super::DisconnectGuard;
use crate::clock::{Moment, milliseconds};
use crate::disconnect::Facts;
use crate::{Disconnect, DisconnectReason, Evidence, Initiator, Trigger};

const PANICKED: &str = "ended by a panic";
const DROPPED: &str = "no cause was recorded: cancelled task or early return";

/// The least clock jump that is logged; smaller ones are the clock being disciplined (NTP).
const LEAST_CLOCK_JUMP_MS: u64 = 1000;

impl<F: FnOnce(Disconnect)> DisconnectGuard<F> {
    /// The line, by the four steps of the guide's page.
    pub(super) fn line(&self) -> Disconnect {
        let end = if thread::panicking() && !self.made_in_a_panic {
            self.known_in_a_panic()
        } else {
            // Not stored: what is learned a moment later is still a cause for what runs over this.
            self.cause.known_or_weak().unwrap_or_else(|| self.unknown(Trigger::Dropped, DROPPED))
        };
        let facts = end.facts.or(self.measured(end.peer));
        Disconnect { connect_type: self.connect_type, facts, ..end }
    }

    /// While this thread panics in serving it, a connection did not end as expected because of what another one
    /// knew, or because of what was only assumed.
    fn known_in_a_panic(&self) -> Disconnect {
        let known = || self.cause.known().filter(|found| !found.yields_to_panic).map(|found| found.end);
        known().unwrap_or_else(|| {
            let panicked = self.unknown(Trigger::Panic, PANICKED);
            // Stored, so that what runs over this hears of it; then the rule decides, since a parent may have
            // learned something meanwhile.
            self.cause.record(Evidence::Local, panicked.clone());
            known().unwrap_or(panicked)
        })
    }

    fn unknown(&self, trigger: Trigger, detail: &'static str) -> Disconnect {
        let end = Disconnect::new(self.connect_type, DisconnectReason::Unknown);
        end.with_trigger(trigger).with_detail(detail)
    }

    /// What the cause's other observations knew, then what the guard and the tracked streams measured.
    fn measured(&self, peer: Option<Initiator>) -> Facts {
        let closed = Moment::now();
        let (observed, first_knew) = self.cause.own_facts();
        let ended = first_knew.or(closed.monotonic);
        let since = |from: Option<Instant>| Some(milliseconds(ended?.saturating_duration_since(from?)));
        let open = since(self.opened.monotonic);
        let heard = self.cause.last_heard(peer, self.opened.monotonic);
        let jump = self.opened.jump_until(closed);
        observed.or(Facts {
            connection_duration_ms: open,
            // No silence is longer than the connection.
            peer_silence_ms: since(heard).min(open),
            clock_jump_ms: jump.filter(|jump| jump.unsigned_abs() >= LEAST_CLOCK_JUMP_MS),
            ..Facts::NONE
        })
    }
}
