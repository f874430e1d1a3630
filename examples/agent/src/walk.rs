//! The walk: ends a connection at every site of the agent, in every way that the site knows.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use russh::ChannelMsg;
use slog::o;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::context::Context;
use crate::control::ControlPlane;
use crate::coordinator::Coordinator;
use crate::log::{Lines, SCENE, recording_logger};
use crate::login::new_key;
use crate::paper::{Paragraph, Style, is_colourful};
use crate::serve::dial_failed;
use crate::ssh::Limits;

mod client;
mod summary;

use client::{Network, Ssh, goodbye, running_command, terminal, until_closed};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_millis(200);
const PING_INTERVAL: Duration = Duration::from_secs(5);

const INTRODUCTION: &str = "Real sockets, processes and signals, all on this machine. In the lines, \
    coderd is the server that agents report to (here: the coordinator); derp are its relays, for \
    packets that find no direct way, and the agent follows their map; JetBrains is an IDE whose \
    channels the agent forwards through SSH.";

const NEXT: &str = "\nNext: `cargo run -p agent -- serve` is an agent that you can log in to and break \
    by hand; `cargo run -p agent -- --json` prints the same lines for machines.";

pub(crate) async fn run(json: bool) -> Result {
    let (log, lines) = recording_logger(json);
    let walk = Walk {
        log,
        lines,
        json,
        scenes: Mutex::default(),
    };
    walk.print(INTRODUCTION, Style::Plain);
    tokio::select! {
        walked = walk.all() => walked?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            return Err("interrupted".into());
        }
    }
    let scenes = walk.scenes.lock().unwrap_or_else(PoisonError::into_inner);
    let table = summary::table(&walk.lines, &scenes);
    if json {
        eprintln!("{table}");
    } else {
        println!("\n{table}");
    }
    walk.print(summary::LEGEND, Style::Plain);
    walk.print(NEXT, Style::Plain);
    Ok(())
}

struct Walk {
    log: slog::Logger,
    lines: Lines,
    json: bool,
    scenes: Mutex<Vec<&'static str>>,
}

impl Walk {
    async fn all(&self) -> Result {
        self.no_coordinator().await?;
        self.calls_finished().await?;
        self.coordinator_restarts().await?;
        self.coordinator_is_killed().await?;
        self.agent_leaves().await?;
        self.coordinator_hangs().await?;
        self.commands_end().await?;
        self.no_such_subsystem().await?;
        self.login_refused().await?;
        self.client_never_logs_in().await?;
        self.client_leaves().await?;
        self.network_resets().await?;
        self.two_tabs().await?;
        self.channels_close().await?;
        self.workspace_stops().await?;
        self.agent_shuts_down_under_a_session().await?;
        self.terminals().await
    }

    fn print(&self, text: &str, style: Style) {
        if !self.json {
            let paragraph = Paragraph::new(0, is_colourful()).add(text, style);
            println!("{}", paragraph.into_text());
        }
    }

    /// Announces what happens next in the world, and returns an agent to which it happens.
    fn scene(&self, title: &'static str, sentence: &str) -> Context {
        let number = {
            let mut scenes = self.scenes.lock().unwrap_or_else(PoisonError::into_inner);
            scenes.push(title);
            scenes.len()
        };
        if !self.json {
            println!();
            self.print(&format!("{number}. {title}"), Style::Bold);
            self.print(sentence, Style::Plain);
            println!();
        }
        Context::new(self.log.new(o!(SCENE => title)))
    }

    async fn until_logged(&self, message: &str, scene: &str) {
        let is_it = |line: &str| line.contains(message) && line.contains(scene);
        while !self.lines.text().lines().any(is_it) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn no_coordinator(&self) -> Result {
        let context = self.scene(
            "no coordinator",
            "The agent dials a coordinator that is not there: nothing is established, so nothing \
             ends, and the line carries no disconnect fields.",
        );
        let free = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            listener.local_addr()?.to_string()
        };
        match ControlPlane::open(&context, &free, PING_INTERVAL).await {
            Ok(_) => Err("the port was taken".into()),
            Err(error) => {
                dial_failed(&context.log, &error);
                Ok(())
            }
        }
    }

    async fn calls_finished(&self) -> Result {
        let context = self.scene(
            "calls finished",
            "The coordinator finishes both calls, then closes the connection below them \
             (WebSocket 1000).",
        );
        let (coordinator, mut control) = open(&context).await?;
        coordinator.signal(Signal::SIGUSR2)?;
        control.ended().await;
        Ok(())
    }

    async fn coordinator_restarts(&self) -> Result {
        let context = self.scene(
            "coordinator restarts",
            "The coordinator gets a SIGTERM and announces that it goes away (WebSocket 1001). \
             What ran over the connection has its cause from there, and carries an origin.",
        );
        let (coordinator, mut control) = open(&context).await?;
        coordinator.end(Signal::SIGTERM).await?;
        control.ended().await;
        Ok(())
    }

    async fn coordinator_is_killed(&self) -> Result {
        let context = self.scene(
            "coordinator killed",
            "The coordinator is killed (SIGKILL), and its kernel closes the connection without a \
             word; then the agent shuts down.",
        );
        let (coordinator, mut control) = open(&context).await?;
        coordinator.end(Signal::SIGKILL).await?;
        control.ended().await;
        context.shut_down();
        control.close(PATIENCE).await;
        Ok(())
    }

    async fn agent_leaves(&self) -> Result {
        let context = self.scene(
            "agent leaves",
            "The agent shuts down, and the coordinator answers its goodbye.",
        );
        let (_coordinator, control) = open(&context).await?;
        context.shut_down();
        control.close(PATIENCE).await;
        Ok(())
    }

    async fn coordinator_hangs(&self) -> Result {
        let context = self.scene(
            "coordinator hangs",
            "The agent shuts down, but the coordinator hangs (SIGSTOP) and never answers.",
        );
        let (coordinator, control) = open(&context).await?;
        coordinator.hang()?;
        context.shut_down();
        control.close(PATIENCE).await;
        Ok(())
    }

    async fn commands_end(&self) -> Result {
        for (title, sentence, command) in [
            ("exit 0", "A command ends with status 0.", "exit 0"),
            ("exit 7", "A command ends with status 7.", "exit 7"),
            (
                "command killed",
                "A command is killed by a signal.",
                "kill -KILL $$",
            ),
        ] {
            let sentence = format!("{sentence} Its client leaves politely afterwards.");
            let ssh = Ssh::start(&self.scene(title, &sentence)).await?;
            let client = ssh.connect().await?;
            let channel = client.channel_open_session().await?;
            channel.exec(true, command).await?;
            until_closed(channel).await;
            goodbye(&client).await?;
            ssh.all_ended().await;
        }
        Ok(())
    }

    async fn no_such_subsystem(&self) -> Result {
        let context = self.scene(
            "no such subsystem",
            "A client asks for file transfer (sftp), which this agent does not offer.",
        );
        let ssh = Ssh::start(&context).await?;
        let client = ssh.connect().await?;
        let mut channel = client.channel_open_session().await?;
        channel.request_subsystem(true, "sftp").await?;
        while !matches!(channel.wait().await, Some(ChannelMsg::Failure) | None) {}
        goodbye(&client).await?;
        ssh.all_ended().await;
        Ok(())
    }

    async fn login_refused(&self) -> Result {
        let context = self.scene(
            "login refused",
            "A client shows a key that the agent does not know, and hangs up.",
        );
        let ssh = Ssh::start(&context).await?;
        if ssh.connect_with(new_key()?, &Network::new()).await.is_ok() {
            return Err("a stranger was let in".into());
        }
        ssh.all_ended().await;
        Ok(())
    }

    async fn client_never_logs_in(&self) -> Result {
        let context = self.scene(
            "client says nothing",
            "A client connects and then sends nothing, longer than a login may take.",
        );
        let limits = Limits {
            login: PATIENCE,
            ..Limits::default()
        };
        let ssh = Ssh::start_with(&context, limits).await?;
        let mut socket = ssh.dial().await?;
        let _ = socket.read_to_end(&mut Vec::new()).await;
        ssh.all_ended().await;
        Ok(())
    }

    async fn client_leaves(&self) -> Result {
        let context = self.scene(
            "client leaves",
            "A client leaves politely while its command runs; the command is hung up on.",
        );
        let ssh = Ssh::start(&context).await?;
        let client = ssh.connect().await?;
        let _channel = running_command(&client).await?;
        goodbye(&client).await?;
        ssh.all_ended().await;
        Ok(())
    }

    async fn network_resets(&self) -> Result {
        let context = self.scene(
            "network resets",
            "The network between client and agent loses its state and resets the connection.",
        );
        let ssh = Ssh::start(&context).await?;
        let network = Network::new();
        let client = ssh.connect_over(&network).await?;
        let _channel = running_command(&client).await?;
        network.reset();
        ssh.all_ended().await;
        Ok(())
    }

    async fn two_tabs(&self) -> Result {
        let context = self.scene(
            "two tabs",
            "A user with two tabs closes one; then the network resets the connection. The first \
             end does not explain the second, and the outage is one line without an origin.",
        );
        let ssh = Ssh::start(&context).await?;
        let network = Network::new();
        let client = ssh.connect_over(&network).await?;
        let one = running_command(&client).await?;
        let _other = running_command(&client).await?;
        one.close().await?;
        self.until_logged("ssh session closed", "two tabs").await;
        network.reset();
        ssh.all_ended().await;
        Ok(())
    }

    async fn channels_close(&self) -> Result {
        let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = u32::from(target.local_addr()?.port());
        for (title, sentence, reset) in [
            (
                "channel closed",
                "The target of a forwarded channel closes it.",
                false,
            ),
            (
                "channel reset",
                "The target of a forwarded channel resets its connection.",
                true,
            ),
        ] {
            let ssh = Ssh::start(&self.scene(title, sentence)).await?;
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

    async fn workspace_stops(&self) -> Result {
        let context = self.scene(
            "workspace stopped",
            "The server stops the workspace under an open SSH session; then the agent shuts down.",
        );
        let ssh = Ssh::start(&context).await?;
        let (coordinator, control) = open(&context).await?;
        let client = ssh.connect().await?;
        let channel = running_command(&client).await?;
        coordinator.signal(Signal::SIGUSR1)?;
        until_closed(channel).await;
        ssh.all_ended().await;
        context.shut_down();
        control.close(PATIENCE).await;
        Ok(())
    }

    async fn agent_shuts_down_under_a_session(&self) -> Result {
        let context = self.scene(
            "agent shuts down",
            "The agent shuts down under an open SSH session, whose command is hung up on.",
        );
        let ssh = Ssh::start(&context).await?;
        let client = ssh.connect().await?;
        let channel = running_command(&client).await?;
        context.shut_down();
        until_closed(channel).await;
        ssh.all_ended().await;
        Ok(())
    }

    async fn terminals(&self) -> Result {
        let context = self.scene(
            "terminal's shell exits",
            "The shell of a reconnecting terminal exits.",
        );
        let (mut client, serving) = terminal(&context).await?;
        client.write_all(b"exit\n").await?;
        client.read_to_end(&mut Vec::new()).await?;
        serving.await?;

        let context = self.scene(
            "terminal reset",
            "The client of a reconnecting terminal resets its connection.",
        );
        let (client, serving) = terminal(&context).await?;
        SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        drop(client);
        serving.await?;

        let context = self.scene(
            "terminal cut off",
            "The agent shuts down under a reconnecting terminal.",
        );
        let (_client, serving) = terminal(&context).await?;
        context.shut_down();
        serving.await?;
        Ok(())
    }
}

/// A coordinator, and the control plane of an agent that reports to it.
async fn open(context: &Context) -> Result<(Coordinator, ControlPlane)> {
    let coordinator = Coordinator::start().await?;
    let control = ControlPlane::open(context, &coordinator.address(), PING_INTERVAL).await?;
    Ok((coordinator, control))
}
