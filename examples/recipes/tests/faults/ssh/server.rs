//! A small SSH server on the recipes: who may log in, and what may be asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard};
use recipes::russh_connection::{self, Carrier};
use recipes::russh_forward::{dial, forward};
use recipes::russh_phase::Phases;
use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Error};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::session::run_session;

/// The log statement: a message, and the end.
pub(crate) type Log = Arc<dyn Fn(&'static str, Disconnect) + Send + Sync>;

/// What connections share.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) agent: Cause,
    /// OpenSSH asks for the method `none` first, and russh answers each refusal after
    /// `auth_rejection_time`, 1 s by default: set `auth_rejection_time_initial` to
    /// `Some(Duration::ZERO)`.
    pub(crate) config: Arc<Config>,
    /// How long a client has to log in, with its passphrases: OpenSSH's server allows 120 s
    /// (`LoginGraceTime`).
    pub(crate) login_time: Duration,
    pub(crate) client_key: PublicKey,
    /// What a command becomes, such as `sh -c`.
    pub(crate) command: fn(&str) -> Command,
    /// Starts a subsystem, such as `sftp`; false if there is none of this name.
    pub(crate) subsystem: fn(&str) -> bool,
    /// Sessions and forwarded channels, so that a drain can wait for them.
    pub(crate) tasks: Arc<Mutex<JoinSet<()>>>,
    pub(crate) log: Log,
}

fn guard(log: Log, message: &'static str, over: &Cause) -> DisconnectGuard<impl FnOnce(Disconnect) + use<>> {
    // Many over one: a child.
    DisconnectGuard::new(AgentToClient, move |end| log(message, end)).with_cause(over.child())
}

pub(crate) async fn serve(socket: TcpStream, site: Site) {
    let guard = guard(site.log.clone(), "ssh connection closed", &site.agent);
    let (config, login_time) = (site.config.clone(), site.login_time);
    let handler = |carrier| Connection { site, carrier, opened: HashMap::new() };
    russh_connection::serve(socket, guard, config, login_time, handler, async {}).await;
}

/// What russh calls for each request of one client. Its drop means nothing: it may come before
/// the cause.
struct Connection {
    site: Site,
    carrier: Carrier,
    /// Channels whose clients have not asked for a command yet.
    opened: HashMap<ChannelId, Channel<Msg>>,
}

impl Connection {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let open = Phases::open(&self.carrier.phases);
        let mut tasks = self.site.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {} // what has ended takes no memory
        tasks.spawn(async move {
            let _open = open;
            task.await;
        });
    }
}

impl Handler for Connection {
    type Error = Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Error> {
        self.carrier.phases.asked();
        Ok(None)
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        Ok(if key.public_key.key_data() == self.site.client_key.key_data() {
            Auth::Accept
        } else {
            Auth::reject()
        })
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

    /// Nothing takes what comes before a command, and a full channel holds up the others.
    async fn data(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Error> {
        match self.opened.remove(&id) {
            Some(_) => session.close(id),
            None => Ok(()),
        }
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.opened.remove(&id);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        let Some(channel) = self.opened.remove(&id) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let (new, text) = (self.site.command, String::from_utf8_lossy(command).into_owned());
        let carrier = self.carrier.clone();
        let guard = guard(self.site.log.clone(), "ssh session closed", &carrier.cause);
        self.spawn(async move {
            run_session(channel, move || new(&text), guard, &carrier).await;
        });
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        if (self.site.subsystem)(name) { session.channel_success(id) } else { session.channel_failure(id) }
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
        let (carrier, log) = (self.carrier.clone(), self.site.log.clone());
        let host = host.to_owned();
        self.spawn(async move {
            // A dial that fails ends nothing: the dropped reply refuses the channel.
            let Some(target) = dial(host, port, &carrier).await else {
                return;
            };
            reply.accept().await;
            let guard = guard(log, "forwarded channel closed", &carrier.cause);
            forward(channel, target, guard, &carrier).await;
        });
        Ok(())
    }
}
