//! Connections that are kept alive, in a request and between two.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::{CLIENT, ask, client_of, curl, serve};
use crate::matrix::Row;
use crate::peer::{Peer, reset};
use crate::site::{LONG, SHORT, Site, World, common_faults};
use crate::websockets;

/// A server whose line is the connection's.
fn serve_lines(idle: std::time::Duration) -> Site {
    let site = serve(idle, LONG);
    let World { agent, lines, connection } = site.world;
    Site { world: World { agent, lines: connection, connection: lines }, ..site }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_ends_as_its_row_records() {
    let mut row = Row::of("HTTP connection");
    common_faults(&mut row, |idle| serve_lines(idle).with(|site| client_of(site, "/")));
    let site = serve_lines(LONG);
    curl_ends_a_connection(&mut row, &site);
    a_client_ends_a_connection_without_a_word(&mut row, &site);
    a_client_leaves_http2(&mut row, &site);
    this_side_ends_a_connection(&mut row, &site);

    drop(websockets::connect(&site, "/websocket"));
    row.check("a WebSocket over it, a FIN without a goodbye", &site.wait());
    websockets::close(websockets::connect(&site, "/websocket"), None);
    row.check("a WebSocket over it, closed", &site.wait());
    row.complete();
}

fn curl_ends_a_connection(row: &mut Row, site: &Site) {
    for (fault, arguments, path, code) in [
        ("clean close", &[][..], "/", 0),
        ("Connection: close", &["--header", "Connection: close"], "/", 0),
        ("HTTP/2, clean close", &["--http2-prior-knowledge"], "/", 0),
        ("curl gives up waiting", &["--max-time", "0.2"], "/slow", 28),
    ] {
        if row.has_program("curl", &[fault]) {
            assert_eq!(curl(site, arguments, path).wait(), Some(code), "{fault}");
            row.check(fault, &site.wait());
        }
    }
}

fn a_client_ends_a_connection_without_a_word(row: &mut Row, site: &Site) {
    for (fault, path, word) in [("killed", "/", "hello"), ("killed in a request", "/slow", "sent")] {
        let mut client = Peer::python(CLIENT, &[&site.port(), path]);
        client.read_until(word);
        std::thread::sleep(SHORT);
        client.kill();
        row.check(fault, &site.wait());
    }

    for (fault, client) in
        [("reset in a request", ask(site, "/slow")), ("reset before a byte", site.connect())]
    {
        std::thread::sleep(SHORT);
        reset(client);
        row.check(fault, &site.wait());
    }

    drop(site.connect());
    row.check("no request at all", &site.wait());
}

/// HTTP/2 by hand, beyond what curl does.
fn a_client_leaves_http2(row: &mut Row, site: &Site) {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ACKNOWLEDGED: [u8; 9] = [0, 0, 0, 4, 1, 0, 0, 0, 0];
    // The head of a frame of 100 bytes, and three of them.
    const CUT: [u8; 12] = [0, 0, 100, 1, 4, 0, 0, 0, 1, 0, 0, 0];
    for (fault, first, cut) in
        [("HTTP/2, a preface in two parts", 1, &[][..]), ("HTTP/2, a cut frame", PREFACE.len(), &CUT)]
    {
        let mut client = site.send(&PREFACE[..first]);
        std::thread::sleep(SHORT);
        let rest = [&PREFACE[first..], &SETTINGS, &ACKNOWLEDGED, cut].concat();
        client.write_all(&rest).expect("sent");
        client.shutdown(Shutdown::Write).expect("stopped");
        client.read_to_end(&mut Vec::new()).expect("all that it answers");
        row.check(fault, &site.wait());
    }
}

fn this_side_ends_a_connection(row: &mut Row, site: &Site) {
    let _client = ask(site, "/bug");
    row.check("panic", &site.wait());

    let mut answer = String::new();
    let mut client = site.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n");
    client.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    row.check("our own 400", &site.wait());

    let _client = site.send(&[&[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[7; 194]].concat());
    row.check("a TLS hello", &site.wait());

    let site = serve_lines(LONG);
    let _client = ask(&site, "/slow");
    std::thread::sleep(SHORT);
    site.task.abort();
    row.check("aborted in a request", &site.wait());
}
