//! The walk: ends a connection at every site of the agent, in every way that the site knows.

use std::error::Error;
use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, Color, Table};
use disconnect_attribution::Disconnect;
use nix::sys::signal::Signal;
use russh::client;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, Disconnect as Goodbye};
use serde_derive::Deserialize;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::control::{Context, ControlPlane};
use crate::coordinator::Coordinator;
use crate::log::{Lines, recording_logger};
use crate::pty;
use crate::serve::{dial_failed, new_key};
use crate::ssh::SshServer;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_millis(200);
const PING_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) async fn run(json: bool) -> Result {
    let (log, lines) = recording_logger(json);
    let walk = Walk { log, json };
    tokio::select! {
        walked = walk.all() => walked?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            return Err("interrupted".into());
        }
    }
    let table = summary(&lines);
    if json {
        eprintln!("{table}");
    } else {
        println!("\n{table}");
    }
    Ok(())
}

struct Walk {
    log: slog::Logger,
    json: bool,
}

impl Walk {
    async fn all(&self) -> Result {
        self.dial_nobody().await?;
        self.control_planes().await?;
        self.ssh_sessions().await?;
        self.terminals().await
    }

    /// Says what happens next.
    fn scene(&self, title: &str) {
        if !self.json {
            println!("\n-- {title}");
        }
    }

    fn context(&self) -> Context {
        Context::new(self.log.clone())
    }

    async fn dial_nobody(&self) -> Result {
        self.scene("the coordinator is not there: nothing is established, so nothing ends");
        let nobody = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            listener.local_addr()?.to_string()
        };
        match ControlPlane::open(&self.context(), &nobody, PING_INTERVAL).await {
            Ok(_) => Err("somebody took the port".into()),
            Err(error) => {
                dial_failed(&self.log, &error);
                Ok(())
            }
        }
    }

    async fn open(&self, context: &Context) -> Result<(Coordinator, ControlPlane)> {
        let coordinator = Coordinator::start().await?;
        let control = ControlPlane::open(context, &coordinator.address(), PING_INTERVAL).await?;
        Ok((coordinator, control))
    }

    async fn control_planes(&self) -> Result {
        self.scene("the coordinator ends its calls one by one (WebSocket 1000)");
        let (coordinator, mut control) = self.open(&self.context()).await?;
        coordinator.signal(Signal::SIGUSR2)?;
        control.ended().await;

        self.scene("the coordinator restarts (SIGTERM, WebSocket 1001)");
        let (coordinator, mut control) = self.open(&self.context()).await?;
        coordinator.end(Signal::SIGTERM).await?;
        control.ended().await;

        self.scene("the coordinator is killed (SIGKILL); then the agent shuts down");
        let (coordinator, mut control) = self.open(&self.context()).await?;
        coordinator.end(Signal::SIGKILL).await?;
        control.ended().await;
        control.close(PATIENCE).await;

        self.scene("the agent shuts down, and the coordinator answers its goodbye");
        let (_coordinator, control) = self.open(&self.context()).await?;
        control.close(PATIENCE).await;

        self.scene("the agent shuts down, and the coordinator hangs (SIGSTOP)");
        let (coordinator, control) = self.open(&self.context()).await?;
        coordinator.hang()?;
        control.close(PATIENCE).await;
        Ok(())
    }

    async fn ssh_sessions(&self) -> Result {
        let context = self.context();
        let ssh = Ssh::start(&context).await?;
        for (title, command) in [
            ("an SSH session exits with status 0", "exit 0"),
            ("an SSH session exits with status 7", "exit 7"),
            ("an SSH session is killed by a signal", "kill -KILL $$"),
        ] {
            self.scene(title);
            ssh.exec_to_the_end(command).await?;
        }

        self.scene("an SSH client asks for a subsystem that is not there");
        let client = ssh.connect().await?;
        let mut channel = client.channel_open_session().await?;
        channel.request_subsystem(true, "sftp").await?;
        while !matches!(channel.wait().await, Some(ChannelMsg::Failure) | None) {}
        goodbye(&client).await?;

        self.scene("an SSH client says goodbye while its command runs");
        let client = ssh.connect().await?;
        let _channel = running_command(&client).await?;
        goodbye(&client).await?;
        ssh.all_ended().await;

        self.scene("an SSH client's network resets the connection");
        let network = CancellationToken::new();
        let client = ssh.connect_over(&network).await?;
        let _channel = running_command(&client).await?;
        network.cancel();
        ssh.all_ended().await;

        self.forwarded_channels(&ssh).await?;

        self.scene("the workspace is stopped under an open SSH session");
        let stopped = self.context();
        let other = Ssh::start(&stopped).await?;
        let (coordinator, control) = self.open(&stopped).await?;
        let client = other.connect().await?;
        let channel = running_command(&client).await?;
        coordinator.signal(Signal::SIGUSR1)?;
        until_closed(channel).await;
        goodbye(&client).await?;
        control.close(PATIENCE).await;

        self.scene("the agent shuts down under an open SSH session");
        let client = ssh.connect().await?;
        let channel = running_command(&client).await?;
        context.shutdown.cancel();
        until_closed(channel).await;
        ssh.serving.await??;
        Ok(())
    }

    async fn forwarded_channels(&self, ssh: &Ssh) -> Result {
        let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = u32::from(target.local_addr()?.port());
        for (title, reset) in [
            ("a forwarded channel is closed", false),
            ("a forwarded channel's target resets the connection", true),
        ] {
            self.scene(title);
            let client = ssh.connect().await?;
            let channel = client
                .channel_open_direct_tcpip("127.0.0.1", port, "127.0.0.1", 0)
                .await?;
            let (socket, _) = target.accept().await?;
            if reset {
                SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
            }
            drop(socket);
            channel.eof().await?;
            until_closed(channel).await; // the agent logs the end before it closes
            goodbye(&client).await?;
            ssh.all_ended().await;
        }
        Ok(())
    }

    async fn terminals(&self) -> Result {
        self.scene("a reconnecting terminal's shell exits");
        let context = self.context();
        let (mut client, serving) = terminal(&context).await?;
        client.write_all(b"exit\n").await?;
        client.read_to_end(&mut Vec::new()).await?;
        serving.await?;

        self.scene("a reconnecting terminal's peer resets the connection");
        let (client, serving) = terminal(&context).await?;
        SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        drop(client);
        serving.await?;

        self.scene("the agent shuts down under a reconnecting terminal");
        let (_client, serving) = terminal(&context).await?;
        context.shutdown.cancel();
        serving.await?;
        Ok(())
    }
}

/// Opens a terminal for this process alone: it is a shell without a password.
async fn terminal(context: &Context) -> Result<(TcpStream, JoinHandle<()>)> {
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

type Client = client::Handle<TrustingClient>;

/// The agent's SSH server, and the way in.
struct Ssh {
    server: SshServer,
    serving: JoinHandle<std::io::Result<()>>,
    address: SocketAddr,
    client_key: Arc<PrivateKey>,
}

impl Ssh {
    async fn start(context: &Context) -> Result<Self> {
        let (client_key, host_key) = (new_key()?, new_key()?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = SshServer::new(context, host_key, client_key.public_key().clone());
        let serving = tokio::spawn(server.clone().serve(listener));
        Ok(Self {
            server,
            serving,
            address,
            client_key: Arc::new(client_key),
        })
    }

    async fn connect(&self) -> Result<Client> {
        self.connect_over(&CancellationToken::new()).await
    }

    /// Connects over a network that loses its state, and so resets, when it is cancelled.
    async fn connect_over(&self, network: &CancellationToken) -> Result<Client> {
        let mut socket = TcpStream::connect(self.address).await?;
        let (stream, mut far_end) = tokio::io::duplex(64 * 1024);
        let network = network.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = copy_bidirectional(&mut far_end, &mut socket) => {}
                () = network.cancelled() => {
                    let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                }
            }
        });
        let mut client = client::connect_stream(Arc::default(), stream, TrustingClient).await?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.client_key), None);
        if client.authenticate_publickey("agent", key).await?.success() {
            Ok(client)
        } else {
            Err("the agent does not know its own key".into())
        }
    }

    async fn exec_to_the_end(&self, command: &str) -> Result {
        let client = self.connect().await?;
        let channel = client.channel_open_session().await?;
        channel.exec(true, command).await?;
        until_closed(channel).await;
        goodbye(&client).await?;
        self.all_ended().await;
        Ok(())
    }

    /// Waits until the agent has logged every end.
    async fn all_ended(&self) {
        self.server.all_ended().await;
    }
}

/// Starts a command that runs until somebody ends it, and returns when it is up.
async fn running_command(client: &Client) -> Result<russh::Channel<client::Msg>> {
    let mut channel = client.channel_open_session().await?;
    channel.exec(true, "echo up; exec sleep 600").await?;
    while !matches!(channel.wait().await, Some(ChannelMsg::Data { .. }) | None) {}
    Ok(channel)
}

async fn until_closed(mut channel: russh::Channel<client::Msg>) {
    while channel.wait().await.is_some() {}
}

async fn goodbye(client: &Client) -> Result {
    client.disconnect(Goodbye::ByApplication, "bye", "").await?;
    Ok(())
}

/// Talks to an agent of this very process, so any key is the right one.
struct TrustingClient;

impl client::Handler for TrustingClient {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> std::result::Result<bool, russh::Error> {
        Ok(true)
    }
}

/// A log line that tells of an end, read back from the agent's own JSON.
#[derive(Deserialize)]
struct Line {
    msg: String,
    #[serde(flatten)]
    end: Disconnect,
}

fn summary(lines: &Lines) -> Table {
    let mut table = Table::new();
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_header(["site", "reason", "initiator", "expected"]);
    let text = lines.text();
    // Lines about something else have no disconnect fields.
    for line in text
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok())
    {
        let expected = if line.end.expected() {
            Cell::new("yes")
        } else if colour {
            Cell::new("look")
                .fg(Color::Yellow)
                .add_attribute(Attribute::Bold)
        } else {
            Cell::new("look")
        };
        let initiator = line
            .end
            .initiator()
            .map_or("", |initiator| initiator.as_str());
        table.add_row([
            Cell::new(line.msg),
            Cell::new(line.end.reason()),
            Cell::new(initiator),
            expected,
        ]);
    }
    table
}
