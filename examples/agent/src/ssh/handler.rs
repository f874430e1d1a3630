//! What russh calls for each request of one client.

use std::collections::HashMap;
use std::future::pending;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectReason, Initiator};
use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelMsg, ChannelOpenFailure, ChannelReadHalf};
use slog::info;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::Connection;
use super::phase::{Phase, Phases};
use crate::process::Input;

/// A session's channel before its client asks for a command.
pub(super) struct Opened {
    pub(super) channel: Channel<Msg>,
    pub(super) terminal: Option<pty_process::Size>,
}

pub(super) struct ClientHandler {
    connection: Connection,
    client_key: PublicKey,
    /// Given back when the client has logged in.
    half_open: Option<OwnedSemaphorePermit>,
    opened: HashMap<ChannelId, Opened>,
}

impl ClientHandler {
    pub(super) fn new(
        connection: Connection,
        client_key: PublicKey,
        half_open: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            connection,
            client_key,
            half_open: Some(half_open),
            opened: HashMap::new(),
        }
    }

    fn judge(&self, key: &PublicKey) -> Auth {
        if key.key_data() == self.client_key.key_data() {
            self.connection.phases.enter(Phase::Handshake);
            Auth::Accept
        } else {
            self.refuse()
        }
    }

    /// A client that leaves now leaves because of this.
    fn refuse(&self) -> Auth {
        self.connection.phases.enter(Phase::Refused);
        Auth::reject()
    }

    fn start(
        &mut self,
        channel: ChannelId,
        command: Option<String>,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(opened) = self.opened.remove(&channel) else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        let client = session.handle();
        self.connection
            .spawn(|connection, run| connection.session(opened, command, client, run));
        Ok(())
    }
}

impl Handler for ClientHandler {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, russh::Error> {
        Ok(self.refuse())
    }

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(key.public_key))
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), russh::Error> {
        self.half_open = None;
        self.connection.phases.enter(Phase::LoggedIn);
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.opened.insert(
            channel.id(),
            Opened {
                channel,
                terminal: None,
            },
        );
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(opened) = self.opened.get_mut(&channel) else {
            return session.channel_failure(channel);
        };
        let clamp = |cells: u32| u16::try_from(cells).unwrap_or(u16::MAX);
        opened.terminal = Some(pty_process::Size::new(clamp(rows), clamp(columns)));
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.start(channel, Some(command), session)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, None, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let end = Disconnect::new(AgentToClient, DisconnectReason::Rejected)
            .with_initiator(Initiator::Agent)
            .with_detail(format!("unsupported subsystem: {name}"));
        info!(self.connection.log, "ssh session closed"; end);
        drop(Phases::run(&self.connection.phases));
        self.opened.remove(&channel);
        session.channel_failure(channel)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let target = (host.to_owned(), u16::try_from(port).unwrap_or_default());
        self.connection.spawn(|connection, run| async move {
            match TcpStream::connect(target).await {
                Ok(target) => {
                    reply.accept().await;
                    connection.forward(channel.into_stream(), target, run).await;
                }
                // Never established, so nothing ends.
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }
}

/// Passes on what the client sends, until it closes the channel.
///
/// A channel that is gone without that went with its connection, whose cause knows more.
pub(super) async fn closed_by_client(mut client: ChannelReadHalf, mut input: Option<Input>) {
    while let Some(message) = client.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(open) = &mut input
                    && open.write_all(&data).await.is_err()
                {
                    input = None;
                }
            }
            ChannelMsg::Eof => input = None,
            ChannelMsg::Close => return,
            _ => {}
        }
    }
    pending::<()>().await;
}
