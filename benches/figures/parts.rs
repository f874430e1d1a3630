//! The parts: classification, text, causes and guards.

use std::hint::black_box;
use std::io;
use std::thread;

use disconnect_attribution::{
    Cause, CloseCode, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence,
    Initiator, classify_coordinator_rpc_exit,
};

use crate::case::{Case, Counted, each};
use crate::table::{Row, Table};

const LAYER: ConnectType = ConnectType::AgentToClient;

const CLEAN: &str = "read failed: Connection reset by peer (os error 104)";
const UMLAUTS: &str = "Lesen fehlgeschlagen: Verbindung vom Gegenüber zurückgesetzt";
const TWO_LINES: &str = "read failed: Connection reset by peer\n(os error 104)";

fn end() -> Disconnect {
    Disconnect::new(LAYER, DisconnectReason::NetworkError).with_initiator(Initiator::Network)
}

fn guard() -> DisconnectGuard<impl FnOnce(Disconnect)> {
    DisconnectGuard::new(LAYER, |end| drop(black_box(end)))
}

fn exact(name: &str, run: impl FnMut() + Clone + 'static) -> Row {
    Row::new(name, [Case::new(move || each(run.clone()))])
}

fn with_clock(name: &str, run: impl FnMut() + Clone + 'static) -> Row {
    let case = Case::new(move || each(run.clone()));
    Row::new(name, [case]).counted(Counted::Nearly)
}

fn knowing() -> Cause {
    let cause = Cause::default();
    cause.record(Evidence::Local, end());
    cause
}

fn detail(name: &str, text: &'static str) -> Row {
    let name = format!("detail of {} bytes, {name}", text.len());
    exact(&name, move || {
        drop(black_box(end().with_detail(black_box(text))));
    })
}

pub(crate) fn table() -> Table {
    let result: Result<(), &str> = Err("connection reset by peer");
    let (parent, known, refusing) = (Cause::default(), knowing(), knowing());
    let rows = vec![
        exact("an RPC's error classified, its text copied", move || {
            drop(black_box(classify_coordinator_rpc_exit(
                black_box(false),
                black_box(&result),
            )));
        }),
        Row::new(
            "reason of an error, two deep",
            [Case::new(|| {
                let error = io::Error::other(io::Error::from(io::ErrorKind::ConnectionReset));
                each(move || {
                    black_box(DisconnectReason::from_error(black_box(&error)));
                })
            })],
        ),
        exact("reason of a close code", || {
            black_box(black_box(CloseCode::WebSocket(1001)).reason(black_box(Initiator::Server)));
        }),
        exact("record made and dropped", || drop(black_box(end()))),
        detail("ASCII", CLEAN),
        detail("with umlauts", UMLAUTS),
        detail("of two lines", TWO_LINES),
        exact("cause made and dropped", || {
            drop(black_box(Cause::default()));
        }),
        exact("child made and dropped", move || {
            drop(black_box(parent.child()));
        }),
        with_clock("cause made, a record kept, dropped", || {
            Cause::default().record(Evidence::Transport, black_box(end()));
        }),
        exact("record that a cause refuses", move || {
            refusing.record(Evidence::Transport, black_box(end()));
        }),
        with_clock("guard made and dropped, nothing known", || drop(guard())),
        with_clock("guard made and closed", || guard().close(black_box(end()))),
        with_clock(
            "guard of a child made and dropped, its parent knows",
            move || {
                drop(guard().with_cause(known.child()));
            },
        ),
    ];
    Table::new("The parts", "part", ["part"], rows)
}

/// One cause that so many threads record in.
pub(crate) fn contended() -> Table {
    let row = |threads: u32| {
        let case = Case::new(move || {
            let cause = knowing();
            Box::new(move |count| {
                thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| {
                            for _ in 0..count {
                                black_box(cause.record(Evidence::Transport, black_box(end())));
                            }
                        });
                    }
                });
            })
        });
        Row::new(&threads.to_string(), [case.counted(Counted::Never)])
    };
    Table::new(
        "A record on each thread, all in one cause",
        "threads",
        ["part"],
        [1, 2, 4].map(row).into(),
    )
    .with_threads()
}
