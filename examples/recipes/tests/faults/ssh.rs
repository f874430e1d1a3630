//! SSH, against OpenSSH's client.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, Evidence, Initiator};
use nix::sys::signal::Signal;
use russh::keys::{load_public_key, load_secret_key};
use russh::server::Config;
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};

use crate::matrix::Row;
use crate::peer::{Peer, asynchronous, has, reset};
use crate::words::words;

mod server;
mod session;

use server::Site;

const SHORT: Duration = Duration::from_millis(200);

struct Server {
    keys: Arc<TempDir>,
    port: u16,
    site: Site,
    lines: Arc<Mutex<Vec<(&'static str, Disconnect)>>>,
    task: JoinHandle<()>,
}

fn keygen(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
    assert!(made.expect("OpenSSH's").success());
}

fn would_block(read: std::io::Result<usize>) -> bool {
    read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

fn keys() -> Arc<TempDir> {
    let keys = TempDir::new().expect("a directory");
    for name in ["host", "client", "stranger"] {
        keygen(&keys.path().join(name));
    }
    Arc::new(keys)
}

fn serve(change: impl FnOnce(&mut Config)) -> Server {
    serve_with(keys(), change)
}

fn serve_with(keys: Arc<TempDir>, change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config {
        keys: vec![load_secret_key(keys.path().join("host"), None).expect("a key")],
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        ..Default::default()
    };
    change(&mut config);
    let lines = Arc::<Mutex<Vec<_>>>::default();
    let kept = Arc::clone(&lines);
    let site = Site {
        agent: Cause::default(),
        config: Arc::new(config),
        login_time: Duration::from_secs(1),
        client_key: load_public_key(keys.path().join("client.pub")).expect("a key"),
        command: |text| {
            assert_ne!(text, "panic", "a bug");
            let mut command = Command::new("sh");
            command.args(["-c", text]);
            command.into()
        },
        subsystem: |name| {
            assert_ne!(name, "panic", "a bug");
            false
        },
        tasks: Arc::new(Mutex::new(JoinSet::new())),
        log: Arc::new(move |message, end| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push((message, end));
        }),
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let connection = site.clone();
    let task = tokio::spawn(async move {
        let accepted = tokio::task::spawn_blocking(move || listener.accept());
        let (socket, _) = accepted.await.expect("no panic").expect("a client");
        server::serve(asynchronous(socket), connection).await;
    });
    Server { keys, port, site, lines, task }
}

impl Server {
    fn ssh(&self, key: &str, arguments: &[&str]) -> Peer {
        let key = self.keys.path().join(key);
        Peer::spawn(
            Command::new("ssh")
                .args(["-F", "none", "-oBatchMode=yes", "-oIdentitiesOnly=yes"])
                .args(["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"])
                .args(["-l", "user", "-p", &self.port.to_string(), "-i"])
                .arg(key)
                .args(arguments)
                .stderr(Stdio::null()),
        )
    }

    /// A session whose command runs until it is ended.
    fn session(&self) -> Peer {
        let mut client = self.ssh("client", &["127.0.0.1", "echo up; exec sleep 600"]);
        client.read_until("up");
        client
    }

    #[track_caller]
    fn end(&self, message: &str) -> Disconnect {
        for _ in 0..5000 {
            {
                let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(index) = lines.iter().position(|(of, _)| *of == message) {
                    return lines.remove(index).1;
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("no line {message:?}: {:#?}", self.lines);
    }

    #[track_caller]
    fn connection(&self) -> Disconnect {
        self.end("ssh connection closed")
    }

    #[track_caller]
    fn session_end(&self) -> Disconnect {
        self.end("ssh session closed")
    }

    #[track_caller]
    fn channel(&self) -> Disconnect {
        self.end("forwarded channel closed")
    }

    /// Aborts what runs over the connection: its sessions, its channels.
    fn abort_tasks(&self) {
        let tasks = self.site.tasks.lock();
        tasks.unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// A channel that is forwarded to a target, and the target's side of it.
    fn forward(&self) -> (Peer, TcpStream) {
        let target = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = target.local_addr().expect("bound").to_string();
        let mut client = self.ssh("client", &["-W", &address, "127.0.0.1"]);
        let (mut socket, _) = target.accept().expect("forwarded");
        writeln!(socket, "up").expect("sent");
        client.read_until("up");
        (client, socket)
    }
}

/// Stops the client under output, so that its kernel resets when it is killed.
fn kill_with_bytes_unread(client: &mut Peer) {
    client.signal(Signal::SIGSTOP);
    std::thread::sleep(SHORT * 2);
    client.kill();
}

fn shutdown() -> Disconnect {
    Disconnect::shutdown(AgentToClient, Initiator::Agent)
}

fn has_openssh() -> bool {
    has("ssh", "-V") && has("ssh-keygen", "-?")
}

fn start() -> Server {
    serve(|_| {})
}

/// The rows of a connection and of the session that runs over it.
struct Rows {
    connections: Row,
    sessions: Row,
}

impl Rows {
    fn check(&mut self, fault: &'static str, server: &Server) {
        self.sessions.check(fault, &server.session_end());
        self.connections.check(fault, &server.connection());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_connection_and_its_session_end_as_their_rows_record() {
    let mut rows = Rows { connections: Row::of("SSH connection"), sessions: Row::of("SSH session") };
    if !has_openssh() {
        rows.connections.skip_all("OpenSSH's client");
        return rows.sessions.skip_all("OpenSSH's client");
    }
    the_client_ends_it(&mut rows);
    the_command_ends_its_session(&mut rows.sessions);
    this_side_ends_it(&mut rows);
    a_bug_or_an_abort_ends_one_of_both(&mut rows);
    there_never_was_a_session(&mut rows.connections);
    rows.connections.complete();
    rows.sessions.complete();
}

fn the_client_ends_it(rows: &mut Rows) {
    let server = start();
    let mut client = server.ssh("client", &["127.0.0.1", "exit 0"]);
    assert_eq!(client.wait(), Some(0));
    rows.check("clean close", &server);

    let server = start();
    server.session().kill();
    rows.check("killed", &server);

    let server = start();
    let mut client = server.ssh("client", &["127.0.0.1", "echo up; exec yes"]);
    client.read_until("up");
    kill_with_bytes_unread(&mut client);
    rows.check("reset", &server);

    let server = start();
    let client = server.session();
    client.signal(Signal::SIGTERM); // it answers with SSH_MSG_DISCONNECT 11
    rows.check("the client sends disconnect 11", &server);
}

fn the_command_ends_its_session(row: &mut Row) {
    for (fault, command, status) in
        [("exit 7", "exit 7", Some(7)), ("killed by a signal", "kill -KILL $$", Some(255))]
    {
        let server = start();
        let mut client = server.ssh("client", &["127.0.0.1", command]);
        let code = client.wait();
        assert!(code == status || code == Some(255), "{code:?}");
        row.check(fault, &server.session_end());
    }
}

fn this_side_ends_it(rows: &mut Rows) {
    let server = serve(|config| config.inactivity_timeout = Some(SHORT * 3));
    let _client = server.session();
    rows.check("idle timeout", &server);

    let server = start();
    let mut client = server.session();
    server.site.agent.record(Evidence::Local, shutdown());
    rows.check("shutdown", &server);
    assert_eq!(client.wait(), Some(255));

    let server = serve(|config| {
        config.keepalive_interval = Some(SHORT);
        config.keepalive_max = 2;
    });
    let client = server.session();
    client.signal(Signal::SIGSTOP);
    rows.check("keepalive not answered", &server);
}

fn a_bug_or_an_abort_ends_one_of_both(rows: &mut Rows) {
    let server = start();
    let _client = server.session();
    server.abort_tasks();
    rows.sessions.check("aborted", &server.session_end());

    let server = start();
    let _client = server.session();
    server.task.abort();
    rows.connections.check("aborted", &server.connection());

    let server = start();
    let _client = server.ssh("client", &["127.0.0.1", "panic"]);
    rows.sessions.check("panic", &server.session_end());

    let server = start();
    let _client = server.ssh("client", &["-s", "127.0.0.1", "panic"]);
    rows.connections.check("panic", &server.connection());
}

fn there_never_was_a_session(row: &mut Row) {
    let server = start();
    let mut client = server.ssh("stranger", &["127.0.0.1", "exit 0"]);
    assert_eq!(client.wait(), Some(255));
    row.check("refused login", &server.connection());

    let server = start();
    let mut socket = TcpStream::connect(("127.0.0.1", server.port)).expect("accepted");
    let garbage = "GET / HTTP/1.1\r\nHost: agent\r\n\r\n".repeat(64);
    let _ = socket.write_all(garbage.as_bytes());
    let _ = socket.read_to_end(&mut Vec::new());
    row.check("no SSH", &server.connection());

    let server = start();
    let mut silent = TcpStream::connect(("127.0.0.1", server.port)).expect("accepted");
    silent.write_all(b"SSH-2.0-silent\r\n").expect("introduced");
    row.check("no login in time", &server.connection());
    // Beside its line, the connection is closed.
    let patience = Some(Duration::from_secs(10));
    silent.set_read_timeout(patience).expect("set");
    let rest = silent.read_to_end(&mut Vec::new());
    assert!(!would_block(rest), "still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_forwarded_channel_ends_as_its_row_records() {
    let mut row = Row::of("SSH channel");
    if !has_openssh() {
        return row.skip_all("OpenSSH's client");
    }

    // Beside the others: it takes its time.
    let stalled = start();
    let (mut flooding, _held) = stalled.forward();
    let flood = std::thread::spawn(move || while flooding.type_bytes(&[b'y'; 1 << 13]).is_ok() {});

    let server = start();
    let (mut client, mut socket) = server.forward();
    client.close_input();
    assert_eq!(socket.read(&mut [0]).expect("a FIN"), 0);
    drop(socket);
    row.check("clean close", &server.channel());

    let server = start();
    let (mut client, socket) = server.forward();
    drop(socket);
    assert_eq!(client.line(), "", "the end of its output");
    client.close_input();
    row.check("the target stops first", &server.channel());

    let server = start();
    let (mut client, _socket) = server.forward();
    client.kill();
    row.check("killed", &server.channel());

    let server = start();
    let (_client, socket) = server.forward();
    reset(&socket);
    drop(socket);
    row.check("reset", &server.channel());

    let server = serve(|config| config.inactivity_timeout = Some(SHORT * 3));
    let _held = server.forward();
    row.check("idle timeout", &server.channel());

    let server = start();
    let _held = server.forward();
    server.site.agent.record(Evidence::Local, shutdown());
    row.check("shutdown", &server.channel());

    let server = start();
    let _held = server.forward();
    server.abort_tasks();
    row.check("aborted", &server.channel());

    row.check("the target does not read", &stalled.channel());
    flood.join().expect("no panic");
    row.complete();
}

/// russh drops its handler and its channels before the cause is known, and no session guesses.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn sessions_of_a_dropped_handler_never_guess() {
    if !has_openssh() {
        return eprintln!("skipped, needs OpenSSH's client");
    }
    let keys = keys();
    for run in 0..50 {
        let servers = [(); 4].map(|()| serve_with(Arc::clone(&keys), |_| {}));
        let clients = servers.each_ref().map(Server::session);
        for client in &clients {
            client.signal(Signal::SIGTERM);
        }
        for server in servers {
            let expected = "agent_to_client ended by client: client_closed";
            assert_eq!(words(&server.connection()), expected, "{run}");
            let session = words(&server.session_end());
            assert_eq!(session, format!("{expected} (exit code 255, from agent_to_client)"), "{run}");
        }
    }
}
