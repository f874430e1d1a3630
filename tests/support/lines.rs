//! Collects what guards emit.
#![allow(dead_code)] // each test binary uses its own part

use std::sync::{Arc, Mutex, PoisonError};

use disconnect_attribution::{ConnectType, Disconnect, DisconnectGuard, DisconnectReason};

#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<Disconnect>>>);

impl Lines {
    pub(crate) fn emit(&self) -> impl FnOnce(Disconnect) + Send + Sync + use<> {
        let lines = Arc::clone(&self.0);
        move |end| {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(end);
        }
    }

    pub(crate) fn guard(&self) -> DisconnectGuard {
        DisconnectGuard::boxed(ConnectType::AgentToClient, self.emit())
    }

    pub(crate) fn take(&self) -> Vec<Disconnect> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[track_caller]
    pub(crate) fn one(&self) -> Disconnect {
        let lines = self.take();
        let [line] = lines.try_into().expect("exactly one line");
        line
    }
}

pub(crate) fn end(reason: DisconnectReason) -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, reason)
}
