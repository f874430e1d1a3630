//! Shells in a terminal, over a WebSocket of tungstenite or of Python.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Cause, Disconnect, DisconnectGuard, Evidence, Initiator};
use recipes::terminal;
use recipes::websocket::Site;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Message, client};

use crate::lines::Lines;
use crate::matrix::Row;
use crate::peer::{Peer, asynchronous, has_python, reset};
use crate::websockets::Socket;

const LONG: Duration = Duration::from_secs(1000);

const SITE: Site = Site {
    layer: AgentToClient,
    this_side: Initiator::Agent,
    peer: Initiator::Client,
    patience: LONG,
    idle: LONG,
};

const PYTHON: &str = "
import asyncio, sys, websockets
async def main():
    socket = await websockets.connect('ws://127.0.0.1:' + sys.argv[1] + '/')
    await socket.send('echo up\\n')
    print(await socket.recv())
    await asyncio.sleep(600)
asyncio.run(main())
";

struct Running {
    port: u16,
    agent: Cause,
    connection: Lines,
    session: Lines,
    task: JoinHandle<()>,
}

fn serve(shell: &'static str) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (agent, connection, session) = (Cause::default(), Lines::default(), Lines::default());
    let (cause, log, log_session) = (agent.clone(), connection.emit(), session.emit());
    let task = tokio::spawn(async move {
        let accepted = tokio::task::spawn_blocking(move || listener.accept());
        let (socket, _) = accepted.await.expect("no panic").expect("a client");
        let guard = DisconnectGuard::new(AgentToClient, log).with_cause(cause.child());
        let stream = guard.track(asynchronous(socket), Initiator::Client);
        let mut client = accept_async(stream).await.expect("a WebSocket");
        let mut shell = Command::new(shell);
        shell.args(["--wait", "--ctty", "sh"]);
        terminal::run(&mut client, shell, &guard.cause(), SITE, log_session).await;
        let _ = client.close(None).await;
    });
    Running { port, agent, connection, session, task }
}

fn dial(running: &Running) -> Socket {
    let socket = TcpStream::connect(("127.0.0.1", running.port)).expect("accepted");
    client(format!("ws://127.0.0.1:{}/", running.port), socket).expect("upgraded").0
}

/// Types a line.
fn type_line(socket: &mut Socket, line: &str) {
    socket.send(Message::text(format!("{line}\n"))).expect("sent");
}

/// A shell that is up, and its client.
fn shell() -> (Running, Socket) {
    let running = serve("setsid");
    let mut socket = dial(&running);
    type_line(&mut socket, "echo $((20 + 3))");
    let mut output = String::new();
    while !output.contains("23") {
        let message = socket.read().expect("output");
        output += &String::from_utf8_lossy(&message.into_data());
    }
    (running, socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_ends_as_its_row_records() {
    let mut row = Row::of("web terminal");
    the_shell_ends(&mut row);
    the_client_ends_it(&mut row);

    let (running, _socket) = shell();
    running.agent.record(Evidence::Local, Disconnect::shutdown(AgentToClient, Initiator::Agent));
    row.check("shutdown", &running.session.wait());
    let (running, _socket) = shell();
    running.task.abort();
    row.check("aborted", &running.session.wait());
    row.complete();
}

fn the_shell_ends(row: &mut Row) {
    for (fault, line) in
        [("exit 0", "exit 0"), ("exit 7", "exit 7"), ("the shell is killed", "kill -KILL $$")]
    {
        let (running, mut socket) = shell();
        type_line(&mut socket, line);
        row.check(fault, &running.session.wait());
    }
    let running = serve("no-such-shell");
    let _socket = dial(&running);
    row.check("the shell is missing", &running.session.wait());
}

fn the_client_ends_it(row: &mut Row) {
    let (running, mut socket) = shell();
    socket.close(None).expect("sent");
    row.check("clean close", &running.session.wait());
    while socket.read().is_ok() {}
    row.check("its connection, closed", &running.connection.wait());

    let (running, socket) = shell();
    reset(socket.get_ref());
    drop(socket);
    row.check("reset", &running.session.wait());

    if has_python("websockets") {
        let running = serve("setsid");
        let mut client = Peer::python(PYTHON, &[&running.port.to_string()]);
        client.line();
        client.kill();
        row.check("killed", &running.session.wait());
    } else {
        row.skip(&["killed"], "Python's websockets");
    }
}
