//! Waiting for a cause: record, then wake; with any executor, and nothing is left over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence};

use crate::support::{Lines, shutdown};

/// Counts how often it is woken.
#[derive(Debug, Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that waits for a cause.
pub(super) struct Waiter {
    ended: Pin<Box<dyn Future<Output = Disconnect> + Send>>,
    alarm: Arc<Alarm>,
}

impl Waiter {
    pub(super) fn new(cause: &Cause) -> Self {
        let mut waiter = Self { ended: Box::pin(cause.ended()), alarm: Arc::default() };
        assert!(waiter.poll().is_pending());
        waiter
    }

    fn poll(&mut self) -> Poll<Disconnect> {
        let waker = Waker::from(Arc::clone(&self.alarm));
        self.ended.as_mut().poll(&mut Context::from_waker(&waker))
    }

    pub(super) fn woken(&self) -> usize {
        self.alarm.0.load(Ordering::Relaxed)
    }
}

#[test]
fn it_resolves_when_this_cause_or_one_above_it_knows() {
    for levels_above in 0..4 {
        let cause = Cause::default();
        let waiting = (0..levels_above).fold(cause.clone(), |cause, _| cause.child());
        let mut waiter = Waiter::new(&waiting);

        // Neither a presumption nor a child's end is an end.
        cause.presume(shutdown());
        waiting.child().record(Evidence::Local, shutdown());
        assert_eq!((waiter.poll(), waiter.woken()), (Poll::Pending, 0));

        cause.record(Evidence::Local, shutdown());
        assert_eq!(waiter.woken(), 1);
        assert_eq!(waiter.poll(), Poll::Ready(shutdown()));
    }
}

#[test]
fn the_latest_waker_counts() {
    let cause = Cause::default();
    let mut waiter = Waiter::new(&cause);
    let first = std::mem::take(&mut waiter.alarm);
    assert!(waiter.poll().is_pending());
    cause.record(Evidence::Local, shutdown());
    assert_eq!((first.0.load(Ordering::Relaxed), waiter.woken()), (0, 1));
}

#[test]
fn a_cancelled_waiter_leaves_nothing_behind() {
    let parent = Cause::default();
    let child = parent.child();
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(Arc::clone(&alarm));
    // What a cause holds once it was waited for stays.
    drop(pin!(child.ended()).poll(&mut Context::from_waker(Waker::noop())));
    let memory = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            let mut ended = child.ended();
            let mut context = Context::from_waker(&waker);
            assert!(Pin::new(&mut ended).poll(&mut context).is_pending());
        }
    });
    assert_eq!(memory.bytes_current, 0, "{memory:?}");
    drop(waker);
    assert_eq!(Arc::strong_count(&alarm), 1, "no waker is held");
    parent.record(Evidence::Local, shutdown());
    assert_eq!(alarm.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_waker_that_panics_keeps_no_other_asleep_and_loses_no_line() {
    struct Bell;
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            panic!("of the waker");
        }
    }
    let lines = Lines::default();
    let guard = lines.guard();
    let mut first = guard.cause().ended();
    let bell = Waker::from(Arc::new(Bell));
    assert!(Pin::new(&mut first).poll(&mut Context::from_waker(&bell)).is_pending());
    let second = Waiter::new(&guard.cause());
    // The guard records the panic itself, in its destructor, while its thread unwinds.
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _guard = guard;
        panic!("of the session");
    }));
    assert_eq!(died.expect_err("its own").downcast_ref(), Some(&"of the session"));
    assert_eq!((second.woken(), lines.take().len()), (1, 1));
}

#[test]
fn a_waker_may_use_the_cause_and_drop_a_guard_of_it() {
    struct Reenter(Mutex<Option<DisconnectGuard>>);
    impl Wake for Reenter {
        fn wake(self: Arc<Self>) {
            let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            let cause = taken.expect("woken once").cause();
            assert_eq!(cause.get(), Some(shutdown()));
            cause.presume(None);
            let mut ended = cause.child().ended();
            assert!(Pin::new(&mut ended).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
    }
    let (cause, lines) = (Cause::default(), Lines::default());
    let guard = lines.guard().with_cause(cause.clone());
    let waker = Waker::from(Arc::new(Reenter(Mutex::new(Some(guard)))));
    let mut ended = cause.ended();
    assert!(Pin::new(&mut ended).poll(&mut Context::from_waker(&waker)).is_pending());
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
