//! Clients that are not let in, or that ask for what no command can be: russh's own client, since
//! OpenSSH's would not do as much.

use std::sync::Arc;

use russh::client::{self, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{ChannelMsg, Disconnect as Goodbye, Error};

use crate::agent::{Agent, CONNECTION, SESSION};
use crate::check;

struct Trusting;

impl client::Handler for Trusting {
    type Error = Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Error> {
        Ok(true)
    }
}

async fn connect(agent: &Agent) -> Handle<Trusting> {
    let config = client::Config { nodelay: true, ..Default::default() };
    let client = client::connect(Arc::new(config), agent.address(), Trusting).await;
    client.expect("connected")
}

#[tokio::test]
async fn a_brute_force_of_passwords_is_refused() {
    let mut agent = Agent::start();
    let mut client = connect(&agent).await;
    let mut tries = 0;
    while client.authenticate_password("root", "123456").await.is_ok() {
        tries += 1;
        assert!(tries < 100, "never sent away");
    }
    drop(client);
    check("SSH brute force of passwords", &agent.end(CONNECTION));
}

#[tokio::test]
async fn a_refused_client_that_waits_was_refused() {
    let mut agent = Agent::with(&["--login-time", "1000"]);
    let mut client = connect(&agent).await;
    let refused = client.authenticate_none("root").await;
    assert!(!refused.expect("answered").success());
    check("SSH client that waits after a refused login", &agent.end(CONNECTION));
}

#[tokio::test]
async fn a_goodbye_before_any_login_is_no_normal_operation() {
    let mut agent = Agent::start();
    let client = connect(&agent).await;
    let goodbye = client.disconnect(Goodbye::ByApplication, "bye", "").await;
    goodbye.expect("sent");
    let _ = client.await;
    check("SSH client says goodbye before it has logged in", &agent.end(CONNECTION));
}

async fn log_in(agent: &Agent) -> Handle<Trusting> {
    let mut client = connect(agent).await;
    let key = load_secret_key(agent.config().with_file_name("key"), None).expect("a key");
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    let login = client.authenticate_publickey("agent", key).await;
    assert!(login.expect("answered").success());
    client
}

#[tokio::test]
async fn a_command_with_a_nul_is_rejected() {
    let mut agent = Agent::start();
    let client = log_in(&agent).await;
    let mut channel = client.channel_open_session().await.expect("opened");
    channel.exec(true, "echo a\0b").await.expect("sent");
    let mut status = None;
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::ExitStatus { exit_status } = message {
            status = Some(exit_status);
        }
    }
    assert_eq!(status, Some(126));
    check("SSH command with a NUL", &agent.end(SESSION));
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn channels_that_ask_for_nothing_leave_nothing_behind() {
    let mut agent = Agent::start();
    let client = log_in(&agent).await;
    let mut before = 0;
    for channels in 0..4000 {
        if channels == 1000 {
            before = agent.resident();
        }
        let channel = client.channel_open_session().await.expect("opened");
        channel.close().await.expect("sent");
    }
    let kept = agent.resident().saturating_sub(before);
    assert!(kept < 750, "{kept} pages for 3000 channels");

    // What comes before a command has no consumer, and holds nothing up.
    let channel = client.channel_open_session().await.expect("opened");
    let flood = vec![0; 1 << 20];
    for _ in 0..8 {
        let sent = channel.data(&flood[..]);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(200), sent).await;
    }
    let mut other = client.channel_open_session().await.expect("opened");
    other.exec(true, "exit 7").await.expect("sent");
    while other.wait().await.is_some() {}
    check("SSH exit 7", &agent.end(SESSION));
}
