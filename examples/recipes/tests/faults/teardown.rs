//! Whole programs that are asked to stop.

use recipes::teardown_slog;
use recipes::teardown_tracing;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use disconnect_attribution::Disconnect;
use nix::sys::signal::Signal;

use crate::matrix::Row;
use crate::peer::{Peer, reset};
use crate::respawned::{is_respawned, respawn};
use crate::words::words;

/// A client of its own, that is killed.
const CLIENT: &str = "
import socket, sys, time
socket = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
socket.sendall(b'hello')
print(socket.recv(5))
time.sleep(600)
";

/// One of the two programs, as a process.
struct Program {
    process: Peer,
    port: u16,
}

impl Program {
    fn start(test: &str) -> Self {
        let mut process = Peer::spawn(&mut respawn(test));
        let line = process.read_until("listening on ");
        let (_, port) = line.trim().rsplit_once(':').expect("an address");
        let port = port.parse().expect("a port");
        Self { process, port }
    }

    /// A client that is being served.
    fn client(&self) -> TcpStream {
        let mut client = TcpStream::connect(("127.0.0.1", self.port)).expect("accepted");
        client.write_all(b"hello").expect("sent");
        client.read_exact(&mut [0; 5]).expect("answered");
        client
    }

    fn end(&mut self) -> Disconnect {
        let line = self.process.read_until("\"connect_type\"");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn check_what_clients_do(&mut self, row: &mut Row) {
        drop(self.client());
        row.check("clean close", &self.end());

        let mut client = Peer::python(CLIENT, &[&self.port.to_string()]);
        client.line();
        client.kill();
        row.check("killed", &self.end());

        let client = self.client();
        reset(&client);
        drop(client);
        row.check("reset", &self.end());

        let _client = self.client();
        row.check("idle timeout", &self.end());

        let mut client = self.client();
        client.write_all(b"panic").expect("sent");
        row.check("panic", &self.end());
    }

    /// Stops it under 300 connections, and returns one of as many equal lines.
    fn stop_under_many(mut self, signal: Signal) -> Disconnect {
        let _clients: Vec<_> = (0..300).map(|_| self.client()).collect();
        self.process.signal(signal);
        let ends: Vec<_> = (0..300).map(|_| self.end()).collect();
        assert!(ends.iter().all(|end| words(end) == words(&ends[0])), "{ends:#?}");
        assert_eq!(self.process.wait(), Some(0));
        ends[0].clone()
    }
}

#[test]
fn a_server_that_logs_through_slog_async_and_drains_ends_as_its_row_records() {
    if is_respawned() {
        return teardown_slog::main().expect("served");
    }
    let mut row = Row::of("teardown, slog");
    let start = || {
        Program::start("teardown::a_server_that_logs_through_slog_async_and_drains_ends_as_its_row_records")
    };
    let mut program = start();
    program.check_what_clients_do(&mut row);

    let mut slow = program.client();
    slow.write_all(b"slow").expect("sent");
    std::thread::sleep(Duration::from_millis(50));
    program.process.signal(Signal::SIGTERM);
    row.check("aborted", &program.end());
    assert_eq!(program.process.wait(), Some(0));

    row.check("shutdown", &start().stop_under_many(Signal::SIGHUP));
    row.complete();
}

#[test]
fn a_server_that_logs_through_tracing_appender_ends_as_its_row_records() {
    if is_respawned() {
        return teardown_tracing::main().expect("served");
    }
    let mut row = Row::of("teardown, tracing");
    let start =
        || Program::start("teardown::a_server_that_logs_through_tracing_appender_ends_as_its_row_records");
    start().check_what_clients_do(&mut row);
    row.check("shutdown", &start().stop_under_many(Signal::SIGINT));
    row.complete();
}
