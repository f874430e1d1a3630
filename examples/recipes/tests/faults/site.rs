//! What the tests of a server need: the server, in tasks that can be aborted, and the faults that all of them meet.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard, Evidence, Initiator};
use recipes::axum_listener::{Attributed, Connection};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet, block_in_place};

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{listen, reset};

pub(crate) const LONG: Duration = Duration::from_secs(1000);
pub(crate) const SHORT: Duration = Duration::from_millis(100);
pub(crate) const SSH_BANNER: &[u8] = b"SSH-2.0-OpenSSH_9.2\r\n\r\n";
/// The head of one, which is enough for a server of another protocol.
pub(crate) const TLS_HELLO: &[u8] = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";

/// What a recipe is served with: the cause of its process, the lines of the row, and those of the connection that may be
/// under it.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) agent: Cause,
    pub(crate) lines: Lines,
    pub(crate) connection: Lines,
}

impl World {
    /// The guard of a connection whose line is the row's.
    pub(crate) fn guard(&self, layer: ConnectType) -> DisconnectGuard {
        DisconnectGuard::boxed(layer, self.lines.emit()).with_cause(self.agent.child())
    }
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) address: SocketAddr,
    pub(crate) task: JoinHandle<()>,
}

fn asynchronous(listener: std::net::TcpListener) -> tokio::net::TcpListener {
    listener.set_nonblocking(true).expect("set");
    tokio::net::TcpListener::from_std(listener).expect("in a runtime")
}

/// Serves each of its clients with a recipe.
pub(crate) fn serve<S: Future<Output = ()> + Send + 'static>(
    recipe: impl Fn(tokio::net::TcpStream, World) -> S + Send + 'static,
) -> Site {
    let (listener, address) = listen();
    let world = World::default();
    let of_clients = world.clone();
    let task = tokio::spawn(async move {
        let listener = asynchronous(listener);
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(recipe(socket, of_clients.clone()));
        }
    });
    Site { world, address, task }
}

/// Runs what it is sent, each in a task that is aborted with the one that is returned.
pub(crate) fn spawner<T: Future<Output = ()> + Send + 'static>() -> (UnboundedSender<T>, JoinHandle<()>) {
    let (sender, mut receiver) = unbounded_channel();
    let running = tokio::spawn(async move {
        let mut tasks = JoinSet::new();
        while let Some(task) = receiver.recv().await {
            tasks.spawn(task);
        }
    });
    (sender, running)
}

/// A runtime that can be dropped in another one.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").shutdown_background();
    }
}

/// Serves a router under `axum::serve`, in a runtime of its own: it keeps its tasks to itself.
pub(crate) fn serve_axum(is_http2: bool, world: World, router: Router) -> Site {
    let (listener, address) = listen();
    let runtime = Background(Some(Runtime::new().expect("a runtime")));
    let (agent, lines) = (world.agent.clone(), world.connection.clone());
    let serving = async move {
        let listener = asynchronous(listener);
        let listener = Attributed { listener, agent, is_http2, log: move |end| lines.emit()(end) };
        axum::serve(listener, router.into_make_service_with_connect_info::<Connection>()).await
    };
    runtime.0.as_ref().expect("it runs").spawn(serving);
    let task = tokio::spawn(async move {
        let _runtime = runtime;
        std::future::pending::<()>().await;
    });
    Site { world, address, task }
}

impl Site {
    /// With a client of it.
    pub(crate) fn with<C>(self, connect: impl FnOnce(&Self) -> C) -> (Self, C) {
        let client = connect(&self);
        (self, client)
    }

    /// Waits for the one line of the connection that is under the row's.
    #[track_caller]
    pub(crate) fn connection(&self) -> Disconnect {
        self.world.connection.wait()
    }

    /// Sends what is no HTTP, and reads that it is answered so.
    #[track_caller]
    pub(crate) fn send_banner(&self) {
        let mut answer = String::new();
        self.send(SSH_BANNER).read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }

    /// Waits for the one line of the row.
    #[track_caller]
    pub(crate) fn wait(&self) -> Disconnect {
        self.world.lines.wait()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        patient(TcpStream::connect(self.address).expect("accepted"))
    }

    /// A client that has sent something.
    pub(crate) fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut client = self.connect();
        client.write_all(bytes).expect("sent");
        client
    }

    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub(crate) fn shut_down(&self) {
        self.world.agent.record(Evidence::Local, shutdown());
    }
}

pub(crate) fn shutdown() -> Disconnect {
    Disconnect::shutdown(ConnectType::AgentToClient, Initiator::Agent)
}

/// Waits in code that is not async.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    block_in_place(|| Handle::current().block_on(future))
}

/// Bounds how long a test waits for bytes.
pub(crate) fn patient(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    socket
}

/// A client that is connected, and its server.
pub(crate) trait Client {
    /// Resets without a goodbye.
    fn reset(self);
    /// Reads how this side takes its leave.
    fn read_goodbye(&mut self, fault: &str);
}

/// What a client does, or its site, so that the connection ends.
pub(crate) type Act<C> = fn(&Site, &mut C);

/// Checks the faults that a site meets whatever it speaks, and others, each at a new site. `start` serves with an idle
/// policy, and connects a client.
pub(crate) fn check_faults<C: Client>(
    row: &mut Row,
    start: impl Fn(Duration) -> (Site, C),
    others: &[(&'static str, Act<C>)],
) {
    let (site, client) = start(LONG);
    client.reset();
    row.check("reset", &site.wait());

    let mut faults: Vec<(_, _, Act<C>)> = vec![
        ("idle timeout", SHORT, |_, client| client.read_goodbye("idle timeout")),
        ("shutdown", LONG, |site, client| {
            site.shut_down();
            client.read_goodbye("shutdown");
        }),
        ("aborted", LONG, |site, _| site.task.abort()),
    ];
    faults.retain(|(fault, ..)| row.has(fault));
    faults.extend(others.iter().map(|(fault, act)| (*fault, LONG, *act)));
    for (fault, idle, act) in faults {
        let (site, mut client) = start(idle);
        act(&site, &mut client);
        row.check(fault, &site.wait());
    }
}

impl Client for TcpStream {
    fn reset(self) {
        reset(self);
    }

    fn read_goodbye(&mut self, _: &str) {
        let mut rest = Vec::new();
        self.read_to_end(&mut rest).expect("a FIN");
        assert!(!rest.ends_with(b"\r\n0\r\n\r\n"), "a body that is whole");
    }
}
