//! `agent serve`: runs until Ctrl-C, for you to log in and to break things.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use recipes::teardown::stopped;
use slog::{Logger, warn};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::arguments::ServeArguments;
use crate::context::Context;
use crate::control::ControlPlane;
use crate::coordinator::Coordinator;
use crate::log::logger;
use crate::login::{Login, new_key};
use crate::ssh::{SshServer, pause};

/// How long the other side may take to answer a goodbye.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn run(arguments: &ServeArguments, json: bool) -> Result<(), Box<dyn Error>> {
    // From the first moment on, so that an early Ctrl-C is a shutdown too.
    let stop = tokio::spawn(stopped());
    let context = Context::new(logger(json));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .await
        .map_err(|error| format!("can't listen on 127.0.0.1:{}: {error}", arguments.port))?;

    let (client_key, host_key) = (new_key()?, new_key()?);
    let login = Login::write(&client_key, &host_key, listener.local_addr()?.port())?;
    let login_time = Duration::from_millis(arguments.login_time);
    let server = SshServer::new(&context, host_key, client_key.public_key().clone(), login_time);
    let sessions = tokio::spawn(server.serve(listener));
    print_welcome(&login);

    let mut control = tokio::spawn(stay_connected(
        context.clone(),
        arguments.coordinator.clone(),
        Duration::from_millis(arguments.ping_interval),
    ));
    tokio::select! {
        stopped = stop => stopped??,
        ended = &mut control => return Ok(ended??),
    }
    context.shut_down();
    // A second signal, or patience at its end, leaves at once.
    let (control, sessions) = tokio::select! {
        ended = async { timeout(PATIENCE * 3, async { tokio::join!(control, sessions) }).await } => {
            ended.map_err(|_| "gave up waiting for open connections")?
        }
        stopped = stopped() => {
            stopped?;
            return Err("interrupted twice".into());
        }
    };
    control??;
    sessions?;
    Ok(())
}

/// Keeps the control plane up: dials, and dials again with growing pauses.
async fn stay_connected(
    context: Context,
    elsewhere: Option<String>,
    ping_interval: Duration,
) -> io::Result<()> {
    let mut failures = 0;
    loop {
        let (address, own) = if let Some(address) = &elsewhere {
            (address.clone(), None)
        } else {
            let own = Coordinator::start().await?;
            print_signals(&own);
            (own.address.clone(), Some(own))
        };
        match ControlPlane::open(&context, &address, ping_interval).await {
            Ok(mut control) => {
                failures = 0;
                tokio::select! {
                    () = control.ended() => {}
                    _ = context.agent.ended() => {
                        control.close(PATIENCE).await;
                        return Ok(());
                    }
                }
            }
            Err(error) => dial_failed(&context.log, &error),
        }
        drop(own);
        tokio::select! {
            () = sleep(pause(failures)) => failures += 1,
            _ = context.agent.ended() => return Ok(()),
        }
    }
}

pub(crate) fn dial_failed(log: &Logger, error: &dyn Error) {
    // Nothing was established, so nothing has ended: no disconnect here.
    warn!(log, "failed to dial coordinator"; "error" => %error.to_string().escape_debug());
}

fn print_welcome(login: &Login) {
    let command = login.command();
    eprintln!(
        "Log in from another terminal, and leave in any way you like: exit 7, ~., a\n\
         closed window, kill -KILL. Each way has a line here.\n\n    {command}\n\n\
         Ctrl-C shuts the agent down: try it with a session open.\n"
    );
}

fn print_signals(coordinator: &Coordinator) {
    let id = coordinator.id();
    eprintln!(
        "The coordinator, the server that the agent reports to, is process {id}:\n\n    \
         kill {id}          it restarts, and announces that\n    \
         kill -KILL {id}    it crashes\n    \
         kill -STOP {id}    it hangs (kill -CONT {id} wakes it)\n    \
         kill -USR1 {id}    it stops the workspace\n"
    );
}
