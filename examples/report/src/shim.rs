//! Fields that the record is about to get. Goes with them.

use disconnect_attribution::{ConnectType, Disconnect};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Trigger;

impl Trigger {
    pub(crate) fn as_str(self) -> &'static str {
        "trigger"
    }
}

pub(crate) trait Fields {
    fn trigger(&self) -> Option<Trigger> {
        None
    }
    fn origin(&self) -> Option<ConnectType> {
        None
    }
    fn connection_duration(&self) -> Option<Duration> {
        None
    }
    fn peer_silence(&self) -> Option<Duration> {
        None
    }
    fn bytes_received(&self) -> Option<u64> {
        None
    }
    fn clock_jump(&self) -> Option<i64> {
        None
    }
}

impl Fields for Disconnect {}
