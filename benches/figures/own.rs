//! What a good engineer writes in this crate's place: enums, and one `KV` for all of them.

use slog::{KV, Key, Record, Serializer};

macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal,)* }) => {
        #[derive(Clone, Copy, serde_derive::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(dead_code)] // read from a line, or never
        pub(crate) enum $name { $($variant,)* }

        impl $name {
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words!(Layer {
    ServerToAgent => "server_to_agent",
    AgentToClient => "agent_to_client",
    ClientToServer => "client_to_server",
});
words!(Reason {
    Graceful => "graceful",
    ClientClosed => "client_closed",
    ServerShutdown => "server_shutdown",
    WorkspaceStopped => "workspace_stopped",
    NetworkError => "network_error",
    ProtocolError => "protocol_error",
    ControlPlaneLost => "control_plane_lost",
    ProcessExited => "process_exited",
    Rejected => "rejected",
    Unknown => "unknown",
});
words!(Side {
    Client => "client",
    Agent => "agent",
    Server => "server",
    Network => "network",
    Unknown => "unknown",
});

impl Reason {
    const fn expected(self) -> bool {
        matches!(
            self,
            Self::Graceful | Self::ClientClosed | Self::ServerShutdown | Self::WorkspaceStopped
        )
    }
}

pub(crate) struct End {
    pub(crate) layer: Layer,
    pub(crate) reason: Reason,
    pub(crate) side: Side,
}

impl KV for End {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        serializer.emit_str(Key::from("disconnect_initiator"), self.side.as_str())?;
        serializer.emit_bool(Key::from("disconnect_expected"), self.reason.expected())?;
        serializer.emit_str(Key::from("disconnect_reason"), self.reason.as_str())?;
        serializer.emit_str(Key::from("connect_type"), self.layer.as_str())
    }
}

/// The detail goes out as it came.
pub(crate) struct DetailedEnd<'a> {
    pub(crate) end: End,
    pub(crate) detail: &'a str,
}

impl KV for DetailedEnd<'_> {
    fn serialize(&self, record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        serializer.emit_str(Key::from("disconnect_detail"), self.detail)?;
        self.end.serialize(record, serializer)
    }
}
