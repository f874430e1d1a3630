//! Streams that a server answers with, and the connection under them.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use futures_util::Stream;

use super::{Call, client_process, one, open, serve, wait};
use crate::matrix::Row;
use crate::peer::{listen, reset};
use crate::site::{Client, Site, common_faults};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_stream_ends_as_its_row_records() {
    let mut row = Row::of("gRPC server");
    common_faults(&mut row, |_| serve().with(|site| relayed(site, one(), true)));

    let site = serve();
    let mut client = client_process("one", &site);
    client.kill();
    row.check("killed", &site.wait());
    row.check("its connection, killed", &site.world.connection.wait());

    for _ in 0..10 {
        drop(open(site.address, "/site/stay", one()).await);
        row.check("the client leaves with the stream open", &site.wait());
        let end = site.world.connection.wait();
        row.check("its connection, left with the stream open", &end);
    }

    let held = open(site.address, "/site/stay", one()).await;
    drop(held.responses);
    row.check("the client cancels", &site.wait());
    drop(held.channel);
    site.world.connection.wait();

    let mut held = open(site.address, "/site/finish", one()).await;
    assert!(held.responses.message().await.expect("OK").is_none());
    row.check("clean close", &site.wait());
    drop(held);
    let end = site.world.connection.wait();
    row.check("its connection, when the channel is dropped", &end);

    for (fault, path) in [("panic", "/site/panic"), ("PERMISSION_DENIED", "/site/fail")] {
        let _held = open(site.address, path, one()).await;
        row.check(fault, &site.wait());
    }
    row.complete();
}

/// A call over a relay, which can reset it: a channel does not hand out its own socket.
pub(super) struct Relayed {
    call: Call,
    legs: JoinHandle<[TcpStream; 2]>,
    /// Whether this side ends the stream with a status.
    is_told: bool,
}

pub(super) fn relayed(
    site: &Site,
    requests: impl Stream<Item = Bytes> + Send + 'static,
    is_told: bool,
) -> Relayed {
    let ((listener, address), server) = (listen(), site.connect());
    let legs = thread::spawn(move || {
        let client = listener.accept().expect("a client").0;
        for (from, to) in [(&client, &server), (&server, &client)] {
            let [from, to] = [from, to].map(|socket| socket.try_clone().expect("cloned"));
            thread::spawn(move || io::copy(&mut &from, &mut &to));
        }
        [client, server]
    });
    Relayed { call: wait(open(address, "/site/stay", requests)), legs, is_told }
}

impl Client for Relayed {
    fn reset(self) {
        let [client, server] = self.legs.join().expect("no panic");
        for leg in [&client, &server] {
            leg.shutdown(Shutdown::Read).expect("stopped");
        }
        // What is dropped here are the last handles of both, once the threads have stopped. The call does not take its leave.
        std::mem::forget(self.call);
        reset(server);
    }

    fn read_goodbye(&mut self, _: &str) {
        if self.is_told {
            let status = wait(self.call.responses.message()).expect_err("cut");
            assert_eq!(status.message(), "shutting down");
        }
    }
}
