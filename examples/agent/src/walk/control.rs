//! Scenes of the control plane.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::net::TcpListener;

use super::{PATIENCE, Result, Walk};
use crate::context::Context;
use crate::control::ControlPlane;
use crate::coordinator::Coordinator;
use crate::serve::dial_failed;

const PING_INTERVAL: Duration = Duration::from_secs(5);

impl Walk {
    pub(super) async fn no_coordinator(&self) -> Result {
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

    pub(super) async fn coordinator_ends_it(&self) -> Result {
        for (title, sentence, signal) in [
            (
                "calls finished",
                "The coordinator finishes both calls, then closes the connection below them \
                 (WebSocket 1000).",
                Signal::SIGUSR2,
            ),
            (
                "coordinator restarts",
                "The coordinator gets a SIGTERM and announces that it goes away (WebSocket 1001). \
                 What ran over the connection has its cause from there, and carries an origin.",
                Signal::SIGTERM,
            ),
            (
                "coordinator killed",
                "The coordinator is killed (SIGKILL), and its kernel closes the connection without a \
                 word; then the agent shuts down.",
                Signal::SIGKILL,
            ),
        ] {
            let context = self.scene(title, sentence);
            let (coordinator, mut control) = open(&context).await?;
            coordinator.signal(signal)?;
            control.ended().await;
            if signal == Signal::SIGKILL {
                context.shut_down();
                control.close(PATIENCE).await;
            }
        }
        Ok(())
    }

    pub(super) async fn agent_leaves(&self) -> Result {
        for (title, sentence, hangs) in [
            ("agent leaves", "The agent shuts down, and the coordinator answers its goodbye.", false),
            (
                "coordinator hangs",
                "The agent shuts down, but the coordinator hangs (SIGSTOP) and never answers.",
                true,
            ),
        ] {
            let context = self.scene(title, sentence);
            let (coordinator, control) = open(&context).await?;
            if hangs {
                coordinator.signal(Signal::SIGSTOP)?;
            }
            context.shut_down();
            control.close(PATIENCE).await;
        }
        Ok(())
    }
}

/// A coordinator, and the control plane of an agent that reports to it.
pub(super) async fn open(context: &Context) -> Result<(Coordinator, ControlPlane)> {
    let coordinator = Coordinator::start().await?;
    let control = ControlPlane::open(context, &coordinator.address(), PING_INTERVAL).await?;
    Ok((coordinator, control))
}
