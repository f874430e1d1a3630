//! What tracked streams show to their cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::Cause;
use super::node::{Found, Node, Open, Place};
use crate::disconnect::Facts;
use crate::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger, clock};

/// One tracked stream, for as long as its cause lives.
#[derive(Debug, Default)]
pub(crate) struct Transport {
    /// Whose socket it is; `None` if the program does not know.
    pub(crate) peer: Option<Initiator>,
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// When bytes last came, on [`clock::now`]; 0 before the first.
    pub(crate) heard: AtomicU64,
    marks: AtomicU8,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    /// A read was called.
    Read = 1,
    /// Bytes were written.
    Written = 2,
    /// The peer's end of file was read.
    Stopped = 4,
    /// This side shut it down.
    ShutDown = 8,
    /// Bytes came since something was last presumed of this peer.
    Spoke = 16,
    /// The stream was dropped or unwrapped.
    Gone = 32,
    /// An earlier stream in this place had [`Stopped`](Self::Stopped).
    HadStopped = 64,
    /// An earlier stream in this place was [`ShutDown`](Self::ShutDown).
    WasShutDown = 128,
}

impl Transport {
    pub(crate) fn new(peer: Option<Initiator>) -> Self {
        Self { peer, ..Self::default() }
    }

    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.marks.load(Ordering::Relaxed) & mark as u8 != 0
    }

    #[inline]
    pub(crate) fn set(&self, mark: Mark) {
        // Most are set already, and to look is cheaper than to write.
        if !self.has(mark) {
            self.marks.fetch_or(mark as u8, Ordering::Relaxed);
        }
    }

    pub(crate) fn clear(&self, mark: Mark) {
        self.marks.fetch_and(!(mark as u8), Ordering::Relaxed);
    }

    /// Begins the life of a later stream of the same peer, which goes on counting. It may be another handle of the
    /// same socket, or that socket tracked again.
    pub(super) fn reopen(&self) {
        for (mark, earlier) in [(Mark::Stopped, Mark::HadStopped), (Mark::ShutDown, Mark::WasShutDown)] {
            if self.has(mark) {
                self.set(earlier);
            }
        }
        let lasting = Mark::Spoke as u8 | Mark::HadStopped as u8 | Mark::WasShutDown as u8;
        self.marks.fetch_and(lasting, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn receive(&self, count: usize) {
        add(&self.received, count);
        self.heard.store(clock::now(), Ordering::Relaxed);
        self.set(Mark::Spoke);
    }

    #[inline]
    pub(crate) fn send(&self, count: usize) {
        add(&self.sent, count);
        self.set(Mark::Written);
    }
}

/// There is one writer, so this needs no atomic addition.
#[inline]
fn add(counter: &AtomicU64, count: usize) {
    let sum = counter.load(Ordering::Relaxed).saturating_add(count as u64);
    counter.store(sum, Ordering::Relaxed);
}

/// This side had shut the stream down before.
pub(crate) struct Answered;

/// All that are tracked in one cause.
///
/// Streams of one peer may be handles of one socket: one that was never read has stopped when another has, and
/// one that was never written is shut down when another is.
#[derive(Clone, Copy)]
struct Transports<'a> {
    node: &'a Node,
    open: Option<&'a Open>,
}

impl<'a> Transports<'a> {
    fn iter(self) -> impl Iterator<Item = &'a Transport> {
        let more = self.open.map_or(&[][..], |open| &open.more_transports);
        let more = more.iter().map(|transport| &**transport);
        self.node.transport.get().into_iter().chain(more)
    }

    fn shares(self, transport: &Transport, mark: Mark, earlier: Mark, unless: Mark) -> bool {
        let had_mark = |other: &Transport| other.has(mark) || other.has(earlier);
        transport.has(mark) || !transport.has(unless) && self.of(transport.peer).any(had_mark)
    }

    fn has_stopped(self, transport: &Transport) -> bool {
        self.shares(transport, Mark::Stopped, Mark::HadStopped, Mark::Read)
    }

    fn is_shut_down(self, transport: &Transport) -> bool {
        self.shares(transport, Mark::ShutDown, Mark::WasShutDown, Mark::Written)
    }

    /// Whether bytes may still come in on one, and go out on one.
    fn flow(self) -> bool {
        let comes_in = |one: &Transport| one.has(Mark::Read) && !self.has_stopped(one);
        self.iter().any(comes_in) && !self.iter().all(|one| self.is_shut_down(one))
    }

    fn presumed_of(self, peer: Option<Initiator>) -> Option<Disconnect> {
        let end = self.open?.presumption.as_ref()?;
        let applies = match (end.presumed_act_of(), peer) {
            (Some(side), Some(peer)) => side == peer && !self.of(Some(peer)).any(|one| one.has(Mark::Spoke)),
            (None, _) | (_, None) => true,
        };
        applies.then(|| end.clone())
    }

    fn of(self, peer: Option<Initiator>) -> impl Iterator<Item = &'a Transport> {
        self.iter().filter(move |one| one.peer == peer)
    }
}

impl Node {
    fn with_transports<T>(&self, look: impl FnOnce(Transports<'_>) -> T) -> T {
        let state = self.lock();
        look(Transports { node: self, open: state.open.as_deref() })
    }
}

impl Cause {
    /// Makes a place for a stream, the first of its cause in the node itself. One of the same peer that is gone
    /// makes room: the later stream goes on counting.
    pub(crate) fn track(&self, peer: Option<Initiator>) -> Option<Arc<Transport>> {
        let node = self.node();
        let mut state = node.lock();
        let is_free = |one: &Transport| one.peer == peer && one.has(Mark::Gone);
        let mut is_first = false;
        let first = node.transport.get_or_init(|| {
            is_first = true;
            Transport::new(peer)
        });
        if is_first {
            return None;
        }
        if is_free(first) {
            first.reopen();
            return None;
        }
        let more = &mut state.open.get_or_insert_default().more_transports;
        if let Some(free) = more.iter().find(|one| is_free(one)) {
            free.reopen();
            return Some(Arc::clone(free));
        }
        let new = Arc::new(Transport::new(peer));
        more.push(Arc::clone(&new));
        Some(new)
    }

    /// The place of a stream that [`track`](Self::track) made.
    #[inline]
    pub(crate) fn transport<'a>(&'a self, other: Option<&'a Arc<Transport>>) -> &'a Transport {
        let first = || self.node().transport.get_or_init(|| Transport::new(None));
        other.map_or_else(first, Arc::as_ref)
    }

    pub(crate) fn is_tracked(&self) -> bool {
        self.node().transport.get().is_some()
    }

    pub(crate) fn has_stopped(&self, transport: &Transport) -> bool {
        self.node().with_transports(|all| all.has_stopped(transport))
    }

    /// Notes that a peer stopped sending, when that ends nothing. The first one counts.
    pub(crate) fn note_half_closed(&self, connect_type: ConnectType, peer: Option<Initiator>) {
        self.node().update(|open| *open.half_closed.get_or_insert((connect_type, peer)));
    }

    /// Notes that a peer that had stopped takes nothing any more either.
    pub(crate) fn note_left(&self) {
        self.node().update(|open| open.has_left = true);
    }

    /// Notes that this side shuts a stream down, and returns whether no peer had stopped before: after another
    /// peer's half close that only passes it on. The mark comes last: who finds it finds the note.
    #[cfg(feature = "tokio")]
    pub(crate) fn note_shut_down(&self, connect_type: ConnectType, transport: &Transport) -> bool {
        let is_first = !self.has_stopped(transport);
        let is_noted = self.node().update(|open| {
            let is_noted = is_first && open.half_closed.is_none() && open.shut_down.is_none();
            if is_noted {
                open.shut_down = Some(connect_type);
            }
            is_noted
        });
        transport.set(Mark::ShutDown);
        is_noted
    }

    /// Takes that back, since it failed or has to wait.
    #[cfg(feature = "tokio")]
    pub(crate) fn forget_shut_down(&self, transport: &Transport, was_noted: bool) {
        transport.clear(Mark::ShutDown);
        if was_noted {
            self.node().update(|open| open.shut_down = None);
        }
    }

    pub(super) fn set_presumption(&self, end: Option<Disconnect>) {
        let end = end.filter(|end| !end.explains_nothing());
        let node = self.node();
        if let Some(side) = end.as_ref().and_then(Disconnect::presumed_act_of) {
            node.with_transports(|all| all.of(Some(side)).for_each(|one| one.clear(Mark::Spoke)));
        }
        node.update(|open| open.presumption = end);
    }

    /// What was presumed in this very cause of an end that a transport shows.
    pub(crate) fn presumed_of(&self, transport: &Transport) -> Option<Disconnect> {
        self.node().with_transports(|all| all.presumed_of(transport.peer))
    }

    /// What was presumed of a transport's end of file; `Err` if it only answers this side's shutdown.
    pub(crate) fn stopped(&self, transport: &Transport) -> Result<Option<Disconnect>, Answered> {
        self.node().with_transports(|all| {
            if all.is_shut_down(transport) {
                return Err(Answered);
            }
            Ok(all.presumed_of(transport.peer))
        })
    }

    /// The nearest presumption on the path that explains a drop. A side whose transport was tracked on the way
    /// to it did not leave: the stream would have seen that.
    pub(super) fn presumed(&self) -> Option<Found> {
        let mut tracked = Vec::new();
        self.path().find_map(|place| {
            place.node.with_transports(|all| {
                tracked.extend(all.iter().filter_map(|one| one.peer));
                let open = all.open?;
                let applies = |end: &&Disconnect| {
                    let side = end.presumed_act_of();
                    side.is_none_or(|side| !tracked.contains(&side))
                };
                if let Some(end) = open.presumption.as_ref().filter(applies) {
                    return Some(place.found(end, Facts::NONE));
                }
                let (layer, peer) = open.half_closed.filter(|_| open.has_left || !all.flow())?;
                let end = Disconnect::closed_by(layer, peer.unwrap_or_default());
                let end = end.with_trigger(Trigger::EndOfFile);
                Some(place.found(&end.with_peer(peer.unwrap_or_default()), Facts::NONE))
            })
        })
    }

    /// A stream on the path that this side shut down in good order.
    pub(super) fn shut_down(&self) -> Option<Found> {
        self.path().find_map(|place: Place<'_>| {
            place.node.with_transports(|all| {
                let layer = all.open?.shut_down?;
                let mut peers = all.iter().filter_map(|one| one.peer);
                let peer = peers.next().filter(|peer| peers.all(|other| other == *peer));
                let this_side = peer.unwrap_or_default().peer(layer);
                let end = Disconnect::new(layer, DisconnectReason::Graceful);
                Some(place.found(&end.with_known_initiator(this_side), Facts::NONE))
            })
        })
    }

    /// What was received and sent: in each direction, by the first stream of the first peer that moved any.
    pub(crate) fn bytes(&self) -> Option<(u64, u64)> {
        self.node().with_transports(|all| {
            let peer = all.iter().next()?.peer;
            let moved = |counter: fn(&Transport) -> &AtomicU64| {
                let mut counts = all.of(peer).map(|one| counter(one).load(Ordering::Relaxed));
                counts.find(|count| *count > 0).unwrap_or(0)
            };
            Some((moved(|one| &one.received), moved(|one| &one.sent)))
        })
    }

    /// When the peer last sent anything, on the nearest transport of the path: the peer that is named, else that
    /// of the first stream. 0 if it never did.
    pub(crate) fn last_heard(&self, named: Option<Initiator>) -> Option<u64> {
        self.path().find_map(|place| {
            place.node.with_transports(|all| {
                let peer = named.or(all.iter().next()?.peer);
                let heard = all.of(peer).map(|one| one.heard.load(Ordering::Relaxed));
                heard.max()
            })
        })
    }
}

impl Disconnect {
    /// Whose act an expected end would be, if it is one side's.
    fn presumed_act_of(&self) -> Option<Initiator> {
        let side = self.initiator().filter(|side| side.is_side());
        side.filter(|_| self.expected())
    }
}
