//! A broker in the manner of MQTT: a login, a keepalive, a goodbye, and a session that another connection takes over.
//!
//! Fits this crate with `tokio`, and tokio 1 with `io-util`, `macros`, `net` and `time`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, Evidence, Initiator, TrackedStream, Trigger,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

const CONNECT: u8 = 1;
const PING: u8 = 12;
const DISCONNECT: u8 = 14;

// Reason codes of MQTT 5.
const MALFORMED_PACKET: u8 = 0x81;
const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
const KEEP_ALIVE_TIMEOUT: u8 = 0x8d;
const SESSION_TAKEN_OVER: u8 = 0x8e;
const PACKET_TOO_LARGE: u8 = 0x95;

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

fn lost(trigger: Trigger) -> Disconnect {
    Disconnect::network_error(ClientToServer, trigger)
}

pub struct Broker {
    pub process: Cause,
    /// How long a client may be silent.
    pub keepalive: Duration,
    pub may_log_in: fn(&[u8]) -> bool,
    pub sessions: Mutex<HashMap<Vec<u8>, Session>>,
}

/// The cause of a session's connection, and when that was heard last.
type Session = (Cause, Arc<Mutex<Instant>>);

/// Serves one connection until it ends.
pub async fn serve(socket: TcpStream, broker: &Broker, log: impl FnOnce(Disconnect)) {
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(broker.process.child());
    // MQTT has a goodbye, so a bare FIN is a break.
    let mut stream = guard.track(socket, Initiator::Client);
    tokio::select! {
        _ = session(&mut stream, broker) => {}
        _ = guard.cause().ended() => {} // recorded: by the stream, a newer connection, the process
    }
}

/// Reads packets until there is a reason to end, which is recorded.
async fn session(stream: &mut TrackedStream<TcpStream>, broker: &Broker) -> Option<()> {
    let (cause, heard) = (stream.cause(), Arc::new(Mutex::new(Instant::now())));
    let login = timeout(broker.keepalive, packet(stream)).await;
    if login.is_err() {
        cause.record(Evidence::Local, lost(Trigger::HandshakeTimeout));
    }
    match login.ok()?? {
        (CONNECT, client) if (broker.may_log_in)(&client) => {
            let new = (cause.clone(), heard.clone());
            if let Some((old, heard)) = broker.sessions.lock().expect("no panic").insert(client, new) {
                let silence = heard.lock().expect("no panic").elapsed();
                old.record(Evidence::Local, superseded(silence, broker.keepalive));
            }
        }
        (CONNECT, _) => return refuse(stream, BAD_USER_NAME_OR_PASSWORD).await,
        _ => return refuse(stream, MALFORMED_PACKET).await,
    }
    loop {
        let Ok(read) = timeout(broker.keepalive, packet(stream)).await else {
            return refuse(stream, KEEP_ALIVE_TIMEOUT).await;
        };
        let (kind, packet) = read?;
        *heard.lock().expect("no panic") = Instant::now();
        match kind {
            PING => stream.write_all(&[PING, 0, 0]).await.ok()?,
            DISCONNECT => {
                let code = CloseCode::Mqtt(packet.first().copied().unwrap_or_default());
                let end = Disconnect::from_close_code(ClientToServer, code, Initiator::Client);
                cause.record(Evidence::Peer, end);
                return None;
            }
            _ => {} // stands for your code
        }
    }
}

/// Records the reason first, then tells the client.
async fn refuse<T>(stream: &mut TrackedStream<TcpStream>, reason: u8) -> Option<T> {
    stream.cause().record(Evidence::Local, explain(reason));
    let _ = stream.write_all(&[DISCONNECT, 0, 1, reason]).await;
    None
}

/// A byte for the kind, two for the length, and the rest. If the transport fails, the tracked stream has recorded it.
async fn packet(stream: &mut TrackedStream<TcpStream>) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()?;
    if !(CONNECT..=DISCONNECT).contains(&kind) {
        return refuse(stream, MALFORMED_PACKET).await;
    }
    let mut packet = vec![0; stream.read_u16().await.ok()?.into()];
    if packet.len() > 1000 {
        return refuse(stream, PACKET_TOO_LARGE).await;
    }
    stream.read_exact(&mut packet).await.ok()?;
    Some((kind, packet))
}
