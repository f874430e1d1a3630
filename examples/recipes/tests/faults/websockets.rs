//! WebSockets, against tungstenite and Python's websockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Evidence, Initiator, TrackedStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept, client};

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, has_python, reset};

use recipes::websocket::{self, Site};

const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(100);

const SERVER: Site = Site {
    layer: AgentToClient,
    this_side: Initiator::Agent,
    peer: Initiator::Client,
    patience: LONG,
    idle: LONG,
};
const CLIENT: Site = Site { layer: ServerToAgent, peer: Initiator::Server, ..SERVER };

/// Python's client: greets, then does what standard input asks for.
pub(crate) const PYTHON_CLIENT: &str = "
import asyncio, sys, websockets
async def main():
    socket = await websockets.connect('ws://127.0.0.1:' + sys.argv[1] + '/', close_timeout=1)
    await socket.send('hello')
    print(await socket.recv())
    order = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if order.strip():
        await socket.close(int(order), 'as asked')
    print('closed')
asyncio.run(main())
";

const PYTHON_SERVER: &str = "
import asyncio, sys, websockets
async def serve(socket, path=None):
    await socket.send('who are you?')
    await socket.recv()
    print('up')
    order = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await socket.close(int(order), 'as asked')
async def main():
    server = await websockets.serve(serve, '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1])
    await asyncio.Future()
asyncio.run(main())
";

/// Echoes text, and has a bug.
pub(crate) fn echo(message: Message) -> Option<Message> {
    assert_ne!(message, Message::text("panic"), "a bug");
    message.is_text().then_some(message)
}

/// A site that runs.
struct Running {
    agent: Cause,
    lines: Lines,
    task: JoinHandle<()>,
}

fn serve(site: Site) -> (Running, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (agent, lines) = (Cause::default(), Lines::default());
    let (cause, log) = (agent.clone(), lines.emit());
    let task = tokio::spawn(async move {
        listener.set_nonblocking(true).expect("set");
        let listener = tokio::net::TcpListener::from_std(listener).expect("in a runtime");
        let (socket, _) = listener.accept().await.expect("a client");
        websocket::serve(socket, &cause, site, echo, log).await;
    });
    (Running { agent, lines, task }, port)
}

fn dial(port: u16, site: Site) -> Running {
    let (agent, lines) = (Cause::default(), Lines::default());
    let (cause, log) = (agent.clone(), lines.emit());
    let task = tokio::spawn(async move {
        let address = format!("127.0.0.1:{port}");
        let mut is_first = true;
        let greet = move |message: Message| {
            // The server speaks first.
            std::mem::take(&mut is_first).then(|| Message::text("hello")).or_else(|| echo(message))
        };
        let cause = cause.child();
        let socket = tokio::net::TcpStream::connect(&address).await.expect("connected");
        let stream = TrackedStream::new(socket, site.layer, site.peer, cause.clone());
        let dialled = client_async(format!("ws://{address}/"), stream).await;
        let (socket, _) = dialled.expect("established");
        let _guard = DisconnectGuard::new(site.layer, log).with_cause(cause.clone());
        websocket::run(socket, &cause, site, greet).await;
    });
    Running { agent, lines, task }
}

pub(crate) type Socket = WebSocket<TcpStream>;

/// A WebSocket whose other side is a recipe's; blocking, and of tungstenite itself.
fn peer_of_server(site: Site) -> (Running, Socket) {
    let (running, port) = serve(site);
    let socket = TcpStream::connect(("127.0.0.1", port)).expect("accepted");
    let (mut socket, _) = client(format!("ws://127.0.0.1:{port}/"), socket).expect("upgraded");
    socket.send(Message::text("hello")).expect("sent");
    assert_eq!(read(&mut socket), Message::text("hello"));
    (running, socket)
}

fn peer_of_client(site: Site) -> (Running, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let running = dial(listener.local_addr().expect("bound").port(), site);
    let mut socket = accept(listener.accept().expect("dialled").0).expect("upgraded");
    socket.send(Message::text("who are you?")).expect("sent");
    assert_eq!(read(&mut socket), Message::text("hello"));
    (running, socket)
}

/// The next message that is data.
pub(crate) fn read(socket: &mut Socket) -> Message {
    loop {
        let message = socket.read().expect("a message");
        if message.is_text() || message.is_close() {
            return message;
        }
    }
}

pub(crate) fn close(mut socket: Socket, code: Option<(u16, &'static str)>) {
    let frame = code.map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() });
    socket.close(frame).expect("sent");
    while socket.read().is_ok() {}
}

/// The code that this side's goodbye has.
pub(crate) fn goodbye(mut socket: Socket) -> u16 {
    let Message::Close(Some(frame)) = read(&mut socket) else { panic!("no goodbye") };
    while socket.read().is_ok() {}
    frame.code.into()
}

/// Starts a site, and returns it with the WebSocket of its peer.
type Start = fn(Site) -> (Running, Socket);

/// The faults that both sides meet alike.
async fn both_sides_meet(row: &mut Row, site: Site, start: Start) {
    the_peer_says_goodbye(row, site, start);
    the_peer_breaks_off(row, site, start);
    this_side_ends_it(row, site, start).await;
}

fn the_peer_says_goodbye(row: &mut Row, site: Site, start: Start) {
    for (fault, frame) in [
        ("clean close", Some((1000, "done"))),
        ("close 1001", Some((1001, "going away"))),
        ("close 1008", Some((1008, "token expired"))),
        ("close 1011", Some((1011, "database is down"))),
        ("close 4321, unlisted", Some((4321, "quota\nINFO all is well"))),
        ("close without a code", None),
    ] {
        let (running, socket) = start(site);
        close(socket, frame);
        row.check(fault, &running.lines.wait());
    }
}

fn the_peer_breaks_off(row: &mut Row, site: Site, start: Start) {
    let (running, socket) = start(site);
    reset(socket.get_ref());
    drop(socket);
    row.check("reset", &running.lines.wait());

    let (running, socket) = start(site);
    drop(socket);
    row.check("a FIN without a goodbye", &running.lines.wait());

    let (running, mut socket) = start(site);
    // Reserved bits and a reserved opcode.
    let frame = [0xff, 0x80, 0, 0, 0, 0];
    socket.get_mut().write_all(&frame).expect("sent");
    assert_eq!(goodbye(socket), 1002);
    row.check("bad frame", &running.lines.wait());

    let patience = SHORT;
    let (running, _socket) = start(Site { patience, ..site });
    row.check("ping not answered", &running.lines.wait());
}

async fn this_side_ends_it(row: &mut Row, site: Site, start: Start) {
    let (running, socket) = start(Site { idle: SHORT, ..site });
    assert_eq!(goodbye(socket), 1000);
    row.check("idle timeout", &running.lines.wait());

    let (running, socket) = start(site);
    let shutdown = Disconnect::shutdown(AgentToClient, Initiator::Agent);
    running.agent.record(Evidence::Local, shutdown);
    assert_eq!(goodbye(socket), 1001);
    row.check("shutdown", &running.lines.wait());

    let (running, _socket) = start(site);
    running.task.abort();
    row.check("aborted", &running.lines.wait());

    let (running, mut socket) = start(site);
    socket.send(Message::text("panic")).expect("sent");
    assert!(running.task.await.is_err());
    row.check("panic", &running.lines.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_websocket_ends_as_its_row_records() {
    let mut row = Row::of("WebSocket server");
    both_sides_meet(&mut row, SERVER, peer_of_server).await;
    a_client_of_python_ends_it(&mut row);

    let (running, port) = serve(SERVER);
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("accepted");
    let greeting = b"SSH-2.0-OpenSSH_9.2\r\n\r\n";
    socket.write_all(greeting).expect("sent");
    let _ = socket.read(&mut [0]);
    row.check("no WebSocket", &running.lines.wait());

    let (running, port) = serve(Site { patience: SHORT, ..SERVER });
    let _socket = TcpStream::connect(("127.0.0.1", port)).expect("accepted");
    row.check("no handshake", &running.lines.wait());
    row.complete();
}

fn a_client_of_python_ends_it(row: &mut Row) {
    if !has_python("websockets") {
        return row.skip(&["killed", "close 3008 by Python"], "Python's websockets");
    }
    let start = || {
        let (running, port) = serve(SERVER);
        let mut client = Peer::python(PYTHON_CLIENT, &[&port.to_string()]);
        client.line();
        (running, client)
    };
    let (running, mut client) = start();
    client.kill();
    row.check("killed", &running.lines.wait());

    let (running, mut client) = start();
    client.type_line("3008");
    client.read_until("closed");
    row.check("close 3008 by Python", &running.lines.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_websocket_ends_as_its_row_records() {
    let mut row = Row::of("WebSocket client");
    both_sides_meet(&mut row, CLIENT, peer_of_client).await;
    a_server_of_python_ends_it(&mut row);
    row.complete();
}

fn a_server_of_python_ends_it(row: &mut Row) {
    if !has_python("websockets") {
        return row.skip(&["killed", "close 1012 by Python"], "Python's websockets");
    }
    let start = || {
        let mut server = Peer::python(PYTHON_SERVER, &[]);
        let port = server.line().parse().expect("a port");
        let running = dial(port, CLIENT);
        server.read_until("up");
        (running, server)
    };
    let (running, mut server) = start();
    server.kill();
    row.check("killed", &running.lines.wait());

    let (running, mut server) = start();
    server.type_line("1012");
    row.check("close 1012 by Python", &running.lines.wait());
}
