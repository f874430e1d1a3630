//! QUIC, against a quinn client.

use std::future::pending;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use ::quinn::crypto::rustls::QuicClientConfig;
use ::quinn::rustls::pki_types::CertificateDer;
use ::quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator, Trigger};
use futures_util::FutureExt;
use quinn_proto::RandomConnectionIdGenerator;
use recipes::quic;
use tokio::runtime::Runtime;
use tokio::task::block_in_place;

use crate::matrix::{Pair, Row};
use crate::peer::Peer;
use crate::respawned::{RESPAWNED, respawn};
use crate::site::{Act, LONG, SHORT, Site, World, wait};
use crate::tls::{self, certificate};
use crate::words::words;

const ADDRESS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Echoes one stream until its client has sent all, or says nothing.
async fn echo(mut send: SendStream, mut receive: RecvStream, cause: Cause, idle: Duration) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let Ok(read) = tokio::time::timeout(idle, receive.read(&mut buffer)).await else {
            let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
            cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
            return Ok(());
        };
        let Some(length) = read? else { return Ok(()) };
        assert_ne!(buffer[..length], *b"panic", "a bug");
        send.write_all(&buffer[..length]).await?;
    }
}

/// A site whose lines are the streams'.
fn serve(idle: Duration) -> Site {
    serve_up_to(u64::MAX, idle)
}

/// At the stream of a number, the connection's task panics.
fn serve_up_to(bug: u64, idle: Duration) -> Site {
    let certificates = vec![certificate().clone()];
    let mut config = ServerConfig::with_single_cert(certificates, tls::key()).expect("a config");
    let mut transport = TransportConfig::default();
    // Short, so that the tests need not wait; pings keep a connection open that is not dead.
    transport.max_idle_timeout(Some(Duration::from_secs(1).try_into().expect("in range")));
    transport.keep_alive_interval(Some(Duration::from_millis(100)));
    config.transport_config(Arc::new(transport));
    let endpoint = Endpoint::server(config, ADDRESS.into()).expect("a free port");
    let address = endpoint.local_addr().expect("bound");
    let world = World::default();
    let World { agent, lines, connection } = world.clone();
    let task = tokio::spawn(async move {
        let incoming = endpoint.accept().await.expect("a client");
        let echo = move |send: SendStream, receive, cause| {
            assert_ne!(send.id().index(), bug, "a bug");
            echo(send, receive, cause, idle)
        };
        quic::serve(incoming, &agent, idle, echo, move |end| lines.emit()(end), connection.emit()).await;
        endpoint.wait_idle().await;
    });
    Site { world, address, task }
}

fn config(certificate: Option<&CertificateDer<'static>>) -> ClientConfig {
    let tls = tls::client_config(certificate);
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("TLS 1.3")))
}

struct Client {
    endpoint: Endpoint,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

/// Connects, and opens a stream that is up.
async fn open(endpoint: Endpoint, address: SocketAddr, certificate: &CertificateDer<'static>) -> Client {
    let connecting = endpoint.connect_with(config(Some(certificate)), address, "localhost");
    let connection = connecting.expect("started").await.expect("connected");
    let (send, receive) = stream(&connection).await;
    Client { endpoint, connection, send, receive }
}

async fn stream(connection: &Connection) -> (SendStream, RecvStream) {
    let (mut send, mut receive) = connection.open_bi().await.expect("opened");
    send.write_all(b"hello").await.expect("sent");
    receive.read_exact(&mut [0; 5]).await.expect("echoed");
    (send, receive)
}

async fn client(server: &Site) -> Client {
    let endpoint = Endpoint::client(ADDRESS.into()).expect("a free port");
    open(endpoint, server.address, certificate()).await
}

/// A client in a process of its own, so that it can be killed.
#[test]
fn a_client_process_stays_until_it_is_killed() {
    let Ok(address) = std::env::var(RESPAWNED) else { return };
    let address = address.parse().expect("an address");
    let mut certificate = Vec::new();
    io::stdin().read_to_end(&mut certificate).expect("its server's");
    Runtime::new().expect("a runtime").block_on(async {
        let endpoint = Endpoint::client(ADDRESS.into()).expect("a free port");
        let _client = open(endpoint, address, &certificate.into()).await;
        println!("up");
        pending::<()>().await;
    });
}

fn client_process(server: &Site) -> Peer {
    let mut command = respawn("quic::a_client_process_stays_until_it_is_killed");
    let mut client = Peer::spawn(command.env(RESPAWNED, server.address.to_string()));
    client.type_bytes(certificate()).expect("read");
    client.close_input();
    client.read_until("up");
    client
}

/// A client whose host restarts: it has lost its state, but not the key that its resets are made with.
fn restart(address: SocketAddr) -> Endpoint {
    let socket = UdpSocket::bind(ADDRESS).expect("a free port");
    let mut config = EndpointConfig::default();
    // With quinn's own, the packets after the restart would be a stranger's, and get no answer.
    config.cid_generator(|| Box::<RandomConnectionIdGenerator>::default());
    let endpoint = |socket: UdpSocket| {
        Endpoint::new(config.clone(), None, socket, Arc::new(TokioRuntime)).expect("an endpoint")
    };
    let first = Runtime::new().expect("a runtime");
    let opening = async {
        let client = open(endpoint(socket.try_clone().expect("cloned")), address, certificate()).await;
        std::mem::forget(client); // no close is sent
    };
    block_in_place(|| first.block_on(opening));
    first.shutdown_background();
    endpoint(socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_connection_and_its_stream_end_as_their_rows_record() {
    let mut rows = Pair { connection: Row::of("QUIC connection"), over_it: Row::of("QUIC stream") };
    both_end(&mut rows).await;
    the_client_is_gone(&mut rows);
    one_of_both_ends(&mut rows).await;
    a_bug_ends_one_of_both(&mut rows).await;
}

async fn both_end(rows: &mut Pair) {
    let server = serve(LONG);
    let mut held = client(&server).await;
    held.send.finish().expect("open");
    assert_eq!(held.receive.read_to_end(9).await.expect("finished"), b"");
    rows.over_it.check("clean close", &server.wait());
    held.connection.close(VarInt::from_u32(0), b"done");
    held.endpoint.wait_idle().await;
    rows.connection.check("clean close", &server.connection());

    let faults: [(_, _, Act<Client>); 5] = [
        ("close 7, not taught", LONG, |_, client| {
            client.connection.close(VarInt::from_u32(7), b"as asked");
        }),
        ("close 16, taught by the site", LONG, |_, client| {
            client.connection.close(VarInt::from_u32(16), b"as asked");
        }),
        ("idle timeout", SHORT, |_, _| {}),
        ("shutdown", LONG, |server, client| {
            server.shut_down();
            let reason = wait(client.connection.closed()).to_string();
            assert!(reason.starts_with("closed by peer"), "{reason}");
        }),
        ("aborted", LONG, |server, _| server.task.abort()),
    ];
    for (fault, idle, act) in faults {
        let server = serve(idle);
        let mut client = client(&server).await;
        act(&server, &mut client);
        rows.check(fault, &server);
    }
}

fn the_client_is_gone(rows: &mut Pair) {
    let server = serve(LONG);
    client_process(&server).kill();
    rows.check("killed", &server);

    let server = serve(LONG);
    let _restarted = restart(server.address);
    rows.connection.check("reset", &server.connection());
    rows.over_it.check("the connection is reset", &server.wait());
}

async fn one_of_both_ends(rows: &mut Pair) {
    let server = serve(LONG);
    let endpoint = Endpoint::client(ADDRESS.into()).expect("a free port");
    let connecting = endpoint.connect_with(config(None), server.address, "localhost");
    connecting.expect("started").await.expect_err("refused");
    rows.connection.check("a refused certificate", &server.connection());

    let server = serve(LONG);
    let mut held = client(&server).await;
    held.send.reset(VarInt::from_u32(5)).expect("open");
    rows.over_it.check("reset", &server.wait());

    let server = serve(LONG);
    let mut held = client(&server).await;
    held.receive.stop(VarInt::from_u32(6)).expect("open");
    // This side learns of it when it writes, so it has to have something to echo.
    while held.send.write_all(b"more").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if held.send.stopped().now_or_never().is_some() {
            break;
        }
    }
    rows.over_it.check("STOP_SENDING 6", &server.wait());
}

async fn a_bug_ends_one_of_both(rows: &mut Pair) {
    let server = serve_up_to(1, LONG);
    let held = client(&server).await;
    let _second = held.connection.open_bi().await.expect("opened").0.write_all(b"hello").await;
    rows.connection.check("panic", &server.connection());
    let ends = server.world.lines.wait_for(2);
    rows.over_it.check("panic", &ends[0]);
    rows.over_it.check("the connection's task panics", &ends[1]);

    let server = serve(LONG);
    let mut held = client(&server).await;
    held.send.write_all(b"panic").await.expect("sent");
    rows.over_it.check("panic", &server.wait());
}

/// Each stream's task and the connection's meet the close at the same time, and all of them know it.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn streams_of_a_closed_connection_never_guess() {
    for run in 0..50 {
        let server = serve(LONG);
        let client = client(&server).await;
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(stream(&client.connection).await);
        }
        client.connection.close(VarInt::from_u32(16), b"expired");
        let expected = "client_to_server ended by client: rejected (quic_app:16)";
        assert_eq!(words(&server.connection()), format!("{expected}: expired"), "{run}");
        for end in server.world.lines.wait_for(5) {
            let expected =
                "client_to_server ended by client: rejected (quic_app:16, from client_to_server): expired";
            assert_eq!(words(&end), expected, "{run}");
        }
    }
}
