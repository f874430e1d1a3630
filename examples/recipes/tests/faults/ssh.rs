//! SSH, against OpenSSH's client.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::thread::{self, sleep};
use std::time::Duration;

use nix::sys::signal::Signal;
use russh::keys::{load_public_key, load_secret_key};
use russh::server::Config;
use tokio::task::JoinHandle;

use crate::matrix::{Pair, Row};
use crate::peer::{Peer, has, listen, reset, send_fin};
use crate::site::{self, Act, Client, Site, check_faults, spawner};
use crate::words::words;

mod server;

use server::{Shared, Task};

const SHORT: Duration = Duration::from_millis(200);
const STAY: &str = "exec sleep 600";

/// The keys of the server, of its client and of a stranger, made once.
static KEYS: LazyLock<PathBuf> = LazyLock::new(|| {
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ssh");
    std::fs::create_dir_all(&keys).expect("a directory");
    for name in ["host", "client", "stranger"].map(|name| keys.join(name)) {
        if !name.exists() {
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-f"];
            let made = Command::new("ssh-keygen").args(arguments).arg(name).status();
            assert!(made.expect("OpenSSH's").success());
        }
    }
    keys
});

struct Server {
    site: Site,
    /// Runs the sessions and the forwarded channels.
    tasks: JoinHandle<()>,
}

fn serve(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config {
        keys: vec![load_secret_key(KEYS.join("host"), None).expect("a key")],
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        ..Default::default()
    };
    change(&mut config);
    let client_key = load_public_key(KEYS.join("client.pub")).expect("a key");
    let (sender, tasks) = spawner::<Task>();
    let shared = Shared { config: Arc::new(config), client_key, tasks: sender };
    let site = site::serve(move |socket, world| server::serve(socket, world, shared.clone()));
    Server { site, tasks }
}

fn start() -> Server {
    serve(|_| {})
}

impl Server {
    fn ssh(&self, key: &str, arguments: &[&str]) -> Peer {
        Peer::spawn(
            Command::new("ssh")
                .args(["-F", "none", "-oBatchMode=yes", "-oIdentitiesOnly=yes"])
                .args(["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"])
                .args(["-l", "user", "-p", &self.site.port(), "-i"])
                .arg(KEYS.join(key))
                .args(arguments)
                .stderr(Stdio::null()),
        )
    }

    /// A session that is up, and then runs a command.
    fn session(&self, command: &str) -> Peer {
        let mut client = self.ssh("client", &["127.0.0.1", &format!("echo up; {command}")]);
        client.read_until("up");
        client
    }

    /// A channel that is forwarded to a target.
    fn forward(&self) -> Forwarded {
        let (target, address) = listen();
        let mut client = self.ssh("client", &["-W", &address.to_string(), "127.0.0.1"]);
        let (mut target, _) = target.accept().expect("forwarded");
        writeln!(target, "up").expect("sent");
        client.read_until("up");
        Forwarded { client, target }
    }
}

/// Both ends of a forwarded channel.
struct Forwarded {
    client: Peer,
    target: TcpStream,
}

impl Client for Forwarded {
    fn reset(mut self) {
        reset(self.target);
        self.client.wait();
    }

    fn read_goodbye(&mut self, _: &str) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_connection_and_its_session_end_as_their_rows_record() {
    let mut rows = Pair { connection: Row::of("SSH connection"), over_it: Row::of("SSH session") };
    if !rows.have_program("ssh") {
        return;
    }
    both_end(&mut rows);
    one_of_both_ends(&mut rows);
    there_never_was_a_session(&mut rows.connection);
}

fn both_end(rows: &mut Pair) {
    let as_it_is: fn(&mut Config) = |_| {};
    let idle: fn(&mut Config) = |config| config.inactivity_timeout = Some(SHORT * 3);
    let pings: fn(&mut Config) = |config| {
        config.keepalive_interval = Some(SHORT);
        config.keepalive_max = 2;
    };
    let scenes: [(_, _, _, Act<Peer>); 7] = [
        ("clean close", as_it_is, "exit 0", |_, client| assert_eq!(client.wait(), Some(0))),
        ("killed", as_it_is, STAY, |_, client| client.kill()),
        // Stopped under output, so that its kernel resets.
        ("reset", as_it_is, "exec yes", |_, client| {
            client.signal(Signal::SIGSTOP);
            sleep(SHORT * 2);
            client.kill();
        }),
        // It answers with SSH_MSG_DISCONNECT 11.
        ("the client sends disconnect 11", as_it_is, STAY, |_, client| client.signal(Signal::SIGTERM)),
        ("idle timeout", idle, STAY, |_, _| {}),
        ("keepalive not answered", pings, STAY, |_, client| client.signal(Signal::SIGSTOP)),
        ("shutdown", as_it_is, STAY, |site, client| {
            site.shut_down();
            assert_eq!(client.wait(), Some(255));
        }),
    ];
    for (fault, config, command, act) in scenes {
        let server = serve(config);
        let mut client = server.session(command);
        act(&server.site, &mut client);
        rows.check(fault, &server.site);
    }
}

fn one_of_both_ends(rows: &mut Pair) {
    for (fault, command) in
        [("exit 7", "exit 7"), ("killed by a signal", "kill -KILL $$"), ("panic", "panic")]
    {
        let server = start();
        let _client = server.ssh("client", &["127.0.0.1", command]);
        rows.over_it.check(fault, &server.site.wait());
    }
    let server = start();
    let _client = server.session(STAY);
    server.tasks.abort();
    rows.over_it.check("aborted", &server.site.wait());

    let server = start();
    let _client = server.session(STAY);
    server.site.task.abort();
    rows.connection.check("aborted", &server.site.connection());

    let server = start();
    let _client = server.ssh("client", &["-s", "127.0.0.1", "panic"]);
    rows.connection.check("panic", &server.site.connection());
}

fn there_never_was_a_session(row: &mut Row) {
    let server = start();
    let site = &server.site;
    let mut check = |fault| row.check(fault, &site.connection());

    let mut client = server.ssh("stranger", &["127.0.0.1", "exit 0"]);
    assert_eq!(client.wait(), Some(255));
    check("refused login");

    let garbage = "GET / HTTP/1.1\r\nHost: agent\r\n\r\n".repeat(64);
    let _client = site.send(garbage.as_bytes());
    check("no SSH");

    let mut silent = site.send(b"SSH-2.0-silent\r\n");
    check("no login in time");
    // Beside its line, the connection is closed.
    let rest = silent.read_to_end(&mut Vec::new());
    assert!(rest.err().is_none_or(|error| error.kind() != ErrorKind::WouldBlock), "still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_forwarded_channel_ends_as_its_row_records() {
    let mut row = Row::of("SSH channel");
    if !row.has_program("ssh", &[]) {
        return;
    }
    // Beside the others: it takes its time.
    let stalled = start();
    let Forwarded { client: mut flooding, target: _held } = stalled.forward();
    let flood = thread::spawn(move || while flooding.type_bytes(&[b'y'; 1 << 13]).is_ok() {});

    let start_channel = |idle| {
        let server = serve(|config| config.inactivity_timeout = Some(idle * 6));
        let channel = server.forward();
        (Site { task: server.tasks, ..server.site }, channel)
    };
    let others: [(_, Act<Forwarded>); 3] = [
        ("clean close", |_, Forwarded { client, target }| {
            client.close_input();
            assert_eq!(target.read(&mut [0]).expect("a FIN"), 0);
            send_fin(target);
        }),
        ("the target stops first", |_, Forwarded { client, target }| {
            send_fin(target);
            assert_eq!(client.line(), "", "the end of its output");
            client.close_input();
        }),
        ("killed", |_, channel| channel.client.kill()),
    ];
    check_faults(&mut row, start_channel, &others);

    row.check("the target does not read", &stalled.site.wait());
    flood.join().expect("no panic");
}

/// russh drops its handler and its channels before the cause is known, and no session guesses.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn sessions_of_a_dropped_handler_never_guess() {
    if !has("ssh") {
        return eprintln!("skipped, needs OpenSSH's client");
    }
    for run in 0..50 {
        let servers = [(); 4].map(|()| start());
        let clients = servers.each_ref().map(|server| server.session(STAY));
        for client in &clients {
            client.signal(Signal::SIGTERM);
        }
        for server in servers {
            let expected = "agent_to_client ended by client: client_closed";
            assert_eq!(words(&server.site.connection()), expected, "{run}");
            let session = words(&server.site.wait());
            assert_eq!(session, format!("{expected} (exit code 255, from agent_to_client)"), "{run}");
        }
    }
}
