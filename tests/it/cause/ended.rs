//! Waiting for a cause: record, then wake; with any executor, and nothing is left over.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use disconnect_attribution::{Cause, Disconnect, DisconnectReason, Evidence};

use crate::support::{Lines, panic_with, shutdown};

/// A waker that does this.
fn waker(wake: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Does<F>(F);
    impl<F: Fn() + Send + Sync> Wake for Does<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }
    Waker::from(Arc::new(Does(wake)))
}

/// A waker, and how often it was woken.
pub(super) fn counted() -> (Waker, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let add = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    (waker(add), woken)
}

/// Polls a future of [`Cause::ended`].
pub(super) fn poll(
    ended: &mut (impl Future<Output = Disconnect> + Unpin),
    waker: &Waker,
) -> Poll<Disconnect> {
    Pin::new(ended).poll(&mut Context::from_waker(waker))
}

#[test]
fn it_resolves_when_this_cause_or_one_above_it_knows() {
    for levels_above in 0..4 {
        let cause = Cause::default();
        let waiting = (0..levels_above).fold(cause.clone(), |cause, _| cause.child());
        let (mut ended, (waker, woken)) = (waiting.ended(), counted());
        assert!(poll(&mut ended, &waker).is_pending());

        // Neither a presumption nor a child's end is an end.
        cause.presume(shutdown());
        waiting.child().record(Evidence::Local, shutdown());
        assert!(poll(&mut ended, &waker).is_pending());
        assert_eq!(woken.load(Ordering::Relaxed), 0);

        cause.record(Evidence::Local, shutdown());
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert_eq!(poll(&mut ended, &waker), Poll::Ready(shutdown()));
    }
}

#[test]
fn the_latest_waker_counts() {
    let cause = Cause::default();
    let (mut ended, wakers) = (cause.ended(), [counted(), counted()]);
    assert!(wakers.iter().all(|(waker, _)| poll(&mut ended, waker).is_pending()));
    cause.record(Evidence::Local, shutdown());
    assert_eq!(wakers.map(|(_, woken)| woken.load(Ordering::Relaxed)), [0, 1]);
}

#[test]
fn a_cancelled_waiter_leaves_nothing_behind() {
    let parent = Cause::default();
    let child = parent.child();
    let (waker, woken) = counted();
    let wait = || assert!(poll(&mut child.ended(), &waker).is_pending());
    // What a cause holds once it was waited for stays.
    wait();
    let memory = allocation_counter::measure(|| (0..1_000).for_each(|_| wait()));
    assert_eq!(memory.bytes_current, 0, "{memory:?}");
    drop(waker);
    assert_eq!(Arc::strong_count(&woken), 1, "no waker is held");
    parent.record(Evidence::Local, shutdown());
}

#[test]
fn a_waker_that_panics_keeps_no_other_asleep_and_loses_no_line() {
    let lines = Lines::default();
    let guard = lines.guard();
    let [mut first, mut second] = [guard.cause().ended(), guard.cause().ended()];
    assert!(poll(&mut first, &waker(|| panic!("of the waker"))).is_pending());
    let (waker, woken) = counted();
    assert!(poll(&mut second, &waker).is_pending());
    // The guard records the panic itself, in its destructor, while its thread unwinds.
    panic_with(guard);
    assert_eq!((woken.load(Ordering::Relaxed), lines.take().len()), (1, 1));
}

#[test]
fn a_waker_may_use_the_cause_and_drop_a_guard_of_it() {
    let (cause, lines) = (Cause::default(), Lines::default());
    let guard = Mutex::new(Some(lines.guard().with_cause(cause.clone())));
    let reenter = waker(move || {
        let guard = guard.lock().expect("no panic").take().expect("woken once");
        let cause = guard.cause();
        assert_eq!(cause.get(), Some(shutdown()));
        cause.presume(None);
        assert!(poll(&mut cause.child().ended(), Waker::noop()).is_ready());
    });
    let mut ended = cause.ended();
    assert!(poll(&mut ended, &reenter).is_pending());
    assert!(cause.record(Evidence::Local, shutdown()));
    assert_eq!(lines.one().reason(), DisconnectReason::ServerShutdown);
}

/// `select!` drops the loser before the winner's handler runs: the record belongs inside the awaited future.
#[tokio::test]
async fn a_record_in_the_awaited_future_comes_before_select_drops_the_loser() {
    for (inside, reason) in [(true, DisconnectReason::ServerShutdown), (false, DisconnectReason::Unknown)] {
        let (agent, lines) = (Cause::default(), Lines::default());
        let guard = lines.guard().with_cause(agent.child());
        let serve = async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        };
        let record = || agent.record(Evidence::Local, shutdown());
        let stop = async {
            tokio::task::yield_now().await;
            if inside { record() } else { false }
        };
        tokio::select! {
            () = serve => unreachable!(),
            is_recorded = stop => assert!(is_recorded || record()),
        }
        assert_eq!(lines.one().reason(), reason, "inside: {inside}");
    }
}
