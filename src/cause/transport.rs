//! What tracked streams show to their cause.

use std::time::Instant;

use super::Cause;
use super::node::State;
use crate::disconnect::Facts;
use crate::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};

/// One tracked stream. Streams of one peer may be handles of one socket.
#[derive(Debug, Default)]
pub(crate) struct Transport {
    /// Whose socket it is; `None` if the program does not know.
    pub(crate) peer: Option<Initiator>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// When bytes last came.
    pub(crate) heard: Option<Instant>,
    pub(crate) incoming: Direction,
    pub(crate) outgoing: Direction,
    /// The stream was dropped or unwrapped.
    pub(crate) is_gone: bool,
}

/// How far one direction of a stream has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Nothing was read here, or written: another handle of the same socket may show the end.
    #[default]
    Unused,
    Open,
    /// The peer has stopped, or this side shut it down.
    Ended,
}

impl State {
    fn transports(&self) -> impl Iterator<Item = &Transport> {
        self.transport.iter().chain(self.open.iter().flat_map(|open| &open.more_transports))
    }

    fn of(&self, peer: Option<Initiator>) -> impl Iterator<Item = &Transport> {
        self.transports().filter(move |one| one.peer == peer)
    }

    pub(crate) fn is_tracked(&self) -> bool {
        self.transport.is_some()
    }

    /// The stream that [`Cause::track`] gave this place.
    pub(crate) fn transport(&mut self, place: u32) -> &mut Transport {
        let more =
            self.open.as_mut().and_then(|open| open.more_transports.get_mut(place.checked_sub(1)? as usize));
        more.unwrap_or_else(|| self.transport.get_or_insert_default())
    }

    fn has_ended(&self, one: &Transport, direction: fn(&Transport) -> Direction) -> bool {
        match direction(one) {
            Direction::Unused => self.of(one.peer).any(|other| direction(other) == Direction::Ended),
            Direction::Open => false,
            Direction::Ended => true,
        }
    }

    pub(crate) fn has_stopped(&self, place: u32) -> bool {
        self.transports().nth(place as usize).is_some_and(|one| self.has_ended(one, |one| one.incoming))
    }

    pub(crate) fn is_shut_down(&self, place: u32) -> bool {
        self.transports().nth(place as usize).is_some_and(|one| self.has_ended(one, |one| one.outgoing))
    }

    /// This side has shut a stream down. After a peer's half close, it only passes that on.
    pub(crate) fn note_shut_down(&mut self, place: u32, layer: ConnectType) {
        if !self.has_stopped(place) && self.open().half_closed.is_none() {
            self.open().shut_down.get_or_insert(layer);
        }
    }

    /// Whether bytes may still come in on one, and go out on one.
    fn flows(&self) -> bool {
        self.transports().any(|one| one.incoming == Direction::Open)
            && !self.transports().all(|one| self.has_ended(one, |one| one.outgoing))
    }

    pub(super) fn received_from(&self, side: Option<Initiator>) -> u64 {
        self.of(side).fold(0, |sum, one| sum.wrapping_add(one.received))
    }

    /// What was presumed in this very cause of an end that a peer's transport shows.
    pub(crate) fn presumed_of(&self, peer: Option<Initiator>) -> Option<Disconnect> {
        let (end, received) = self.open.as_ref()?.presumption.as_ref()?;
        let side = end.presumed_act_of();
        let applies = side == peer && self.received_from(side) == *received;
        (applies || side.is_none() || peer.is_none()).then(|| end.clone())
    }

    /// What was presumed here of a drop. A side whose transport was tracked on the way here did not leave: the
    /// stream would have seen that.
    pub(super) fn presumed(&self, tracked: &mut Vec<Initiator>) -> Option<Disconnect> {
        tracked.extend(self.transports().filter_map(|one| one.peer));
        let open = self.open.as_ref()?;
        let applies = |end: &&Disconnect| end.presumed_act_of().is_none_or(|side| !tracked.contains(&side));
        let presumed = open.presumption.as_ref().map(|(end, _)| end);
        if let Some(end) = presumed.filter(applies) {
            return Some(end.clone());
        }
        let (layer, peer) = open.half_closed.filter(|_| open.has_left || !self.flows())?;
        let end = Disconnect::closed_by(layer, peer.unwrap_or_default());
        Some(end.with_trigger(Trigger::EndOfFile).with_peer(peer.unwrap_or_default()))
    }

    /// What a stream means that this side shut down in good order.
    pub(super) fn shut_down(&self) -> Option<Disconnect> {
        let layer = self.open.as_ref()?.shut_down?;
        let mut peers = self.transports().filter_map(|one| one.peer);
        let peer = peers.next().filter(|peer| peers.all(|other| other == *peer));
        let this_side = peer.unwrap_or_default().peer(layer);
        Some(Disconnect::new(layer, DisconnectReason::Graceful).with_known_initiator(this_side))
    }

    /// What was received and sent: in each direction, by the first stream of the first peer that moved any.
    pub(super) fn bytes(&self) -> Facts {
        let moved = |count: fn(&Transport) -> u64| {
            let peer = self.transport.as_ref()?.peer;
            Some(self.of(peer).map(count).find(|count| *count > 0).unwrap_or(0))
        };
        let (bytes_received, bytes_sent) = (moved(|one| one.received), moved(|one| one.sent));
        Facts { bytes_received, bytes_sent, ..Facts::NONE }
    }
}

impl Cause {
    /// Makes a place for a stream. One of the same peer that is gone makes room: the later stream goes on counting.
    pub(crate) fn track(&self, peer: Option<Initiator>) -> u32 {
        let mut state = self.lock();
        let is_free = |one: &Transport| one.peer == peer && one.is_gone;
        let free = (0..).zip(state.transports()).find_map(|(place, one)| is_free(one).then_some(place));
        let place = free.unwrap_or_else(|| state.transports().fold(0, |count, _| count + 1));
        if place > 0 && free.is_none() {
            state.open().more_transports.push(Transport::default());
        }
        let transport = state.transport(place);
        transport.peer = peer;
        transport.is_gone = false;
        // It may be another handle of the same socket, or that socket tracked again, so an end stays until it is used.
        for direction in [&mut transport.incoming, &mut transport.outgoing] {
            if *direction == Direction::Open {
                *direction = Direction::Unused;
            }
        }
        place
    }

    /// When the peer last sent anything, on the nearest transport of the path: the peer that is named, else that
    /// of the first stream. `opened` if it never did.
    pub(crate) fn last_heard(&self, named: Option<Initiator>, opened: Option<Instant>) -> Option<Instant> {
        self.path().find_map(|cause| {
            let state = cause.lock();
            let peer = named.or(state.transport.as_ref()?.peer);
            state.of(peer).filter_map(|one| one.heard.or(opened)).max()
        })
    }
}

impl Disconnect {
    /// Whose act an expected end would be, if it is one side's.
    pub(super) fn presumed_act_of(&self) -> Option<Initiator> {
        let side = self.initiator.filter(|side| side.is_side());
        side.filter(|_| self.expected())
    }
}
