//! A broker, against clients of Python and of std.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{CloseCode, Disconnect, Evidence, Initiator, TrackedStream, Trigger};
use recipes::broker::{self as recipe, Sessions, explain, lost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::matrix::Row;
use crate::peer::Peer;
use crate::site::{Act, LONG, SHORT, SSH_BANNER, Site, check_faults, serve};

const LOGIN: &[u8] = b"\x01\x00\x05alice";
const PING: &[u8] = b"\x0c\x00\x00";

type Stream = TrackedStream<tokio::net::TcpStream>;

fn run(keepalive: Duration) -> Site {
    let sessions = Arc::<Sessions>::default();
    serve(move |socket, world| {
        let sessions = Arc::clone(&sessions);
        async move {
            let guard = world.guard(ClientToServer);
            let mut stream = guard.track(socket, Initiator::Client);
            tokio::select! {
                _ = session(&mut stream, &sessions, keepalive) => {}
                _ = guard.cause().ended() => {}
            }
        }
    })
}

/// Reads packets until there is a reason to end, which is recorded.
async fn session(stream: &mut Stream, sessions: &Sessions, keepalive: Duration) -> Option<()> {
    let cause = stream.cause();
    let Ok(login) = timeout(keepalive, packet(stream)).await else {
        cause.record(Evidence::Local, lost(Trigger::HandshakeTimeout));
        return None;
    };
    let heard = match login? {
        (1, client) if client == b"alice" => sessions.log_in(client, cause.clone(), keepalive),
        (1, _) => return refuse(stream, recipe::BAD_USER_NAME_OR_PASSWORD).await,
        _ => return refuse(stream, recipe::MALFORMED_PACKET).await,
    };
    loop {
        let Ok(read) = timeout(keepalive, packet(stream)).await else {
            return refuse(stream, recipe::KEEP_ALIVE_TIMEOUT).await;
        };
        let (kind, packet) = read?;
        assert_ne!(packet, b"panic", "a bug");
        *heard.lock().expect("no panic") = Instant::now();
        match kind {
            14 => {
                let end = Disconnect::from_close_code(ClientToServer, CloseCode::Mqtt(0), Initiator::Client);
                cause.record(Evidence::Peer, end);
                return None;
            }
            kind => stream.write_all(&[kind, 0, 0]).await.ok()?,
        }
    }
}

async fn refuse<T>(stream: &mut Stream, reason: u8) -> Option<T> {
    stream.cause().record(Evidence::Local, explain(reason));
    let _ = stream.write_all(&[14, 0, 1, reason]).await;
    None
}

/// A byte for the kind, two for the length, and the rest.
async fn packet(stream: &mut Stream) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()?;
    if !(1..=14).contains(&kind) {
        return refuse(stream, recipe::MALFORMED_PACKET).await;
    }
    let mut packet = vec![0; stream.read_u16().await.ok()?.into()];
    if packet.len() > 1000 {
        return refuse(stream, recipe::PACKET_TOO_LARGE).await;
    }
    stream.read_exact(&mut packet).await.ok()?;
    Some((kind, packet))
}

/// A client that is logged in.
fn client(site: &Site) -> TcpStream {
    let mut client = site.send(&[LOGIN, PING].concat());
    client.read_exact(&mut [0; 3]).expect("answered");
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brokers_connection_ends_as_its_row_records() {
    let mut row = Row::of("broker");
    let others: [(_, Act<TcpStream>); 2] = [
        ("clean close", |_, client| client.write_all(b"\x0e\x00\x00").expect("sent")),
        ("panic", |_, client| client.write_all(b"\x03\x00\x05panic").expect("sent")),
    ];
    check_faults(&mut row, |keepalive| run(keepalive).with(client), &others);

    let site = run(LONG);
    Peer::served(site.address, &[LOGIN, PING].concat()).kill();
    row.check("killed", &site.wait());

    drop(site.send(&[LOGIN, b"\x0c\x00"].concat()));
    row.check("cut in a packet", &site.wait());

    let _old = client(&site);
    let _new = client(&site);
    row.check("taken over by the same client", &site.wait());

    for (fault, bytes) in [
        ("a packet that is too large", &b"\x01\x00\x05alice\x03\xff\xff"[..]),
        ("an unknown packet", b"\x01\x00\x05alice\x0f\x00\x00"),
        ("bad login", b"\x01\x00\x03eve"),
        ("an SSH banner", SSH_BANNER),
        ("an HTTP request", b"GET / HTTP/1.1\r\n\r\n"),
    ] {
        let site = run(LONG);
        let _client = site.send(bytes);
        row.check(fault, &site.wait());
    }

    let site = run(SHORT);
    let _silent = site.connect();
    row.check("no login in time", &site.wait());

    let site = run(SHORT * 3);
    let _frozen = client(&site);
    std::thread::sleep(SHORT * 2);
    let _new = client(&site);
    row.check("taken over after a silence", &site.wait());
}
