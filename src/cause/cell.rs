//! What one cause holds, and how a path of them is read.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::{Cause, Weight};
use crate::classify::{deciding, is_deadline, may_be_socket_timeout};
use crate::disconnect::Facts;
use crate::panics::drop_quietly;
use crate::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger, clock};

#[derive(Default)]
pub(crate) struct Cell {
    /// Set at birth.
    pub(super) parent: Option<Cause>,
    state: Mutex<State>,
    pub(crate) traffic: Traffic,
}

/// What the first stream tracked in a cause counts, for its line to read at any time.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// When bytes last came, on [`clock::now`]; 0 before the first.
    pub(crate) heard: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) kept: Option<Kept>,
    /// What an end without a word means from now on.
    presumption: Option<Box<Disconnect>>,
    /// Who stopped sending first, where that ends nothing.
    stopped: Option<(ConnectType, Initiator)>,
    #[allow(clippy::box_collection)] // 16 bytes less in each cell; most have no waiters
    pub(super) waiters: Option<Box<BTreeMap<u64, Waker>>>,
    /// Whether a stream counts here.
    pub(crate) is_tracked: bool,
}

#[derive(Debug)]
pub(super) struct Kept {
    disconnect: Disconnect,
    weight: Weight,
    /// When the cause first knew; as long as it does not know, when this came.
    stamp: u64,
}

impl State {
    /// Keeps an observation where it refines what is kept, and returns whether it does. Facts of others
    /// fill what the kept record does not know.
    fn observe(&mut self, weight: Weight, mut end: Disconnect) -> bool {
        let mut stamp = None;
        if let Some(kept) = &mut self.kept {
            if !kept.weight.yields_to(weight) {
                kept.disconnect.more.fill_facts(&end.more);
                return false;
            }
            end.more.fill_facts(&kept.disconnect.more);
            stamp = kept.weight.knows().then_some(kept.stamp);
        }
        self.kept = Some(Kept {
            disconnect: end,
            weight,
            // Under the lock of the cell: see `Cause::known`.
            stamp: stamp.unwrap_or_else(clock::stamp),
        });
        true
    }

    pub(crate) fn knows(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.weight.knows())
    }

    /// What this cause's own observations know beside the cause, and when it first knew that.
    pub(crate) fn facts(&self) -> (Facts, Option<u64>) {
        self.kept.as_ref().map_or((Facts::NONE, None), |kept| {
            (
                kept.disconnect.more.facts(),
                kept.weight.knows().then_some(kept.stamp),
            )
        })
    }

    /// What was set by `presume`, else the end of the side that stopped first.
    fn presumed(&self) -> Option<Disconnect> {
        self.presumption.as_deref().cloned().or_else(|| {
            self.stopped.map(|(layer, side)| {
                Disconnect::closed_by(layer, side).with_trigger(Trigger::EndOfFile)
            })
        })
    }
}

/// A record that a cause found on its path.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) end: Disconnect,
    pub(crate) weight: Weight,
    pub(crate) is_inherited: bool,
}

/// A cause learned something while its path was read.
struct Learned;

impl Cell {
    pub(super) fn over(parent: Cause) -> Self {
        let mut cell = Self::default();
        cell.parent = Some(parent);
        cell
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Whole values move in and out, so a panic elsewhere leaves no half-written one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cell {
    /// A chain of parents may be as long as a process lives: it is taken apart without recursion.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(Cause(cell)) = next {
            next = Arc::into_inner(cell).and_then(|mut cell| cell.parent.take());
        }
    }
}

impl Cause {
    pub(crate) fn cell(&self) -> &Cell {
        &self.0
    }

    /// This cause, its parent, and so on.
    pub(super) fn path(&self) -> impl Iterator<Item = &Cell> {
        iter::successors(Some(self.cell()), |cell| {
            cell.parent.as_ref().map(Self::cell)
        })
    }

    /// Records with the finer steps of [`Weight`].
    pub(crate) fn observe(&self, weight: Weight, end: Disconnect) -> bool {
        let weight = if end.explains_nothing() {
            Weight::Fact
        } else {
            weight
        };
        if weight == Weight::Fact && end.more.facts().is_none() {
            return false;
        }
        let mut state = self.cell().lock();
        let is_kept = state.observe(weight, end);
        let waiters = if state.knows() {
            state.waiters.take()
        } else {
            None
        };
        drop(state);
        // Not under the lock: wakers are not ours. One that panics keeps no other asleep.
        for (_, waker) in waiters.into_iter().flat_map(|waiters| *waiters) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                drop_quietly(panic);
            }
        }
        is_kept && weight != Weight::Fact
    }

    /// Records what an error explains, as `DisconnectGuard::failed` documents it.
    pub(crate) fn observe_error(&self, connect_type: ConnectType, error: &(dyn Error + 'static)) {
        let is_tracked = || self.cell().lock().is_tracked;
        let weight = match deciding(error) {
            None => Weight::Unexplained,
            Some(error) => match error.kind() {
                ErrorKind::NotConnected => Weight::Failed,
                ErrorKind::InvalidData => Weight::Local,
                // Of these a stream knows nothing: a reader above it misses bytes, a timer fired.
                ErrorKind::UnexpectedEof => Weight::Transport,
                _ if is_deadline(error) || may_be_socket_timeout(error) => Weight::Transport,
                _ if is_tracked() => Weight::Failed,
                _ => Weight::Transport,
            },
        };
        self.observe(weight, Disconnect::from_error(connect_type, error));
    }

    /// What is known on the path, from this cause up to its root.
    ///
    /// Take what each cause kept, in the order in which each first knew, and let each refine the one
    /// before by [`Weight::yields_to`]. What a cause learned after one below it already knew is left out.
    ///
    /// So a cause counts only if it knew before every cause below it, and of those the topmost knew
    /// first. Its record is the answer, except that `Transport` is refined by the earliest `Peer` among
    /// the others.
    ///
    /// # Consistency
    ///
    /// The answer is that of one moment while this runs, although no two cells are locked at once. A
    /// stamp is drawn under its cell's lock, and what bears one up to `horizon` was drawn before this
    /// began, so each cell shows it; what came later is left out. A refinement that came meanwhile keeps
    /// its cell's stamp. It can only replace `Transport`: in the first cell, which is read last, it is
    /// the answer from then on; in a lower one it was the answer while the first still held.
    pub(crate) fn known(&self) -> Option<Found> {
        let horizon = clock::latest_stamp();
        let mut first: Option<(u64, Weight, &Cell)> = None;
        let mut word_of_a_peer = None;
        for cell in self.path() {
            let state = cell.lock();
            let Some(kept) = state.kept.as_ref().filter(|kept| kept.weight.knows()) else {
                continue;
            };
            if kept.stamp > horizon || first.is_some_and(|(stamp, ..)| stamp < kept.stamp) {
                continue;
            }
            if kept.weight == Weight::Peer {
                word_of_a_peer = Some(cell);
            }
            first = Some((kept.stamp, kept.weight, cell));
        }
        let (_, weight, cell) = first?;
        let refined = word_of_a_peer.filter(|_| weight.yields_to(Weight::Peer));
        self.found_in(refined.unwrap_or(cell))
    }

    /// What is known on the path, else the best of what was observed weakly there, the first of several
    /// alike.
    pub(crate) fn known_or_weak(&self) -> Option<Found> {
        // A cause learns a few times in its life, so this ends.
        loop {
            if let Some(known) = self.known() {
                return Some(known);
            }
            if let Ok(weak) = self.observed_weakly() {
                return weak;
            }
        }
    }

    /// The best of what was observed weakly on a path that knows nothing, or that it learned meanwhile.
    fn observed_weakly(&self) -> Result<Option<Found>, Learned> {
        let horizon = clock::latest_stamp();
        let mut best: Option<(Weight, u64, &Cell)> = None;
        for cell in self.path() {
            let state = cell.lock();
            let Some(kept) = state
                .kept
                .as_ref()
                .filter(|kept| kept.weight > Weight::Fact)
            else {
                continue;
            };
            if kept.weight.knows() || kept.stamp > horizon {
                return Err(Learned);
            }
            let is_better = best.is_none_or(|(weight, stamp, _)| {
                weight.yields_to(kept.weight) || (weight == kept.weight && kept.stamp < stamp)
            });
            if is_better {
                best = Some((kept.weight, kept.stamp, cell));
            }
        }
        let Some((weight, _, cell)) = best else {
            return Ok(None);
        };
        let found = self.found_in(cell);
        if found.as_ref().is_some_and(|found| found.weight == weight) {
            Ok(found)
        } else {
            Err(Learned)
        }
    }

    fn found_in(&self, cell: &Cell) -> Option<Found> {
        let state = cell.lock();
        let kept = state.kept.as_ref()?;
        Some(self.found(cell, kept.disconnect.clone(), kept.weight))
    }

    fn found(&self, cell: &Cell, end: Disconnect, weight: Weight) -> Found {
        Found {
            end,
            weight,
            is_inherited: !std::ptr::eq(cell, self.cell()),
        }
    }

    /// The presumption that stands: its own, else its nearest parent's.
    pub(crate) fn presumption(&self) -> Option<Found> {
        self.path().find_map(|cell| {
            let end = cell.lock().presumed()?;
            Some(self.found(cell, end, Weight::Presumed))
        })
    }

    /// What `presume` set in this very cause.
    pub(crate) fn own_presumption(&self) -> Option<Disconnect> {
        self.cell().lock().presumption.as_deref().cloned()
    }

    pub(super) fn set_presumption(&self, end: Option<Disconnect>) {
        let end = end.filter(|end| !end.explains_nothing()).map(Box::new);
        self.cell().lock().presumption = end;
    }

    /// Notes that a side stopped sending, where that ends nothing. The first one counts.
    pub(crate) fn note_stopped(&self, connect_type: ConnectType, side: Initiator) {
        self.cell()
            .lock()
            .stopped
            .get_or_insert((connect_type, side));
    }

    /// Notes that this side shut a stream down in good order before the peer stopped: what it presumed of
    /// an expected end, it no longer has to.
    #[cfg(feature = "tokio")]
    pub(crate) fn note_shut_down(&self, connect_type: ConnectType) {
        let mut state = self.cell().lock();
        if state.presumption.as_ref().is_some_and(|end| end.expected()) {
            state.presumption = None;
        }
        state.observe(
            Weight::ShutDown,
            Disconnect::new(connect_type, DisconnectReason::Graceful),
        );
    }
}

impl Disconnect {
    /// A bare `unknown` is not a cause.
    fn explains_nothing(&self) -> bool {
        self.reason == DisconnectReason::Unknown
            && self.trigger.is_none()
            && self.detail.is_none()
            && self.code().is_none()
    }
}
