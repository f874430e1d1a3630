//! `agent serve`: runs until Ctrl-C, for you to log in and to break things.

use std::error::Error;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use slog::{Logger, warn};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use crate::arguments::ServeArguments;
use crate::control::{Context, ControlPlane};
use crate::coordinator::Coordinator;
use crate::log::logger;
use crate::ssh::SshServer;

/// How long the other side may take to answer a goodbye.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn run(arguments: &ServeArguments, json: bool) -> Result<(), Box<dyn Error>> {
    // From the first moment on, so that an early Ctrl-C is a shutdown too.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let context = Context::new(logger(json));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .await
        .map_err(|error| format!("can't listen on 127.0.0.1:{}: {error}", arguments.port))?;

    let (client_key, host_key) = (new_key()?, new_key()?);
    let login = Login::write(&client_key, &host_key, listener.local_addr()?.port())?;
    let server = SshServer::new(&context, host_key, client_key.public_key().clone());
    let mut sessions = tokio::spawn(server.serve(listener));

    eprintln!("Log in from another terminal, and leave in any way you like:\n");
    eprintln!("    {}\n", login.command());
    eprintln!("Ctrl-C shuts the agent down.\n");

    let mut control = tokio::spawn(stay_connected(
        context.clone(),
        arguments.coordinator.clone(),
        Duration::from_millis(arguments.ping_interval),
    ));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = &mut control => return Ok(ended??),
        ended = &mut sessions => return Ok(ended??),
    }
    context.shutdown.cancel();
    // A second Ctrl-C, or patience at its end, leaves at once.
    let (control, sessions) = tokio::select! {
        ended = async { timeout(PATIENCE * 3, async { tokio::join!(control, sessions) }).await } => {
            ended.map_err(|_| "gave up waiting for open connections")?
        }
        _ = interrupt.recv() => return Err("interrupted twice".into()),
    };
    control??;
    sessions??;
    Ok(())
}

/// Keeps the control plane up: dials, and dials again with growing pauses.
async fn stay_connected(
    context: Context,
    elsewhere: Option<String>,
    ping_interval: Duration,
) -> io::Result<()> {
    const PAUSES: [u64; 6] = [50, 100, 200, 500, 1_000, 2_000];
    let mut failures = 0;
    loop {
        let own = match elsewhere {
            Some(_) => None,
            None => Some(Coordinator::start().await?),
        };
        let address = own
            .as_ref()
            .map(Coordinator::address)
            .or_else(|| elsewhere.clone());
        let address = address.unwrap_or_default();
        own.iter().for_each(print_signals);
        match ControlPlane::open(&context, &address, ping_interval).await {
            Ok(mut control) => {
                failures = 0;
                tokio::select! {
                    () = control.ended() => {}
                    () = context.shutdown.cancelled() => {
                        control.close(PATIENCE).await;
                        return Ok(());
                    }
                }
            }
            Err(error) => dial_failed(&context.log, &error),
        }
        drop(own);
        let pause = PAUSES[failures.min(PAUSES.len() - 1)];
        failures += 1;
        tokio::select! {
            () = sleep(Duration::from_millis(pause)) => {}
            () = context.shutdown.cancelled() => return Ok(()),
        }
    }
}

pub(crate) fn dial_failed(log: &Logger, error: &dyn Error) {
    // Nothing was established, so nothing has ended: no disconnect here.
    warn!(log, "failed to dial coordinator"; "error" => %error.to_string().escape_debug());
}

fn print_signals(coordinator: &Coordinator) {
    let id = coordinator.id();
    eprintln!("The coordinator is process {id}. It restarts with `kill {id}`, crashes with");
    eprintln!("`kill -KILL {id}`, hangs with `kill -STOP {id}`, and stops the workspace with");
    eprintln!("`kill -USR1 {id}`.\n");
}

pub(crate) fn new_key() -> Result<PrivateKey, russh::keys::ssh_key::Error> {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
}

/// What OpenSSH's client needs to log in: a key that only this user can read, and a config to name it.
#[derive(Debug)]
struct Login(TempDir);

impl Login {
    fn write(client: &PrivateKey, host: &PrivateKey, port: u16) -> Result<Self, Box<dyn Error>> {
        let login = Self(tempfile::Builder::new().prefix("agent-").tempdir()?);
        let (key, known_hosts) = (login.path("key"), login.path("known_hosts"));
        client.write_openssh_file(Path::new(&key), LineEnding::LF)?;
        let host = host.public_key().to_openssh()?;
        fs::write(&known_hosts, format!("[127.0.0.1]:{port} {host}\n"))?;
        fs::write(
            login.path("ssh_config"),
            format!(
                "Host agent\n\
                 HostName 127.0.0.1\n\
                 Port {port}\n\
                 User agent\n\
                 IdentityFile \"{key}\"\n\
                 IdentitiesOnly yes\n\
                 UserKnownHostsFile \"{known_hosts}\"\n\
                 LogLevel ERROR\n"
            ),
        )?;
        Ok(login)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn command(&self) -> String {
        format!("ssh -F {} agent", self.path("ssh_config"))
    }
}
