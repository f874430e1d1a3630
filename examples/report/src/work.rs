//! The threads: each takes the next block, counts it, and adds its counts when it is their turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::input::{Block, Source};
use crate::read::Reader;
use crate::tally::{Part, Tally};

/// How to count.
pub(crate) struct Task {
    pub(crate) reader: Reader,
    pub(crate) threads: usize,
    /// Ends the work early.
    pub(crate) stop: AtomicBool,
    pub(crate) tally: Mutex<Tally>,
}

/// What is next: the logs, and when the block before it is added.
struct Queue {
    source: Source,
    turn: Receiver<()>,
}

impl Task {
    /// Counts all logs.
    pub(crate) fn count(&self, source: Source) {
        let (first, turn) = mpsc::channel();
        let queue = Mutex::new(Queue { source, turn });
        // A receiver that is gone belongs to a thread that panicked.
        let _ = first.send(());
        thread::scope(|scope| {
            for _ in 1..self.threads {
                scope.spawn(|| self.work(&queue));
            }
            self.work(&queue);
        });
    }

    fn work(&self, queue: &Mutex<Queue>) {
        let mut block = Block::default();
        while !self.stop.load(Ordering::Relaxed) {
            let (file, note, turn, done) = {
                let mut queue = lock(queue);
                let Some((file, note)) = queue.source.next(&mut block) else {
                    return;
                };
                let (done, next) = mpsc::channel();
                (file, note, std::mem::replace(&mut queue.turn, next), done)
            };
            let part = match note {
                Ok(()) => self.reader.part(block.bytes()),
                Err((what, why)) => Part::of(what, why),
            };
            if turn.recv().is_err() {
                // The thread before it panicked.
                self.stop.store(true, Ordering::Relaxed);
                return;
            }
            lock(&self.tally).add(part, file);
            let _ = done.send(());
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
