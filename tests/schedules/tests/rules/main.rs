//! The rules that several threads could break, under a model checker.
//!
//! `cargo test -p schedules -- --nocapture` prints how many schedules were explored.

use std::io::{Cursor, Read, Write};
use std::pin::Pin;
use std::real::sync::mpsc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, spawn};

use schedules::ConnectType::AgentToClient;
use schedules::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream, Trigger,
};

use shuttle::future::block_on;
use tokio::io::AsyncWrite;

mod explore;

use explore::explore;

type Words = (DisconnectReason, Option<Trigger>, Option<Initiator>);

fn words(end: &Disconnect) -> Words {
    (end.reason(), end.trigger(), end.initiator())
}

fn known(cause: &Cause) -> Option<Words> {
    cause.get().as_ref().map(words)
}

/// The line of a guard over this, which is dropped.
fn line(cause: &Cause) -> Words {
    words(&DisconnectGuard::new(AgentToClient, |_| {}).with_cause(cause.clone()).finish())
}

/// What logs, and the lines.
fn channel_of_lines() -> (impl FnOnce(Disconnect) + Send + Sync, mpsc::Receiver<Disconnect>) {
    let (log, lines) = mpsc::channel();
    (move |end| log.send(end).expect("is listened to"), lines)
}

/// What a parent may learn, and an announcement of its peer.
fn news() -> [(Evidence, Disconnect); 3] {
    [
        (Evidence::Transport, Disconnect::network_error(AgentToClient, Trigger::Reset)),
        (Evidence::Local, Disconnect::shutdown(AgentToClient, Initiator::Agent)),
        (Evidence::Peer, Disconnect::closed_by(AgentToClient, Initiator::Client)),
    ]
}

/// What a line reports is what everybody knows afterwards.
#[test]
fn a_line_against_a_record_above_it() {
    let idle = || Disconnect::closed_by(AgentToClient, Initiator::Agent).with_trigger(Trigger::IdleTimeout);
    let ways = news().into_iter().flat_map(|news| [(news.clone(), false), (news, true)]);
    let stories = ways.map(|((evidence, end), panics)| {
        move || {
            let connection = Cause::default();
            let session = connection.child();
            let channel = session.child();
            let (log, lines) = channel_of_lines();
            let guard = DisconnectGuard::new(AgentToClient, log).with_cause(session.clone());
            let expected = end.expected();
            let end = end.clone();
            let above = spawn(move || connection.record(evidence, end));
            if panics {
                thread::unwinding(|| drop(guard));
            } else {
                guard.close(idle());
            }
            let logged = words(&lines.try_recv().expect("one line"));
            let now = known(&session);
            if panics && expected {
                assert_eq!(logged.1, Some(Trigger::Panic), "comes before what is inherited and expected");
            } else {
                assert_eq!(Some(logged), now);
            }
            assert_eq!((known(&channel), Some(line(&channel))), (now, now), "below");
            above.join().expect("records");
            assert_eq!((known(&session), known(&channel)), (now, now), "what came later changes nothing");
        }
    });
    explore("a line against a record above it", 3, stories);
}

/// A waiter is woken by what its path learns, and one that leaves meanwhile leaves nothing behind.
#[test]
fn a_waiter_against_a_record() {
    struct Counted;
    impl Wake for Counted {
        fn wake(self: Arc<Self>) {}
    }
    let places = news().into_iter().flat_map(|news| [(news.clone(), false), (news, true)]);
    let stories = places.map(|((evidence, end), is_above)| {
        move || {
            let connection = Cause::default();
            let session = connection.child();
            let waits = spawn({
                let session = session.clone();
                move || block_on(session.ended())
            });
            let counted = Arc::new(Counted);
            let leaves = spawn({
                let (session, waker) = (session.clone(), Waker::from(Arc::clone(&counted)));
                move || {
                    let mut ended = session.ended();
                    let _ = Pin::new(&mut ended).poll(&mut Context::from_waker(&waker));
                }
            });
            let place = if is_above { connection } else { session };
            assert!(place.record(evidence, end.clone()));
            assert_eq!(waits.join().expect("woken"), end);
            leaves.join().expect("leaves");
            assert_eq!(Arc::strong_count(&counted), 1, "what is left of one that left");
        }
    });
    explore("a waiter against a record", 2, stories);
}

/// Two handles of one socket record one end and count the bytes of both directions.
#[test]
fn two_handles_of_one_transport() {
    let shutdown = (DisconnectReason::Graceful, None, Some(Initiator::Agent));
    let half_close = (DisconnectReason::ClientClosed, Some(Trigger::EndOfFile), Some(Initiator::Client));
    let meanings: [fn(TrackedStream<_>) -> TrackedStream<_>; 3] =
        [|stream| stream, TrackedStream::with_goodbye, TrackedStream::with_half_close];
    // How the writer ends, and who drops the guard.
    let ways = [(false, false), (false, true), (true, false), (true, true)];
    let stories = (0..3).flat_map(|meaning| ways.map(|way| (meaning, way)));
    let stories = stories.map(|(meaning, (shuts_down, reader_drops))| {
        move || {
            let (log, lines) = channel_of_lines();
            let guard = DisconnectGuard::new(AgentToClient, log);
            let cause = guard.cause();
            let mut reader = meanings[meaning](guard.track(&b"hi"[..], Initiator::Client));
            let mut writer = guard.track(Cursor::new(Box::from([0; 3])), Initiator::Client);
            let (here, there) = if reader_drops { (None, Some(guard)) } else { (Some(guard), None) };
            let reads = spawn(move || {
                assert_eq!([(); 2].map(|()| reader.read(&mut [0; 4]).expect("never fails")), [2, 0]);
                let seen = known(&reader.cause());
                drop(there);
                seen
            });
            assert_eq!(writer.write(b"bye").expect("has room"), 3);
            if shuts_down {
                let context = &mut Context::from_waker(Waker::noop());
                assert!(Pin::new(&mut writer).poll_shutdown(context).is_ready());
            } else {
                assert_eq!(writer.write(b"!").expect("full"), 0);
            }
            let seen = known(&cause);
            drop(here);
            let seen = [seen, reads.join().expect("reads")];
            let logged = words(&lines.try_recv().expect("one line"));
            let now = known(&cause);
            assert!(seen.iter().all(|seen| seen.is_none() || *seen == now), "one record");
            let is_weak = shuts_down && logged == shutdown || meaning == 2 && logged == half_close;
            assert!(is_weak || Some(logged) == now, "{logged:?}, and {now:?} is known");
            let end = DisconnectGuard::new(AgentToClient, |_| {}).with_cause(cause).finish();
            assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(2), Some(3)));
        }
    });
    explore("two handles of one transport", 2, stories);
}

/// Two threads record on a path of three causes, and what a third one sees below is at most refined.
#[test]
fn all_short_histories_of_a_path() {
    let refined = [Some(DisconnectReason::NetworkError), Some(DisconnectReason::ClientClosed)];
    // A place and what it learns.
    let records = || (0..3).flat_map(|place| news().map(|(evidence, end)| (place, evidence, end)));
    let stories = records().flat_map(move |one| {
        records().flat_map(move |two| {
            let one = one.clone();
            records().map(move |three| [one.clone(), two.clone(), three])
        })
    });
    let stories = stories.map(|history| {
        move || {
            let root = Cause::default();
            let middle = root.child();
            let path = [root, middle.clone(), middle.child()];
            let [one, two, three] = [0, 1, 2].map(|index| {
                let (place, evidence, end) = history[index].clone();
                let (place, end) = (path[place].clone(), end.with_detail(["1", "2", "3"][index]));
                move || place.record(evidence, end)
            });
            let records = spawn(move || (one(), two()));
            let [_, _, leaf] = path;
            let looks = spawn({
                let leaf = leaf.clone();
                move || [leaf.get(), leaf.get()]
            });
            three();
            let [first, then] = looks.join().expect("looks");
            records.join().expect("records");
            for look in [first, then, leaf.get()].windows(2) {
                let reasons = [0, 1].map(|index| look[index].as_ref().map(Disconnect::reason));
                let stays = look[0].is_none() || look[0] == look[1];
                assert!(stays || reasons == refined, "{history:?}: {look:?}");
            }
        }
    });
    explore("all short histories of a path", 1, stories);
}
