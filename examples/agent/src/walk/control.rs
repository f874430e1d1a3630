//! Scenes of the control plane.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{PATIENCE, Result, Walk};
use crate::context::Context;
use crate::control::ControlPlane;
use crate::coordinator::Coordinator;
use crate::serve::dial_failed;

const PING_INTERVAL: Duration = Duration::from_secs(5);

impl Walk {
    /// A scene of an agent that reports to a coordinator.
    async fn reporting(
        &self,
        title: &'static str,
        sentence: &str,
    ) -> Result<(Context, Coordinator, ControlPlane)> {
        let context = self.scene(title, sentence);
        let (coordinator, control) = open(&context).await?;
        Ok((context, coordinator, control))
    }

    pub(super) async fn connections_to_the_coordinator(&self) -> Result {
        let sentence = "The agent dials a coordinator that is not there: nothing is established, so nothing \
            ends, and the line carries no disconnect fields.";
        let context = self.scene("no coordinator", sentence);
        let Err(error) = ControlPlane::open(&context, "127.0.0.1:1", PING_INTERVAL).await else {
            return Err("a server listens on port 1".into());
        };
        dial_failed(&context.log, &error);

        let sentence = "The coordinator finishes both calls, then closes the connection below them \
            (WebSocket 1000).";
        let (_, coordinator, mut control) = self.reporting("calls finished", sentence).await?;
        coordinator.signal(Signal::SIGUSR2)?;
        control.ended().await;

        let sentence = "The coordinator gets a SIGTERM and announces that it goes away (WebSocket 1001). \
            What ran over the connection has its cause from there, and carries an origin.";
        let (_, coordinator, mut control) = self.reporting("coordinator restarts", sentence).await?;
        coordinator.signal(Signal::SIGTERM)?;
        control.ended().await;

        let sentence = "The coordinator is killed (SIGKILL), and its kernel closes the connection without \
            a word; then the agent shuts down.";
        let (context, coordinator, mut control) = self.reporting("coordinator killed", sentence).await?;
        coordinator.signal(Signal::SIGKILL)?;
        control.ended().await;
        context.shut_down();
        control.close(PATIENCE).await;

        let sentence = "The agent shuts down, and the coordinator answers its goodbye.";
        let (context, _coordinator, control) = self.reporting("agent leaves", sentence).await?;
        context.shut_down();
        control.close(PATIENCE).await;

        let sentence = "The agent shuts down, but the coordinator hangs (SIGSTOP) and never answers.";
        let (context, coordinator, control) = self.reporting("coordinator hangs", sentence).await?;
        coordinator.signal(Signal::SIGSTOP)?;
        context.shut_down();
        control.close(PATIENCE).await;
        Ok(())
    }
}

/// A coordinator, and the control plane of an agent that reports to it.
pub(super) async fn open(context: &Context) -> Result<(Coordinator, ControlPlane)> {
    let coordinator = Coordinator::start().await?;
    let control = ControlPlane::open(context, &coordinator.address, PING_INTERVAL).await?;
    Ok((coordinator, control))
}
