//! A small SSH server on the recipes: who may log in, and what may be asked for.

use std::collections::HashMap;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectGuard, classify_session_exit};
use recipes::russh_channel::feed;
use recipes::russh_connection::{self, Carrier};
use recipes::russh_forward::{dial, forward};
use recipes::russh_phase::Phases;
use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Error};
use tokio::io::copy;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::mpsc::UnboundedSender;

use crate::lines::Lines;
use crate::site::World;

/// How long a client has to log in.
const LOGIN_TIME: Duration = Duration::from_secs(1);

/// A session, or a forwarded channel.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) config: Arc<Config>,
    pub(super) client_key: PublicKey,
    pub(super) tasks: UnboundedSender<Task>,
}

pub(super) async fn serve(socket: TcpStream, world: World, shared: Shared) {
    let guard = DisconnectGuard::new(AgentToClient, world.connection.emit());
    let guard = guard.with_cause(world.agent.child());
    let config = Arc::clone(&shared.config);
    let handler = |carrier| Connection { lines: world.lines, shared, carrier, opened: HashMap::new() };
    russh_connection::serve(socket, guard, config, LOGIN_TIME, handler, async {}).await;
}

/// A guard of what runs over a connection. Many over one: a child.
fn guard(lines: &Lines, carrier: &Carrier) -> DisconnectGuard<impl FnOnce(Disconnect) + Send + use<>> {
    DisconnectGuard::new(AgentToClient, lines.emit()).with_cause(carrier.cause.child())
}

/// What russh calls for each request of one client. Its drop means nothing: it may come before the cause.
struct Connection {
    /// Those of what runs over it.
    lines: Lines,
    shared: Shared,
    carrier: Carrier,
    /// Channels whose clients have not asked for a command yet.
    opened: HashMap<ChannelId, Channel<Msg>>,
}

impl Connection {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let open = Phases::open(&self.carrier.phases);
        let sent = self.shared.tasks.send(Box::pin(async move {
            let _open = open;
            task.await;
        }));
        assert!(sent.is_ok(), "nothing runs it");
    }
}

impl Handler for Connection {
    type Error = Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Error> {
        self.carrier.phases.asked();
        Ok(None)
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        let is_known = key.public_key.key_data() == self.shared.client_key.key_data();
        Ok(if is_known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_succeeded(&mut self, _: &mut Session) -> Result<(), Error> {
        self.carrier.phases.logged_in();
        Ok(())
    }

    fn adjust_window(&mut self, _: ChannelId, _: u32) -> u32 {
        self.carrier.window()
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.opened.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        let Some(channel) = self.opened.remove(&id) else { return session.channel_failure(id) };
        session.channel_success(id)?;
        let command = String::from_utf8_lossy(command).into_owned();
        let (guard, carrier) = (guard(&self.lines, &self.carrier), self.carrier.clone());
        self.spawn(async move { run_session(channel, &command, guard, &carrier).await });
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        assert_ne!(name, "panic", "a bug");
        session.channel_failure(id)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        let (lines, carrier, host) = (self.lines.clone(), self.carrier.clone(), host.to_owned());
        self.spawn(async move {
            // A dial that fails ends nothing: the dropped reply refuses the channel.
            let Some(target) = dial(host, port, &carrier).await else { return };
            reply.accept().await;
            forward(channel, target, guard(&lines, &carrier), &carrier).await;
        });
        Ok(())
    }
}

/// One command, until it ends, its client does, or the connection.
async fn run_session<F: FnOnce(Disconnect)>(
    channel: Channel<Msg>,
    command: &str,
    guard: DisconnectGuard<F>,
    carrier: &Carrier,
) {
    assert_ne!(command, "panic", "a bug");
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = shell.spawn().expect("started");
    let (input, mut output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let (cause, (from_client, to_client)) = (guard.cause(), channel.split());
    let mut writer = to_client.make_writer();
    let finished = tokio::select! {
        biased; // a connection that has ended explains what became of the command
        _ = cause.ended() => None,
        () = feed(from_client, input, carrier, &cause) => None,
        (_, status) = async { tokio::join!(copy(&mut output, &mut writer), child.wait()) } => Some(status),
    };
    let status = if let Some(status) = finished {
        status
    } else {
        child.start_kill().expect("its own");
        child.wait().await
    };
    if let Some(code) = status.as_ref().ok().and_then(ExitStatus::code) {
        let _ = to_client.exit_status(code.unsigned_abs()).await;
    }
    let _ = to_client.close().await;
    guard.close(classify_session_exit(false, &status));
}
