//! WebSockets, against tungstenite and Python's websockets.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::{DisconnectGuard, Initiator, TrackedStream};
use recipes::websocket::{self, Site as Sides};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept, client};

use crate::matrix::Row;
use crate::peer::{Peer, listen, reset, send_fin};
use crate::site::{Act, Client, LONG, SHORT, SSH_BANNER, Site, World, check_faults, patient, serve};

pub(crate) const SERVER: Sides = Sides {
    layer: AgentToClient,
    this_side: Initiator::Agent,
    peer: Initiator::Client,
    patience: LONG,
    idle: LONG,
};
const CLIENT: Sides = Sides { layer: ServerToAgent, peer: Initiator::Server, ..SERVER };

/// Python's client: greets, then does what standard input asks for.
const PYTHON_CLIENT: &str = "
import asyncio, sys, websockets
async def main():
    socket = await websockets.connect('ws://127.0.0.1:' + sys.argv[1] + '/', close_timeout=1)
    await socket.send('hello')
    print(await socket.recv())
    order = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await socket.close(int(order), 'as asked')
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
fn echo(message: Message) -> Option<Message> {
    assert_ne!(message, Message::text("panic"), "a bug");
    message.is_text().then_some(message)
}

fn server(sides: Sides) -> Site {
    serve(move |socket, world| async move {
        websocket::serve(socket, &world.agent, sides, echo, world.lines.emit()).await;
    })
}

/// A client of a server that speaks first.
fn dial(address: SocketAddr, sides: Sides) -> Site {
    let mut is_first = true;
    let greet = move |message| {
        std::mem::take(&mut is_first).then(|| Message::text("hello")).or_else(|| echo(message))
    };
    let world = World::default();
    let (cause, log) = (world.agent.child(), world.lines.emit());
    let task = tokio::spawn(async move {
        let socket = tokio::net::TcpStream::connect(address).await.expect("connected");
        let stream = TrackedStream::new(socket, sides.layer, sides.peer, cause.clone());
        let dialled = client_async(format!("ws://{address}/"), stream).await;
        let _guard = DisconnectGuard::new(sides.layer, log).with_cause(cause.clone());
        websocket::run(dialled.expect("established").0, &cause, sides, greet).await;
    });
    Site { world, address, task }
}

pub(crate) type Socket = WebSocket<TcpStream>;

/// A client of tungstenite itself, and blocking, that is served.
pub(crate) fn connect(site: &Site, path: &str) -> Socket {
    let (mut socket, _) = client(format!("ws://{}{path}", site.address), site.connect()).expect("upgraded");
    socket.send(Message::text("hello")).expect("sent");
    assert_eq!(read(&mut socket), Message::text("hello"));
    socket
}

fn client_of_server(sides: Sides) -> (Site, Socket) {
    server(sides).with(|site| connect(site, "/"))
}

fn server_of_client(sides: Sides) -> (Site, Socket) {
    let (listener, address) = listen();
    let site = dial(address, sides);
    let mut socket = accept(patient(listener.accept().expect("dialled").0)).expect("upgraded");
    socket.send(Message::text("who are you?")).expect("sent");
    assert_eq!(read(&mut socket), Message::text("hello"));
    (site, socket)
}

/// Kills a client of Python's, or orders it to close with a code.
pub(crate) fn python_ends(row: &mut Row, site: &Site, ends: &[(&'static str, Option<&str>)]) {
    for (fault, order) in ends {
        if row.has_program("websockets", &[fault]) {
            let mut client = Peer::python(PYTHON_CLIENT, &[&site.port()]);
            client.line();
            obey(&mut client, *order);
            row.check(fault, &site.wait());
        }
    }
}

fn obey(peer: &mut Peer, order: Option<&str>) {
    match order {
        Some(code) => peer.type_line(code),
        None => peer.kill(),
    }
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

pub(crate) fn close(socket: &mut Socket, code: Option<(u16, &'static str)>) {
    let frame = code.map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() });
    socket.close(frame).expect("sent");
    leave(socket);
}

/// Reads the rest, and closes: a client waits for its server to do that.
fn leave(socket: &mut Socket) {
    while socket.read().is_ok() {}
    let _ = socket.get_ref().shutdown(Shutdown::Both);
}

/// The code of this side's goodbye.
fn goodbye(socket: &mut Socket) -> u16 {
    let Message::Close(Some(frame)) = read(socket) else { panic!("no goodbye") };
    leave(socket);
    frame.code.into()
}

impl Client for Socket {
    fn reset(self) {
        reset(self.into_inner());
    }

    fn read_goodbye(&mut self, fault: &str) {
        assert_eq!(goodbye(self), if fault == "shutdown" { 1001 } else { 1000 });
    }
}

/// What a peer does to any WebSocket here.
pub(crate) const FAULTS: [(&str, Act<Socket>); 4] = [
    ("clean close", |_, socket| close(socket, Some((1000, "done")))),
    ("close without a code", |_, socket| close(socket, None)),
    ("panic", |_, socket| socket.send(Message::text("panic")).expect("sent")),
    ("bad frame", |_, socket| {
        // Reserved bits, and a reserved opcode.
        socket.get_mut().write_all(&[0xff, 0x80, 0, 0, 0, 0]).expect("sent");
        assert_eq!(goodbye(socket), 1002);
    }),
];

/// The faults that both sides meet alike.
fn both_sides_meet(row: &mut Row, sides: Sides, start: fn(Sides) -> (Site, Socket)) {
    let others: [(_, Act<Socket>); 5] = [
        ("close 1001", |_, socket| close(socket, Some((1001, "going away")))),
        ("close 1008", |_, socket| close(socket, Some((1008, "token expired")))),
        ("close 1011", |_, socket| close(socket, Some((1011, "database is down")))),
        ("close 4321, unlisted", |_, socket| close(socket, Some((4321, "quota\nINFO all is well")))),
        ("a FIN without a goodbye", |_, socket| send_fin(socket.get_ref())),
    ];
    check_faults(row, |idle| start(Sides { idle, ..sides }), &[&FAULTS[..], &others].concat());

    let (site, _socket) = start(Sides { patience: SHORT, ..sides });
    row.check("ping not answered", &site.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_websocket_ends_as_its_row_records() {
    let mut row = Row::of("WebSocket server");
    both_sides_meet(&mut row, SERVER, client_of_server);
    let site = server(SERVER);
    python_ends(&mut row, &site, &[("killed", None), ("close 3008 by Python", Some("3008"))]);

    let _client = site.send(SSH_BANNER);
    row.check("no WebSocket", &site.wait());

    let site = server(Sides { patience: SHORT, ..SERVER });
    let _socket = site.connect();
    row.check("no handshake", &site.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_websocket_ends_as_its_row_records() {
    let mut row = Row::of("WebSocket client");
    both_sides_meet(&mut row, CLIENT, server_of_client);
    for (fault, order) in [("killed", None), ("close 1012 by Python", Some("1012"))] {
        if row.has_program("websockets", &[fault]) {
            let mut server = Peer::python(PYTHON_SERVER, &[]);
            let address = format!("127.0.0.1:{}", server.line());
            let site = dial(address.parse().expect("an address"), CLIENT);
            server.read_until("up");
            obey(&mut server, order);
            row.check(fault, &site.wait());
        }
    }
}
