//! Shells in a terminal, over a WebSocket of tungstenite or of Python.

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{DisconnectGuard, Initiator};
use recipes::terminal;
use tokio::process::Command;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, client};

use crate::matrix::Row;
use crate::site::{Act, Site, check_faults, serve};
use crate::websockets::{SERVER, Socket, close, python_ends};

fn site(shell: &'static str) -> Site {
    serve(move |socket, world| async move {
        let guard = DisconnectGuard::new(AgentToClient, world.connection.emit());
        let guard = guard.with_cause(world.agent.child());
        let stream = guard.track(socket, Initiator::Client);
        let mut client = accept_async(stream).await.expect("a WebSocket");
        let mut shell = Command::new(shell);
        shell.args(["--wait", "--ctty", "sh"]);
        terminal::run(&mut client, shell, &guard.cause(), SERVER, world.lines.emit()).await;
        let farewell = CloseFrame { code: 1001.into(), reason: "".into() };
        let _ = client.close(Some(farewell)).await;
    })
}

fn dial(site: &Site) -> Socket {
    client(format!("ws://{}/", site.address), site.connect()).expect("upgraded").0
}

/// Types a line.
fn type_line(socket: &mut Socket, line: &str) {
    socket.send(Message::text(format!("{line}\n"))).expect("sent");
}

/// A shell that is up, and its client.
fn shell() -> (Site, Socket) {
    let site = site("setsid");
    let mut socket = dial(&site);
    type_line(&mut socket, "echo $((20 + 3))");
    let mut output = String::new();
    while !output.contains("23") {
        let message = socket.read().expect("output");
        output += &String::from_utf8_lossy(&message.into_data());
    }
    (site, socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_ends_as_its_row_records() {
    let mut row = Row::of("web terminal");
    let others: [(_, Act<Socket>); 4] = [
        ("exit 0", |_, socket| type_line(socket, "exit 0")),
        ("exit 7", |_, socket| type_line(socket, "exit 7")),
        ("the shell is killed", |_, socket| type_line(socket, "kill -KILL $$")),
        ("clean close", |_, socket| socket.close(None).expect("sent")),
    ];
    check_faults(&mut row, |_| shell(), &others);
    let missing = site("no-such-shell");
    let _socket = dial(&missing);
    row.check("the shell is missing", &missing.wait());

    let (closed, mut socket) = shell();
    close(&mut socket, None);
    row.check("its connection, closed", &closed.connection());

    python_ends(&mut row, &site("setsid"), &[("killed", None)]);
}
