//! A connection from accept to its line, a part more in each row.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::{Instant, SystemTime};

use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, TrackedStream};
use slog::{Logger, info, o};

use crate::case::{Case, Counted, each};
use crate::lines::json;
use crate::table::{Row, Table};

const LAYER: ConnectType = ConnectType::AgentToClient;

/// A peer that sends four times and is gone.
struct Peer {
    messages: u8,
}

impl Peer {
    const NEW: Self = Self { messages: 4 };
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.messages.checked_sub(1) else {
            return Ok(0);
        };
        self.messages = left;
        buffer.fill(left);
        Ok(buffer.len())
    }
}

impl Write for Peer {
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

fn row(name: &str, serve: impl Fn(&Logger, &Cause) + Copy + 'static) -> Row {
    let case = Case::new(move || {
        let (log, process) = (Logger::root(json(), o!()), Cause::default());
        each(move || serve(&log, &process))
    });
    Row::new(name, [case]).counted(Counted::Nearly)
}

pub(crate) fn table() -> Table {
    let rows = vec![
        row("4 messages answered, end of file, bare line", |log, _| {
            serve(Peer::NEW);
            info!(log, "ssh session closed");
        }),
        row("+ a child cause", |log, process| {
            let cause = black_box(process.child());
            serve(Peer::NEW);
            info!(log, "ssh session closed");
            drop(cause);
        }),
        row(
            "+ a stream that counts, and records its end",
            |log, process| {
                serve(TrackedStream::new(Peer::NEW, LAYER, process.child()));
                info!(log, "ssh session closed");
            },
        ),
        row("+ a guard, which makes the record", |log, process| {
            let emit = |end: Disconnect| {
                black_box(end);
                info!(log, "ssh session closed");
            };
            let guard = DisconnectGuard::new(LAYER, emit).with_cause(process.child());
            serve(guard.track(Peer::NEW));
        }),
        row("+ the record in the line: all in", |log, process| {
            let guard = DisconnectGuard::new(LAYER, |end| info!(log, "ssh session closed"; end));
            let guard = guard.with_cause(process.child());
            serve(guard.track(Peer::NEW));
        }),
        row("the clocks in it: 7 monotonic, 2 of the wall", |_, _| {
            for _ in 0..7 {
                black_box(Instant::now());
            }
            for _ in 0..2 {
                black_box(SystemTime::now());
            }
        }),
        row("by hand: the first row, and four pairs", |log, _| {
            serve(Peer::NEW);
            info!(log, "ssh session closed";
                "connect_type" => "agent_to_client",
                "disconnect_reason" => "network_error",
                "disconnect_expected" => false,
                "disconnect_initiator" => "network");
        }),
    ];
    Table::new("From accept to line", "what runs", ["connection"], rows).with_steps()
}
