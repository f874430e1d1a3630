//! TLS, against openssl's client, curl and rustls.

use recipes::rustls as recipe;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use ::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, asynchronous, has, reset};

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(100);

fn echo(bytes: &[u8]) -> Vec<u8> {
    assert!(!bytes.starts_with(b"panic"), "a bug");
    bytes.to_vec()
}

struct Server {
    port: u16,
    certificate: CertificateDer<'static>,
    agent: Cause,
    lines: Lines,
    task: JoinHandle<()>,
}

fn serve(is_under: bool, idle: Duration) -> Server {
    let _ = ::rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .expect("a config");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (agent, lines) = (Cause::default(), Lines::default());
    let (cause, log) = (agent.clone(), lines.emit());
    let task = tokio::spawn(async move {
        let accepted = tokio::task::spawn_blocking(move || listener.accept());
        let (socket, _) = accepted.await.expect("no panic").expect("a client");
        let socket = asynchronous(socket);
        if is_under {
            recipe::serve_under_tracked(socket, acceptor, &cause, idle, echo, log).await;
        } else {
            recipe::serve(socket, acceptor, &cause, idle, echo, log).await;
        }
    });
    Server { port, certificate, agent, lines, task }
}

/// openssl's client, which closes in good order when its input ends.
fn openssl(server: &Server, arguments: &[&str]) -> Peer {
    let address = format!("127.0.0.1:{}", server.port);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address, "-quiet", "-no_ign_eof"]);
    Peer::spawn(command.args(arguments).stderr(Stdio::null()))
}

fn openssl_that_is_up(server: &Server) -> Peer {
    let mut client = openssl(server, &[]);
    client.type_line("hello");
    assert_eq!(client.line(), "hello");
    client
}

type Client = StreamOwned<ClientConnection, TcpStream>;

fn client(server: &Server) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate.clone()).expect("a root");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let socket = TcpStream::connect(("127.0.0.1", server.port)).expect("accepted");
    let mut client = StreamOwned::new(connection, socket);
    client.write_all(b"hello").expect("sent");
    client.read_exact(&mut [0; 5]).expect("echoed");
    client
}

/// The faults that both recipes are put to.
fn common_faults_end_it(row: &mut Row, is_under: bool) {
    openssl_ends_it(row, is_under);
    the_transport_ends_it(row, is_under);
    this_side_ends_it(row, is_under);
}

fn openssl_ends_it(row: &mut Row, is_under: bool) {
    if !has("openssl", "version") {
        return row.skip(&["clean close", "killed"], "openssl");
    }
    let server = serve(is_under, LONG);
    let mut client = openssl_that_is_up(&server);
    client.close_input();
    row.check("clean close", &server.lines.wait());

    let server = serve(is_under, LONG);
    openssl_that_is_up(&server).kill();
    row.check("killed", &server.lines.wait());
}

fn the_transport_ends_it(row: &mut Row, is_under: bool) {
    let server = serve(is_under, LONG);
    let held = client(&server);
    reset(&held.sock);
    drop(held);
    row.check("reset", &server.lines.wait());

    let server = serve(is_under, LONG);
    let mut held = client(&server);
    held.write_all(b"hello").expect("sent");
    held.sock.shutdown(Shutdown::Write).expect("half closed");
    row.check("cut without close_notify", &server.lines.wait());

    let server = serve(is_under, LONG);
    let mut held = client(&server);
    // A record that nothing can decrypt.
    held.sock.write_all(&[23, 3, 3, 0, 20]).expect("sent");
    held.sock.write_all(&[0; 20]).expect("sent");
    row.check("a record that is forged", &server.lines.wait());
}

fn this_side_ends_it(row: &mut Row, is_under: bool) {
    let server = serve(is_under, SHORT);
    let mut held = client(&server);
    assert_eq!(held.read(&mut [0]).expect("a close_notify"), 0);
    row.check("idle timeout", &server.lines.wait());

    let server = serve(is_under, LONG);
    let mut held = client(&server);
    let shutdown = Disconnect::shutdown(AgentToClient, Initiator::Agent);
    server.agent.record(Evidence::Local, shutdown);
    assert_eq!(held.read(&mut [0]).expect("a close_notify"), 0);
    row.check("shutdown", &server.lines.wait());

    let server = serve(is_under, LONG);
    let _held = client(&server);
    server.task.abort();
    row.check("aborted", &server.lines.wait());

    let server = serve(is_under, LONG);
    let mut held = client(&server);
    held.write_all(b"panic").expect("sent");
    row.check("panic", &server.lines.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_over_a_tracked_stream_ends_as_its_row_records() {
    let mut row = Row::of("TLS over a tracked stream");
    common_faults_end_it(&mut row, false);
    openssl_and_curl_fail_the_handshake(&mut row);

    let server = serve(false, LONG);
    drop(TcpStream::connect(("127.0.0.1", server.port)).expect("accepted"));
    row.check("no handshake, a FIN", &server.lines.wait());

    let server = serve(false, LONG);
    let _silent = TcpStream::connect(("127.0.0.1", server.port)).expect("accepted");
    row.check("no handshake, silence", &server.lines.wait());
    row.complete();
}

fn openssl_and_curl_fail_the_handshake(row: &mut Row) {
    let by_openssl: [(_, &[&str]); 2] = [
        ("a refused certificate", &["-verify_return_error"]),
        ("TLS 1.1", &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]),
    ];
    for (fault, arguments) in by_openssl {
        if has("openssl", "version") {
            let server = serve(false, LONG);
            let _client = openssl(&server, arguments);
            row.check(fault, &server.lines.wait());
        } else {
            row.skip(&[fault], "openssl");
        }
    }

    if has("curl", "--version") {
        let server = serve(false, LONG);
        let url = format!("http://127.0.0.1:{}/", server.port);
        let mut client = Peer::spawn(Command::new("curl").args(["--silent", &url]));
        row.check("plain HTTP on a TLS port", &server.lines.wait());
        client.wait();
    } else {
        row.skip(&["plain HTTP on a TLS port"], "curl");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_under_a_tracked_stream_ends_as_its_row_records() {
    let mut row = Row::of("TLS under a tracked stream");
    common_faults_end_it(&mut row, true);
    row.complete();
}
