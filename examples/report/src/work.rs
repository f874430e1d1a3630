//! The threads: each takes the next block, counts it, and adds its counts when it is their turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::input::{Block, Next, Note, Source};
use crate::read::Reader;
use crate::scan;
use crate::tally::{Skipped, Tally};

/// What threads share.
struct Shared {
    source: Mutex<(Source, u64)>,
    names: Vec<String>,
    merged: Arc<Mutex<Merged>>,
    turn: Condvar,
    stop: Arc<AtomicBool>,
    /// A thread panicked: no turn comes any more.
    broken: AtomicBool,
}

/// Lets no other thread wait for one that panicked.
struct Watch<'a>(&'a Shared);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::SeqCst);
            self.0.stop.store(true, Ordering::SeqCst);
            self.0.turn.notify_all();
        }
    }
}

/// What was counted so far.
#[derive(Default)]
pub(crate) struct Merged {
    pub(crate) tally: Tally,
    /// How many blocks were added.
    blocks: u64,
    /// The file of the last block, and how many of its lines were added.
    file: usize,
    lines: u64,
}

/// How to count.
pub(crate) struct Task {
    pub(crate) reader: Reader,
    pub(crate) threads: usize,
    /// Ends the work early.
    pub(crate) stop: Arc<AtomicBool>,
}

/// Counts all logs.
pub(crate) fn count(source: Source, names: Vec<String>, task: &Task, merged: &Arc<Mutex<Merged>>) {
    let shared = Shared {
        source: Mutex::new((source, 0)),
        names,
        merged: Arc::clone(merged),
        turn: Condvar::new(),
        stop: Arc::clone(&task.stop),
        broken: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        for _ in 1..task.threads {
            scope.spawn(|| shared.work(&task.reader));
        }
        shared.work(&task.reader);
    });
}

impl Shared {
    fn work(&self, reader: &Reader) {
        let watch = Watch(self);
        let mut block = Block::new();
        while !self.stop.load(Ordering::Relaxed) {
            let (next, number) = {
                let mut source = lock(&self.source);
                let Some(next) = source.0.next(&mut block) else {
                    break;
                };
                source.1 += 1;
                (next, source.1 - 1)
            };
            match next {
                Next::Block { file } => {
                    let part = scan::read(&block, reader);
                    self.merge(number, file, |tally, name, lines| tally.add(part, name, lines));
                }
                Next::Note { file, note } => self.merge(number, file, |tally, name, _| {
                    let what = match note {
                        Note::Replaced => Skipped::Replaced,
                        Note::Cut => Skipped::Cut,
                    };
                    tally.skip(what, 1, || name.to_owned());
                    0
                }),
                Next::Error { file, error } => self.merge(number, file, |tally, name, _| {
                    tally.skip(Skipped::ReadError, 1, || format!("{name}: {error}"));
                    0
                }),
            }
        }
        drop(watch);
    }

    /// Waits for all blocks before this one, then adds it.
    fn merge(&self, number: u64, file: usize, add: impl FnOnce(&mut Tally, &str, u64) -> u64) {
        let merged = lock(&self.merged);
        let merged = self
            .turn
            .wait_while(merged, |merged| merged.blocks < number && !self.broken.load(Ordering::SeqCst));
        let mut merged = merged.unwrap_or_else(PoisonError::into_inner);
        let merged = &mut *merged;
        if merged.file != file {
            (merged.file, merged.lines) = (file, 0);
        }
        merged.lines += add(&mut merged.tally, &self.names[file], merged.lines);
        merged.blocks += 1;
        self.turn.notify_all();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
