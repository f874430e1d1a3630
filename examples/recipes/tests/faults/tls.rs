//! TLS, against openssl's client, curl and rustls.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use ::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator, Trigger};
use rcgen::{CertifiedKey, KeyPair};
use recipes::tls::{explain, handshake};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::matrix::Row;
use crate::peer::{Peer, reset, send_fin};
use crate::site::{self, Act, LONG, SHORT, Site, check_faults};

/// A record that nothing can decrypt.
const FORGED: &[u8] = b"\x17\x03\x03\x00\x1420 bytes of rubbish.";

/// Which of the two is tracked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tracked {
    Socket,
    Tls,
}

static SELF_SIGNED: LazyLock<CertifiedKey<KeyPair>> = LazyLock::new(|| {
    let _ = ::rustls::crypto::ring::default_provider().install_default();
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made")
});

/// The certificate of each server here, which it has signed itself.
pub(crate) fn certificate() -> &'static CertificateDer<'static> {
    SELF_SIGNED.cert.der()
}

pub(crate) fn key() -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(SELF_SIGNED.signing_key.serialize_der()).into()
}

/// A client that trusts one certificate, or none.
pub(crate) fn client_config(certificate: Option<&CertificateDer<'static>>) -> ClientConfig {
    let _ = ::rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificate.cloned());
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

fn serve(tracked: Tracked, idle: Duration) -> Site {
    let certificates = vec![certificate().clone()];
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key());
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a config")));
    site::serve(move |socket, world| {
        let acceptor = acceptor.clone();
        async move {
            if tracked == Tracked::Socket {
                let guard = world.guard(ClientToServer);
                let Some(mut tls) = handshake(socket, &acceptor, idle * 3, &guard).await else { return };
                let ended = session(&mut tls, &guard.cause(), idle).await;
                explain(&guard.cause(), &ended);
                let _ = timeout(SHORT, tls.shutdown()).await;
            } else if let Ok(tls) = acceptor.accept(socket).await {
                let guard = world.guard(ClientToServer);
                let mut tls = guard.track(tls, Initiator::Client).with_goodbye();
                let _ = session(&mut tls, &guard.cause(), idle).await;
                let _ = timeout(SHORT, tls.shutdown()).await;
            }
        }
    })
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

type Client = StreamOwned<ClientConnection, TcpStream>;

impl site::Client for Client {
    fn reset(self) {
        reset(self.sock);
    }

    fn read_goodbye(&mut self, _: &str) {
        assert_eq!(self.read(&mut [0]).expect("a close_notify"), 0);
    }
}

fn client(site: &Site) -> Client {
    let name = "localhost".try_into().expect("a name");
    let connection = ClientConnection::new(Arc::new(client_config(Some(certificate()))), name);
    let mut client = StreamOwned::new(connection.expect("a client"), site.connect());
    client.write_all(b"hello").expect("sent");
    client.read_exact(&mut [0; 5]).expect("echoed");
    client
}

/// The faults that both ways meet.
fn both_ways_meet(row: &mut Row, tracked: Tracked) {
    let by_rustls: [(_, Act<Client>); 3] = [
        ("cut without close_notify", |_, client| send_fin(&client.sock)),
        ("panic", |_, client| client.write_all(b"panic").expect("sent")),
        ("a record that is forged", |_, client| client.sock.write_all(FORGED).expect("sent")),
    ];
    check_faults(row, |idle| serve(tracked, idle).with(client), &by_rustls);
    let site = serve(tracked, LONG);
    if row.has_program("openssl", &["clean close", "killed"]) {
        for (fault, end) in [("clean close", Peer::close_input as fn(&mut Peer)), ("killed", Peer::kill)] {
            let mut client = openssl(&site, &[]);
            client.type_line("hello");
            assert_eq!(client.line(), "hello");
            end(&mut client);
            row.check(fault, &site.wait());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_over_a_tracked_stream_ends_as_its_row_records() {
    let mut row = Row::of("TLS over a tracked stream");
    both_ways_meet(&mut row, Tracked::Socket);
    let site = serve(Tracked::Socket, LONG);
    let by_openssl: [(_, &[&str]); 2] = [
        ("a refused certificate", &["-verify_return_error"]),
        ("TLS 1.1", &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]),
    ];
    for (fault, arguments) in by_openssl {
        if row.has_program("openssl", &[fault]) {
            let _client = openssl(&site, arguments);
            row.check(fault, &site.wait());
        }
    }

    if row.has_program("curl", &["plain HTTP on a TLS port"]) {
        let url = format!("http://{}/", site.address);
        let mut client = Peer::spawn(Command::new("curl").args(["--silent", &url]));
        row.check("plain HTTP on a TLS port", &site.wait());
        client.wait();
    }

    drop(site.connect());
    row.check("no handshake, a FIN", &site.wait());
    let site = serve(Tracked::Socket, SHORT);
    let _silent = site.connect();
    row.check("no handshake, silence", &site.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_under_a_tracked_stream_ends_as_its_row_records() {
    let mut row = Row::of("TLS under a tracked stream");
    both_ways_meet(&mut row, Tracked::Tls);
}
