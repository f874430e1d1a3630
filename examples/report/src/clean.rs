//! Text from a log or a file system, made safe for a terminal.

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason};

/// One bounded line that can't drive a terminal, by the library's own rules for free text.
pub(crate) fn clean(text: &str) -> String {
    let carrier = Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::Unknown);
    let carrier = carrier.with_detail(text.to_owned());
    carrier.detail().unwrap_or_default().to_owned()
}
