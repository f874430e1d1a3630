//! Scenes of the agent's clients: SSH sessions, forwarded channels and terminals.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::Signal;
use russh::ChannelMsg;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::control::open;
use super::world::{Ssh, goodbye, log_in, running_command, terminal, until_closed};
use super::{PATIENCE, Result, Walk};
use crate::login::new_key;

/// How long a client may take to log in.
const LOGIN_TIME: Duration = Duration::from_secs(30);

impl Walk {
    /// A scene over SSH, which is over when all has ended.
    async fn ssh(&self, title: &'static str, sentence: &str) -> Result<Ssh> {
        Ssh::start(self.scene(title, sentence), LOGIN_TIME).await
    }

    pub(super) async fn sessions_and_logins(&self) -> Result {
        for (title, sentence, command) in [
            ("exit 0", "A command ends with status 0.", "exit 0"),
            ("exit 7", "A command ends with status 7.", "exit 7"),
            ("command killed", "A command is killed by a signal.", "kill -KILL $$"),
        ] {
            let sentence = format!("{sentence} Its client leaves politely afterwards.");
            let ssh = self.ssh(title, &sentence).await?;
            let client = ssh.connect().await?;
            let channel = client.channel_open_session().await?;
            channel.exec(true, command).await?;
            until_closed(channel).await;
            goodbye(&client).await?;
            ssh.all_ended().await;
        }

        let sentence = "A client asks for file transfer (sftp), which this agent does not offer.";
        let ssh = self.ssh("no such subsystem", sentence).await?;
        let client = ssh.connect().await?;
        let mut channel = client.channel_open_session().await?;
        channel.request_subsystem(true, "sftp").await?;
        while !matches!(channel.wait().await, Some(ChannelMsg::Failure) | None) {}
        goodbye(&client).await?;
        ssh.all_ended().await;

        let sentence = "A client shows a key that the agent does not know, and hangs up.";
        let ssh = self.ssh("login refused", sentence).await?;
        if log_in(ssh.dial().await?, new_key()?).await.is_ok() {
            return Err("a stranger was let in".into());
        }
        ssh.all_ended().await;

        let sentence = "A client connects and then sends nothing, longer than a login may take.";
        let ssh = Ssh::start(self.scene("silent client", sentence), PATIENCE).await?;
        let _ = ssh.dial().await?.read_to_end(&mut Vec::new()).await;
        ssh.all_ended().await;
        Ok(())
    }

    pub(super) async fn connections_and_channels(&self) -> Result {
        let sentence = "A client leaves politely while its command runs; the command is hung up on.";
        let ssh = self.ssh("client leaves", sentence).await?;
        let client = ssh.connect().await?;
        let _channel = running_command(&client).await?;
        goodbye(&client).await?;
        ssh.all_ended().await;

        let sentence = "The network between client and agent loses its state and resets the connection.";
        let ssh = self.ssh("network resets", sentence).await?;
        let (client, network) = ssh.connect_over_a_network().await?;
        let _channel = running_command(&client).await?;
        drop(network);
        ssh.all_ended().await;

        let sentence = "A user with two tabs closes one; then the network resets the connection. The first \
            end does not explain the second, and the outage is one line without an origin.";
        let ssh = self.ssh("two tabs", sentence).await?;
        let (client, network) = ssh.connect_over_a_network().await?;
        let one = running_command(&client).await?;
        let _other = running_command(&client).await?;
        let mut logged = self.logged.clone();
        logged.mark_unchanged();
        one.close().await?;
        logged.changed().await?; // its session has ended
        drop(network);
        ssh.all_ended().await;

        let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = u32::from(target.local_addr()?.port());
        for (title, sentence, is_reset) in [
            ("channel closed", "The target of a forwarded channel closes it.", false),
            ("channel reset", "The target of a forwarded channel resets its connection.", true),
        ] {
            let ssh = self.ssh(title, sentence).await?;
            let client = ssh.connect().await?;
            let mut channel = client.channel_open_direct_tcpip("127.0.0.1", port, "127.0.0.1", 0).await?;
            let (socket, _) = target.accept().await?;
            if is_reset {
                SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
            }
            drop(socket);
            // Not before the target's own end has come through: who stopped first is the cause.
            while !matches!(channel.wait().await, Some(ChannelMsg::Eof | ChannelMsg::Close) | None) {}
            let _ = channel.eof().await;
            until_closed(channel).await; // the agent logs the end before it closes
            goodbye(&client).await?;
            ssh.all_ended().await;
        }
        Ok(())
    }

    pub(super) async fn this_side_and_terminals(&self) -> Result {
        let sentence = "The server stops the workspace under an open SSH session; then the agent shuts down.";
        let ssh = self.ssh("workspace stopped", sentence).await?;
        let (coordinator, control) = open(&ssh.context).await?;
        let client = ssh.connect().await?;
        let channel = running_command(&client).await?;
        coordinator.signal(Signal::SIGUSR1)?;
        until_closed(channel).await;
        ssh.all_ended().await;
        ssh.context.shut_down();
        control.close(PATIENCE).await;

        let sentence = "The agent shuts down under an open SSH session, whose command is hung up on.";
        let ssh = self.ssh("agent shuts down", sentence).await?;
        let client = ssh.connect().await?;
        let channel = running_command(&client).await?;
        ssh.context.shut_down();
        until_closed(channel).await;
        ssh.all_ended().await;

        let context = self.scene("terminal's shell exits", "The shell of a reconnecting terminal exits.");
        let (mut client, serving) = terminal(&context).await?;
        client.write_all(b"exit\n").await?;
        client.read_to_end(&mut Vec::new()).await?;
        serving.await?;

        let context =
            self.scene("terminal reset", "The client of a reconnecting terminal resets its connection.");
        let (client, serving) = terminal(&context).await?;
        SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        drop(client);
        serving.await?;

        let context = self.scene("terminal cut off", "The agent shuts down under a reconnecting terminal.");
        let (_client, serving) = terminal(&context).await?;
        context.shut_down();
        serving.await?;
        Ok(())
    }
}
