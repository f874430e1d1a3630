//! A program that aborts when others unwind; `tests/it/faults/abort.rs` builds and runs it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Trigger};
use slog::{Drain, Logger, Never, OwnedKVList, Record, error, info, o};

const LAYER: ConnectType = ConnectType::AgentToClient;

/// A drain that prints the message to a file.
struct Lines(File);

impl Drain for Lines {
    type Ok = ();
    type Err = io::Error;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> io::Result<()> {
        writeln!(&self.0, "{}", record.msg())
    }
}

fn main() {
    let mode = std::env::args().nth(1).expect("a mode");
    let full = || {
        Lines(
            File::options()
                .write(true)
                .open("/dev/full")
                .expect("opened"),
        )
    };
    let stdout = File::options()
        .append(true)
        .open("/dev/stdout")
        .expect("opened");
    match &*mode {
        "fuse" => serve(&Logger::root(full().fuse(), o!()), false),
        "ignore" => serve(&Logger::root(full().ignore_res(), o!()), false),
        "return" => serve(&Logger::root(Lines(stdout).ignore_res(), o!()), false),
        "panic" => serve(&Logger::root(Lines(stdout).ignore_res(), o!()), true),
        "hook" => {
            let log = Logger::root(Lines(stdout).ignore_res(), o!());
            let last = log.clone();
            std::panic::set_hook(Box::new(move |panic| {
                let end = Disconnect::new(LAYER, DisconnectReason::Unknown)
                    .with_trigger(Trigger::Panic)
                    .with_detail(panic.to_string());
                error!(last, "the process aborts: {end}");
            }));
            serve(&log, true);
        }
        _ => panic!("no such mode"),
    }
}

/// A connection that ends, one that is open, and then perhaps a panic.
fn serve(
    log: &Logger<std::sync::Arc<dyn slog::SendSyncRefUnwindSafeDrain<Ok = (), Err = Never>>>,
    has_bug: bool,
) {
    let (client, socket) = connection();
    drop(client);
    session(log.clone(), socket, false);
    let (mut client, socket) = connection();
    let log = log.clone();
    let other = thread::spawn(move || session(log, socket, has_bug));
    client.write_all(b"a").expect("written");
    client.read_exact(&mut [0]).expect("answered");
    client.write_all(b"?").expect("written");
    if !has_bug {
        // An answer that is not read would turn the FIN into a reset.
        client.read_exact(&mut [0]).expect("answered");
    }
    drop(client);
    other.join().expect("no panic");
}

fn session(log: Logger, socket: TcpStream, has_bug: bool) {
    let guard = DisconnectGuard::new(LAYER, |end| info!(log, "{end}"));
    let mut stream = guard.track(socket, disconnect_attribution::Initiator::Client);
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|count| count > 0) {
        assert!(!has_bug || byte != *b"?", "a bug of the session");
        stream.write_all(&byte).expect("written");
    }
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("accepted").0)
}
