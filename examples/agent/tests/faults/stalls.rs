//! Consumers that stop reading, and targets that do not answer: neither holds up a connection.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use disconnect_attribution::Disconnect;
use nix::sys::signal::Signal;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::agent::{Agent, CHANNEL, CONNECTION, SESSION};
use crate::client::{Client, agent_for_openssh, control};
use crate::network::listen;
use crate::{check, check_any};

/// The connection's own line of a client that was killed, whatever its kernel sent then.
const KILLED: [&str; 2] =
    ["SSH client killed under a command that does not read", "SSH network reset, the connection's own line"];

/// Starts a client that sends without end.
fn flood(agent: &Agent, arguments: &[&str]) -> Client {
    let mut yes = Command::new("yes").stdout(Stdio::piped()).spawn().expect("yes");
    let bytes = yes.stdout.take().expect("piped");
    std::thread::spawn(move || yes.wait()); // it ends with its reader
    Client::spawn(agent.ssh(arguments).stdin(bytes))
}

/// The next line with a message, and that it came at once.
fn end_at_once(agent: &mut Agent, message: &str, since: Instant) -> Disconnect {
    let end = agent.end(message);
    let late = since.elapsed();
    assert!(late < Duration::from_secs(3), "{late:?}: {end}");
    end
}

#[test]
fn a_client_killed_under_a_consumer_that_does_not_read_has_its_lines_at_once() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let (_target, address) = listen();
    for (arguments, message) in
        [(["agent", "sleep 60"].as_slice(), SESSION), (&["-W", &address.to_string(), "agent"], CHANNEL)]
    {
        let mut client = flood(&agent, arguments);
        sleep(Duration::from_secs(2));
        client.kill();
        let killed = Instant::now();
        end_at_once(&mut agent, message, killed);
        check_any(&KILLED, &end_at_once(&mut agent, CONNECTION, killed));
    }
}

#[test]
fn a_consumer_that_does_not_read_is_hung_up_on_and_its_siblings_go_on() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let (_directory, control) = control();
    let _master = agent.open_session(&["-M", "-S", &control]);
    let mut flooding = flood(&agent, &["-S", &control, "agent", "sleep 60"]);
    check("SSH command that does not read its input", &agent.end(SESSION));
    assert_eq!(flooding.wait(), Some(255));

    let (_target, address) = listen();
    let mut flooding = flood(&agent, &["-S", &control, "-W", &address.to_string(), "agent"]);
    check("forwarded channel whose target does not read", &agent.end(CHANNEL));
    flooding.kill();

    let started = Instant::now();
    assert_eq!(agent.run(&["-S", &control, "agent", "exit 7"]), Some(7));
    assert!(started.elapsed() < Duration::from_secs(3));
}

/// A socket that listens, and lets every connection wait.
fn unanswering() -> (Socket, SocketAddr, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&SockAddr::from(any)).expect("a free port");
    socket.listen(0).expect("listens");
    let address = socket.local_addr().expect("bound").as_socket().expect("of the internet");
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let waiting = std::iter::from_fn(connect).collect();
    (socket, address, waiting)
}

#[test]
fn a_target_that_does_not_answer_holds_no_line_back() {
    let Some(mut agent) = agent_for_openssh() else { return };
    let (_target, address, _waiting) = unanswering();
    let arguments = ["-W", &address.to_string(), "agent"];
    let mut client = agent.client(&arguments);
    sleep(Duration::from_secs(1));
    client.kill();
    let killed = Instant::now();
    check_any(&KILLED, &end_at_once(&mut agent, CONNECTION, killed));

    // Beside it, the agent leaves in good order.
    let mut client = agent.client(&arguments);
    sleep(Duration::from_secs(1));
    let stopped = Instant::now();
    agent.signal(Signal::SIGTERM);
    check("agent Ctrl-C with a silent SSH client", &end_at_once(&mut agent, CONNECTION, stopped));
    assert!(agent.wait().success());
    client.wait(); // sent away
}

#[test]
fn a_target_that_does_not_answer_is_given_up() {
    let Some(agent) = agent_for_openssh() else { return };
    let (_target, address, _waiting) = unanswering();
    let started = Instant::now();
    let mut client = agent.client(&["-W", &address.to_string(), "agent"]);
    assert_eq!(client.output.read_to_end(&mut Vec::new()).expect("the end"), 0);
    assert_eq!(client.wait(), Some(255));
    assert!(started.elapsed() < Duration::from_secs(20));
}
