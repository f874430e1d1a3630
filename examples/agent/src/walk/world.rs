//! The other side of the walk's connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use russh::client;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, Disconnect as Goodbye};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::Result;
use crate::context::Context;
use crate::login::new_key;
use crate::pty;
use crate::ssh::SshServer;

pub(super) type Client = client::Handle<TrustingClient>;

/// A network that loses its state when this is dropped, and resets what runs over it.
pub(super) type Network = AbortOnDropHandle<io::Result<(u64, u64)>>;

/// The agent's SSH server, and the way in.
pub(super) struct Ssh {
    pub(super) context: Context,
    server: SshServer,
    _serving: AbortOnDropHandle<()>,
    address: SocketAddr,
    client_key: PrivateKey,
}

impl Ssh {
    pub(super) async fn start(context: Context, login_time: Duration) -> Result<Self> {
        let (client_key, host_key) = (new_key()?, new_key()?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = SshServer::new(&context, host_key, client_key.public_key().clone(), login_time);
        let serving = AbortOnDropHandle::new(tokio::spawn(server.clone().serve(listener)));
        Ok(Self { context, server, _serving: serving, address, client_key })
    }

    pub(super) async fn dial(&self) -> Result<TcpStream> {
        Ok(TcpStream::connect(self.address).await?)
    }

    pub(super) async fn connect(&self) -> Result<Client> {
        log_in(self.dial().await?, self.client_key.clone()).await
    }

    pub(super) async fn connect_over_a_network(&self) -> Result<(Client, Network)> {
        let mut socket = self.dial().await?;
        SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        let (near, mut far) = duplex(64 * 1024);
        let network = tokio::spawn(async move { copy_bidirectional(&mut far, &mut socket).await });
        Ok((log_in(near, self.client_key.clone()).await?, AbortOnDropHandle::new(network)))
    }

    /// Waits until the agent has logged every end.
    pub(super) async fn all_ended(&self) {
        self.server.all_ended().await;
    }
}

pub(super) async fn log_in(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    key: PrivateKey,
) -> Result<Client> {
    let mut client = client::connect_stream(Arc::default(), stream, TrustingClient).await?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    if client.authenticate_publickey("agent", key).await?.success() {
        Ok(client)
    } else {
        Err("login refused".into())
    }
}

/// Starts a command that runs until it is ended from outside, and returns when it is up.
pub(super) async fn running_command(client: &Client) -> Result<russh::Channel<client::Msg>> {
    let mut channel = client.channel_open_session().await?;
    channel.exec(true, "echo up; exec sleep 600").await?;
    while !matches!(channel.wait().await, Some(ChannelMsg::Data { .. }) | None) {}
    Ok(channel)
}

pub(super) async fn until_closed(mut channel: russh::Channel<client::Msg>) {
    while channel.wait().await.is_some() {}
}

pub(super) async fn goodbye(client: &Client) -> Result {
    client.disconnect(Goodbye::ByApplication, "bye", "").await?;
    Ok(())
}

/// Connects to an agent of this very process, so any host key is the right one.
pub(super) struct TrustingClient;

impl client::Handler for TrustingClient {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> std::result::Result<bool, russh::Error> {
        Ok(true)
    }
}

/// Opens a terminal for this process alone: it is a shell without a password.
pub(super) async fn terminal(context: &Context) -> Result<(TcpStream, JoinHandle<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let socket = loop {
        let (socket, peer) = listener.accept().await?;
        if peer == client.local_addr()? {
            break socket;
        }
    };
    let context = context.clone();
    let serving = tokio::spawn(async move { pty::serve(&context, socket).await });
    client.read_u8().await?; // the shell's prompt: it is up
    Ok((client, serving))
}
