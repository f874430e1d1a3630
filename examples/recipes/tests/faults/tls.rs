//! TLS, against openssl's client, curl and rustls.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use ::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Evidence, Initiator, Trigger};
use recipes::tls::{explain, handshake};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::matrix::Row;
use crate::peer::{Peer, has, reset};
use crate::site::{self, LONG, SHORT, Site, World, common_faults};

/// A server and its certificate.
struct Server {
    site: Site,
    certificate: CertificateDer<'static>,
}

/// Which of the two is tracked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tracked {
    Socket,
    Tls,
}

/// A certificate that it signed itself, and its key.
pub(crate) fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let _ = ::rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    (made.cert.der().clone(), PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into())
}

/// A client that trusts one certificate, or none.
pub(crate) fn client_config(certificate: Option<&CertificateDer<'static>>) -> ClientConfig {
    let _ = ::rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificate.cloned());
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

fn serve(tracked: Tracked, idle: Duration) -> Server {
    let (certificate, key) = self::certificate();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.clone()], key).expect("a config");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let site = site::serve(move |socket, world| connection(socket, world, acceptor.clone(), tracked, idle));
    Server { site, certificate }
}

async fn connection(
    socket: tokio::net::TcpStream,
    world: World,
    acceptor: TlsAcceptor,
    tracked: Tracked,
    idle: Duration,
) {
    let guard = || DisconnectGuard::new(ClientToServer, world.lines.emit()).with_cause(world.agent.child());
    if tracked == Tracked::Socket {
        let guard = guard();
        let Some(mut tls) = handshake(socket, &acceptor, idle * 3, &guard).await else { return };
        let ended = session(&mut tls, &guard.cause(), idle).await;
        explain(&guard.cause(), &ended);
        let _ = timeout(SHORT, tls.shutdown()).await;
    } else if let Ok(tls) = acceptor.accept(socket).await {
        let guard = guard();
        let mut tls = guard.track(tls, Initiator::Client).with_goodbye();
        let _ = session(&mut tls, &guard.cause(), idle).await;
        let _ = timeout(SHORT, tls.shutdown()).await;
    }
}

/// Echoes until the stream ends, or this side ends it, which it has recorded then.
async fn session(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    cause: &Cause,
    idle: Duration,
) -> io::Result<()> {
    let (mut ended, mut buffer) = (cause.ended(), [0; 1024]);
    loop {
        tokio::select! {
            biased; // what the stream has to offer explains more than that it has ended
            read = timeout(idle, stream.read(&mut buffer)) => match read {
                Ok(Ok(0)) => return Ok(()),
                Ok(read) => {
                    let request = &buffer[..read?];
                    assert!(!request.starts_with(b"panic"), "a bug");
                    stream.write_all(request).await?;
                }
                Err(_) => {
                    let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
                    cause.record(Evidence::Local, end.with_trigger(Trigger::IdleTimeout));
                }
            },
            _ = &mut ended => return Err(io::ErrorKind::Other.into()),
        }
    }
}

/// openssl's client, which closes in good order when its input ends.
fn openssl(site: &Site, arguments: &[&str]) -> Peer {
    let address = site.address.to_string();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address, "-quiet", "-no_ign_eof"]);
    Peer::spawn(command.args(arguments).stderr(Stdio::null()))
}

fn openssl_that_is_up(site: &Site) -> Peer {
    let mut client = openssl(site, &[]);
    client.type_line("hello");
    assert_eq!(client.line(), "hello");
    client
}

type Client = StreamOwned<ClientConnection, TcpStream>;

impl site::Client for Client {
    fn reset(self) {
        reset(&self.sock);
    }

    fn read_goodbye(&mut self, _: &str) {
        assert_eq!(self.read(&mut [0]).expect("a close_notify"), 0);
    }
}

impl Server {
    fn client(&self) -> Client {
        let config = client_config(Some(&self.certificate));
        let name = "localhost".try_into().expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut client = StreamOwned::new(connection, self.site.connect());
        client.write_all(b"hello").expect("sent");
        client.read_exact(&mut [0; 5]).expect("echoed");
        client
    }
}

/// The faults that both ways meet.
fn both_ways_meet(row: &mut Row, tracked: Tracked) {
    common_faults(row, |idle| {
        let server = serve(tracked, idle);
        let client = server.client();
        (server.site, client)
    });
    let server = serve(tracked, LONG);
    if has("openssl", "version") {
        let mut client = openssl_that_is_up(&server.site);
        client.close_input();
        row.check("clean close", &server.site.wait());

        openssl_that_is_up(&server.site).kill();
        row.check("killed", &server.site.wait());
    } else {
        row.skip(&["clean close", "killed"], "openssl");
    }

    let mut client = server.client();
    client.write_all(b"hello").expect("sent");
    client.sock.shutdown(Shutdown::Write).expect("half closed");
    row.check("cut without close_notify", &server.site.wait());

    let mut client = server.client();
    client.write_all(b"panic").expect("sent");
    row.check("panic", &server.site.wait());

    let mut client = server.client();
    // A record that nothing can decrypt.
    client.sock.write_all(&[23, 3, 3, 0, 20]).expect("sent");
    client.sock.write_all(&[0; 20]).expect("sent");
    row.check("a record that is forged", &server.site.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_over_a_tracked_stream_ends_as_its_row_records() {
    let mut row = Row::of("TLS over a tracked stream");
    both_ways_meet(&mut row, Tracked::Socket);
    let site = serve(Tracked::Socket, LONG).site;
    let by_openssl: [(_, &[&str]); 2] = [
        ("a refused certificate", &["-verify_return_error"]),
        ("TLS 1.1", &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]),
    ];
    for (fault, arguments) in by_openssl {
        if has("openssl", "version") {
            let _client = openssl(&site, arguments);
            row.check(fault, &site.wait());
        } else {
            row.skip(&[fault], "openssl");
        }
    }

    if has("curl", "--version") {
        let url = format!("http://{}/", site.address);
        let mut client = Peer::spawn(Command::new("curl").args(["--silent", &url]));
        row.check("plain HTTP on a TLS port", &site.wait());
        client.wait();
    } else {
        row.skip(&["plain HTTP on a TLS port"], "curl");
    }

    drop(site.connect());
    row.check("no handshake, a FIN", &site.wait());
    let site = serve(Tracked::Socket, SHORT).site;
    let _silent = site.connect();
    row.check("no handshake, silence", &site.wait());
    row.complete();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_under_a_tracked_stream_ends_as_its_row_records() {
    let mut row = Row::of("TLS under a tracked stream");
    both_ways_meet(&mut row, Tracked::Tls);
    row.complete();
}
