//! A broker in the manner of MQTT: what its reason codes mean, and a session that another connection takes over.
//!
//! Fits this crate, and tokio 1 with `time`.
//!
//! Track the socket without `with_goodbye`: MQTT has a goodbye, so a bare FIN is a break. Record a reason first, and send it
//! then. Await the loop that reads packets beside `ended()` of the connection's cause, which a newer connection records.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{Cause, CloseCode, Disconnect, Evidence, Initiator, Trigger};
use tokio::time::Instant;

// Reason codes of MQTT 5.
pub const MALFORMED_PACKET: u8 = 0x81;
pub const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
pub const KEEP_ALIVE_TIMEOUT: u8 = 0x8d;
pub const SESSION_TAKEN_OVER: u8 = 0x8e;
pub const PACKET_TOO_LARGE: u8 = 0x95;

/// What a reason code means that this broker sends. One of a client is `from_close_code` with the client as its sender.
pub fn explain(reason: u8) -> Disconnect {
    let code = CloseCode::Mqtt(reason);
    let end = Disconnect::from_close_code(ClientToServer, code, Initiator::Server);
    match reason {
        SESSION_TAKEN_OVER => end.with_trigger(Trigger::Superseded),
        KEEP_ALIVE_TIMEOUT => lost(Trigger::KeepaliveTimeout).with_code(code),
        // The client broke the protocol; this side noticed.
        MALFORMED_PACKET | PACKET_TOO_LARGE => end.with_initiator(Initiator::Client),
        _ => end,
    }
}

/// Why the old connection of a session ends. A client that was heard a moment ago has come twice; one that had gone
/// silent had lost its link, and only its return shows that.
pub fn superseded(silence: Duration, keepalive: Duration) -> Disconnect {
    if silence > keepalive / 2 { lost(Trigger::Superseded) } else { explain(SESSION_TAKEN_OVER) }
}

pub fn lost(trigger: Trigger) -> Disconnect {
    Disconnect::network_error(ClientToServer, trigger)
}

/// When a client was heard last: its connection sets that at each packet.
pub type Heard = Arc<Mutex<Instant>>;

/// The connection of each client that is logged in.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<Vec<u8>, (Cause, Heard)>>);

impl Sessions {
    /// Logs a client in over a new connection, which ends an older one of the same client.
    pub fn log_in(&self, client: Vec<u8>, connection: Cause, keepalive: Duration) -> Heard {
        let heard = Heard::new(Mutex::new(Instant::now()));
        let new = (connection, Arc::clone(&heard));
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((old, heard)) = sessions.insert(client, new) {
            let silence = heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
            old.record(Evidence::Local, superseded(silence, keepalive));
        }
        heard
    }
}
