//! A broker in the manner of MQTT: a login, a keepalive, a goodbye, and a session that another connection takes over.
//!
//! Fits this crate with `tokio`, and tokio 1 with `io-util`, `macros`, `net` and `time`.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use disconnect_attribution::ConnectType::ClientToServer;
use disconnect_attribution::{
    Cause, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream,
    Trigger,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PING: u8 = 12;
const DISCONNECT: u8 = 14;

/// A session: the cause of its connection, and when that was heard last.
type Session = (Cause, Arc<Mutex<Instant>>);

pub struct Broker {
    pub process: Cause,
    /// How long a client may be silent.
    pub keepalive: Duration,
    pub largest: u16,
    pub may_log_in: fn(&[u8]) -> bool,
    pub sessions: Mutex<HashMap<Vec<u8>, Session>>,
}

/// Serves one connection until it ends.
pub async fn serve(socket: TcpStream, broker: &Broker, log: impl FnOnce(Disconnect)) {
    let guard = DisconnectGuard::new(ClientToServer, log).with_cause(broker.process.child());
    let mut stream = guard.track(socket, Initiator::Client);
    if let Err(end) = session(&mut stream, broker).await {
        guard.close(end); // if the transport was first, its end stays
    }
}

/// Reads packets until the client leaves (`Ok`), or this side has a reason to end it.
async fn session(stream: &mut TrackedStream<TcpStream>, broker: &Broker) -> Result<(), Disconnect> {
    let cause = stream.cause();
    let (kind, client) = in_time(broker, Trigger::HandshakeTimeout, packet(stream, broker)).await?;
    if kind != CONNECT {
        return Err(protocol_error("no login"));
    }
    if !(broker.may_log_in)(&client) {
        return Err(refused("bad login"));
    }
    let heard = Arc::new(Mutex::new(Instant::now()));
    let old = broker
        .sessions
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let old = { old }.insert(client, (cause.clone(), heard.clone()));
    if let Some((old, heard)) = old {
        old.record(Evidence::Local, superseded(broker, &heard));
    }
    let mut ended = cause.ended();
    loop {
        let (kind, _) = tokio::select! {
            packet = in_time(broker, Trigger::KeepaliveTimeout, packet(stream, broker)) => packet?,
            _ = &mut ended => return Ok(()), // recorded, by a newer connection or the process
        };
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        match kind {
            PING => stream
                .write_all(&[PING, 0, 0])
                .await
                .map_err(of_transport)?,
            DISCONNECT => {
                let end = Disconnect::closed_by(ClientToServer, Initiator::Client);
                cause.record(Evidence::Peer, end);
                return Ok(());
            }
            PUBLISH => {} // stands for your code
            _ => return Err(protocol_error("a second login")),
        }
    }
}

/// The old connection's end. A client that was heard a moment ago has come twice; one that had gone silent had lost its
/// link, and only its return shows that.
pub fn superseded(broker: &Broker, heard: &Mutex<Instant>) -> Disconnect {
    let silence = heard
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .elapsed();
    if silence > broker.keepalive / 2 {
        return Disconnect::network_error(ClientToServer, Trigger::Superseded);
    }
    let end = Disconnect::closed_by(ClientToServer, Initiator::Server);
    end.with_trigger(Trigger::Superseded)
}

fn protocol_error(text: &'static str) -> Disconnect {
    Disconnect::protocol_error(ClientToServer, Initiator::Client).with_detail(text)
}

fn refused(text: &'static str) -> Disconnect {
    let end = Disconnect::new(ClientToServer, DisconnectReason::Rejected);
    end.with_initiator(Initiator::Server).with_detail(text)
}

/// The tracked stream has seen it, and was first.
fn of_transport(error: impl Error + 'static) -> Disconnect {
    Disconnect::from_error(ClientToServer, &error)
}

async fn in_time<T>(
    broker: &Broker,
    late: Trigger,
    packet: impl Future<Output = Result<T, Disconnect>>,
) -> Result<T, Disconnect> {
    match timeout(broker.keepalive, packet).await {
        Ok(read) => read,
        Err(_) => Err(Disconnect::network_error(ClientToServer, late)),
    }
}

/// A byte for the kind, two for the length, and the rest.
async fn packet(
    stream: &mut TrackedStream<TcpStream>,
    broker: &Broker,
) -> Result<(u8, Vec<u8>), Disconnect> {
    let kind = stream.read_u8().await.map_err(of_transport)?;
    if !matches!(kind, CONNECT | PUBLISH | PING | DISCONNECT) {
        return Err(protocol_error("unknown packet"));
    }
    let length = stream.read_u16().await.map_err(of_transport)?;
    if length > broker.largest {
        return Err(refused("packet too large"));
    }
    let mut packet = vec![0; length.into()];
    stream.read_exact(&mut packet).await.map_err(of_transport)?;
    Ok((kind, packet))
}
