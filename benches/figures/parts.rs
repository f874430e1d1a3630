//! The parts: classification, text, causes and guards; and all of them from accept to line.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use disconnect_attribution::{
    Cause, CloseCode, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator,
    TrackedStream, classify_coordinator_rpc_exit,
};
use slog::{Logger, info, o};

use crate::lines::json;
use crate::{Row, Table, Unit, each};

pub(crate) const LAYER: ConnectType = ConnectType::AgentToClient;

pub(crate) fn tracked<S>(stream: S, cause: Cause) -> TrackedStream<S> {
    TrackedStream::new(stream, LAYER, Initiator::Client, cause)
}

pub(crate) fn end() -> Disconnect {
    Disconnect::new(LAYER, DisconnectReason::NetworkError).with_initiator(Initiator::Network)
}

pub(crate) fn guard() -> DisconnectGuard<impl FnOnce(Disconnect)> {
    DisconnectGuard::new(LAYER, |end| drop(black_box(end)))
}

/// What a run returns is dropped.
fn row<T>(name: &str, run: impl Fn() -> T + Clone + 'static) -> Row {
    Row::new(name, move || {
        let run = run.clone();
        each(move || drop(run()))
    })
}

fn detail(name: &str, text: &'static str) -> Row {
    row(&format!("detail of {} bytes, {name}", text.len()), move || {
        black_box(end().with_detail(black_box(text)))
    })
}

pub(crate) fn parts() -> Table {
    let result: Result<(), io::ErrorKind> = Err(io::ErrorKind::ConnectionReset);
    let error = Arc::new(io::Error::other(io::Error::from(io::ErrorKind::ConnectionReset)));
    let knowing = || {
        let cause = Cause::default();
        cause.record(Evidence::Local, end());
        cause
    };
    let (parent, known, refusing) = (Cause::default(), knowing(), knowing());
    let rows = vec![
        row("an RPC's error classified, its text copied", move || {
            black_box(classify_coordinator_rpc_exit(black_box(false), black_box(&result)))
        }),
        row("reason of an error, two deep", move || {
            black_box(DisconnectReason::from_error(black_box(&*error)))
        }),
        row("reason of a close code", || {
            black_box(black_box(CloseCode::WebSocket(1001)).reason(black_box(Initiator::Server)))
        }),
        row("record made and dropped", || black_box(end())),
        detail("ASCII", "read failed: Connection reset by peer (os error 104)"),
        detail("with umlauts", "Lesen fehlgeschlagen: Verbindung vom Gegenüber zurückgesetzt"),
        detail("of two lines", "read failed: Connection reset by peer\n(os error 104)"),
        row("child made and dropped", move || black_box(parent.child())),
        row("cause made, a record kept, dropped", || {
            Cause::default().record(Evidence::Transport, black_box(end()))
        }),
        row("record that a cause refuses", move || refusing.record(Evidence::Transport, black_box(end()))),
        row("guard made and dropped, nothing known", guard),
        row("guard made and closed", || guard().close(black_box(end()))),
        row("guard of a child made and dropped, its parent knows", move || guard().with_cause(known.child())),
    ];
    Table { title: "The parts", unit: Unit::Instructions, rows }
}

/// A peer that sends so many times at once and is gone, and takes what it is sent.
pub(crate) struct Peer(pub(crate) u32);

impl Read for Peer {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.0.checked_sub(1) else {
            return Ok(0);
        };
        self.0 = left;
        buffer.fill(7);
        Ok(buffer.len())
    }
}

impl Write for Peer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Answers each message until the end of file.
#[inline]
fn serve(mut socket: impl Read + Write) {
    let mut message = [0; 64];
    while let Ok(1..) = socket.read(&mut message) {
        assert!(socket.write(&message).is_ok());
    }
}

/// A connection from accept to its line, a part more in each row.
pub(crate) fn accept_to_line() -> Table {
    const BY_HAND: &str = "4 messages answered, end of file, a line of four pairs by hand";
    let row = |name: &str, serve: fn(&Logger, &Cause)| {
        Row::new(name, move || {
            let (log, process) = (Logger::root(json(), o!()), Cause::default());
            each(move || serve(&log, &process))
        })
    };
    let rows = vec![
        row("4 messages answered, end of file, bare line", |log, _| {
            serve(Peer(4));
            info!(log, "ssh session closed");
        }),
        row(BY_HAND, |log, _| {
            serve(Peer(4));
            info!(log, "ssh session closed";
                "connect_type" => "agent_to_client",
                "disconnect_reason" => "network_error",
                "disconnect_expected" => false,
                "disconnect_initiator" => "network");
        }),
        row("the bare line, a child cause, a stream that records its end", |log, process| {
            serve(tracked(Peer(4), process.child()));
            info!(log, "ssh session closed");
        }),
        row("these and a guard, its record in the line: all in", |log, process| {
            let guard = DisconnectGuard::new(LAYER, |end| info!(log, "ssh session closed"; end));
            let guard = guard.with_cause(process.child());
            serve(guard.track(Peer(4), Initiator::Client));
        })
        .beside(BY_HAND),
        row("the clocks in it: 8 monotonic, 2 of the wall", |_, _| {
            black_box([(); 8].map(|()| black_box(Instant::now())));
            black_box([(); 2].map(|()| black_box(SystemTime::now())));
        }),
    ];
    Table { title: "From accept to line", unit: Unit::Instructions, rows }
}
