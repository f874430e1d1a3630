//! Waiting for a cause: record, then wake; with any executor, and nothing is left over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use disconnect_attribution::{Cause, ConnectType, DisconnectGuard, DisconnectReason, Evidence};

use crate::support::{Lines, shutdown};

/// Counts how often it is woken.
#[derive(Debug, Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>, alarm: &Arc<Alarm>) -> Poll<T> {
    let waker = Waker::from(Arc::clone(alarm));
    future.poll(&mut Context::from_waker(&waker))
}

#[test]
fn it_resolves_when_this_cause_or_one_above_it_knows() {
    for levels_above in 0..4 {
        let cause = Cause::default();
        let waiting = (0..levels_above).fold(cause.clone(), |cause, _| cause.child());
        let alarm = Arc::<Alarm>::default();
        let mut ended = pin!(waiting.ended());
        assert!(poll(ended.as_mut(), &alarm).is_pending());

        // Neither a presumption nor a child's end is an end.
        cause.presume(shutdown());
        waiting.child().record(Evidence::Local, shutdown());
        assert!(poll(ended.as_mut(), &alarm).is_pending());
        assert_eq!(alarm.0.load(Ordering::Relaxed), 0);

        cause.record(Evidence::Local, shutdown());
        assert_eq!(alarm.0.load(Ordering::Relaxed), 1, "woken once");
        assert_eq!(poll(ended.as_mut(), &alarm), Poll::Ready(shutdown()));
    }
}

#[test]
fn the_latest_waker_counts() {
    let cause = Cause::default();
    let [first, latest] = [Arc::<Alarm>::default(), Arc::default()];
    let mut ended = pin!(cause.ended());
    assert!(poll(ended.as_mut(), &first).is_pending());
    assert!(poll(ended.as_mut(), &latest).is_pending());
    cause.record(Evidence::Local, shutdown());
    let woken = [first, latest].map(|alarm| alarm.0.load(Ordering::Relaxed));
    assert_eq!(woken, [0, 1]);
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

/// A waker that panics.
struct Bell;

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        panic!("of the waker");
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_asleep_and_loses_no_line() {
    let lines = Lines::default();
    let guard = lines.guard();
    let (alarm, bell) = (Arc::<Alarm>::default(), Waker::from(Arc::new(Bell)));
    let mut waiters = [(); 2].map(|()| guard.cause().ended());
    let first = Pin::new(&mut waiters[0]).poll(&mut Context::from_waker(&bell));
    assert!(first.is_pending());
    assert!(poll(Pin::new(&mut waiters[1]), &alarm).is_pending());
    // The guard records the panic itself, in its destructor, while its thread unwinds.
    let died = catch_unwind(AssertUnwindSafe(move || {
        let _guard = guard;
        panic!("of the session");
    }));
    assert_eq!(died.expect_err("its own").downcast_ref(), Some(&"of the session"));
    assert_eq!(alarm.0.load(Ordering::Relaxed), 1);
    assert_eq!(lines.take().len(), 1);
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
            assert!(poll(pin!(cause.child().ended()), &Arc::default()).is_ready());
        }
    }
    let cause = Cause::default();
    let guard = DisconnectGuard::boxed(ConnectType::AgentToClient, |end| {
        assert_eq!(end.reason(), DisconnectReason::ServerShutdown);
    })
    .with_cause(cause.clone());
    let waker = Waker::from(Arc::new(Reenter(Mutex::new(Some(guard)))));
    let mut ended = pin!(cause.ended());
    let first = ended.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(first.is_pending());
    assert!(cause.record(Evidence::Local, shutdown()));
}

#[test]
fn a_waiter_may_be_as_far_down_as_a_process_lives() {
    let root = Cause::default();
    let leaf = (0..100_000).fold(root.clone(), |cause, _| cause.child());
    let alarm = Arc::<Alarm>::default();
    let mut ended = pin!(leaf.ended());
    assert!(poll(ended.as_mut(), &alarm).is_pending());
    root.record(Evidence::Local, shutdown());
    assert_eq!(alarm.0.load(Ordering::Relaxed), 1);
    assert_eq!(poll(ended.as_mut(), &alarm), Poll::Ready(shutdown()));
}

#[test]
fn any_executor_will_do() {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let cause = Cause::default();
    let waiting = cause.child();
    let waiter = thread::spawn(move || {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut ended = pin!(waiting.ended());
        loop {
            match ended.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(end) => return end,
                Poll::Pending => thread::park(),
            }
        }
    });
    cause.record(Evidence::Local, shutdown());
    assert_eq!(waiter.join().expect("no panic"), shutdown());
}

#[tokio::test]
async fn sessions_woken_by_it_log_why() {
    let (agent, lines) = (Cause::default(), Lines::default());
    let mut sessions = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let guard = lines.guard().with_cause(agent.child());
        sessions.spawn(async move { drop(guard.cause().ended().await) });
    }
    tokio::task::yield_now().await;
    agent.record(Evidence::Local, shutdown());
    sessions.join_all().await;
    let lines = lines.take();
    assert_eq!(lines.len(), 1_000);
    assert!(lines.iter().all(|line| line.reason() == DisconnectReason::ServerShutdown));
    assert!(lines.iter().all(|line| line.origin().is_none()), "the agent has no line");
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
