//! Consumers that stop reading, and targets that do not answer: neither holds up a connection.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use disconnect_attribution::Disconnect;
use nix::sys::signal::Signal;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::connections::control;
use crate::ssh::{CHANNEL_LINE, CONNECTION_LINE, LINE, SshAgent, with_ssh};
use crate::{check, check_any};

/// The connection's own line of a client that was killed, whatever its kernel sent then.
const KILLED: [&str; 2] =
    ["SSH client killed under a command that does not read", "SSH network reset, the connection's own line"];

/// Starts a client that sends without end.
fn flood(agent: &SshAgent, arguments: &[&str]) -> Child {
    let mut yes = std::process::Command::new("yes").stdout(Stdio::piped()).spawn().expect("yes");
    let bytes = yes.stdout.take().expect("piped");
    let mut client = agent.ssh(arguments);
    let client = client.stdin(bytes).stdout(Stdio::null()).spawn();
    let client = client.expect("OpenSSH's client");
    std::thread::spawn(move || yes.wait()); // it ends with its reader
    client
}

fn kill(mut client: Child) -> Instant {
    client.kill().expect("SIGKILL");
    client.wait().expect("reaped");
    Instant::now()
}

/// The next line with a message, and that it came at once.
fn end_at_once(agent: &mut SshAgent, message: &str, since: Instant) -> Disconnect {
    let end = agent.agent.end(message);
    let late = since.elapsed();
    assert!(late < Duration::from_secs(3), "{late:?}: {end}");
    end
}

#[test]
fn a_client_killed_under_a_command_that_does_not_read_has_its_line_at_once() {
    with_ssh(|mut agent| {
        let client = flood(&agent, &["agent", "sleep 60"]);
        std::thread::sleep(Duration::from_secs(2));
        let killed = kill(client);
        end_at_once(&mut agent, LINE, killed);
        check_any(&KILLED, &end_at_once(&mut agent, CONNECTION_LINE, killed));
    });
}

#[test]
fn a_client_killed_under_a_target_that_does_not_read_has_its_line_at_once() {
    with_ssh(|mut agent| {
        let target = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = target.local_addr().expect("bound").to_string();
        let client = flood(&agent, &["-W", &address, "agent"]);
        let _held = target.accept().expect("forwarded");
        std::thread::sleep(Duration::from_secs(2));
        let killed = kill(client);
        end_at_once(&mut agent, CHANNEL_LINE, killed);
        check_any(&KILLED, &end_at_once(&mut agent, CONNECTION_LINE, killed));
    });
}

#[test]
fn a_consumer_that_does_not_read_is_hung_up_on_and_its_siblings_go_on() {
    with_ssh(|mut agent| {
        let (_directory, control) = control();
        let (mut master, _output) = agent.open_session(&["-M", "-S", &control]);
        let mut flooding = flood(&agent, &["-S", &control, "agent", "sleep 60"]);
        check("SSH command that does not read its input", &agent.end());
        assert_eq!(flooding.wait().expect("ended").code(), Some(255));

        let target = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = target.local_addr().expect("bound").to_string();
        let flooding = flood(&agent, &["-S", &control, "-W", &address, "agent"]);
        let _held = target.accept().expect("forwarded");
        check("forwarded channel whose target does not read", &agent.agent.end(CHANNEL_LINE));
        kill(flooding);

        let started = Instant::now();
        let sibling = agent.ssh(&["-S", &control, "agent", "exit 7"]).status();
        assert_eq!(sibling.expect("OpenSSH's client").code(), Some(7));
        assert!(started.elapsed() < Duration::from_secs(3));
        master.kill().expect("SIGKILL");
        master.wait().expect("reaped");
    });
}

/// A socket that listens, and lets every connection wait.
fn unanswering() -> (Socket, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&SockAddr::from(any)).expect("a free port");
    socket.listen(0).expect("listens");
    let address = address(&socket);
    let short = Duration::from_millis(200);
    let connect = || TcpStream::connect_timeout(&address, short).ok();
    let waiting = std::iter::from_fn(connect).collect();
    (socket, waiting)
}

fn address(socket: &Socket) -> std::net::SocketAddr {
    let address = socket.local_addr().expect("bound");
    address.as_socket().expect("of the internet")
}

#[test]
fn a_target_that_does_not_answer_holds_no_line_back() {
    with_ssh(|mut agent| {
        let (target, _waiting) = unanswering();
        let target = address(&target).to_string();
        let arguments = ["-W", &target, "agent"];
        let client = agent.ssh(&arguments).spawn().expect("OpenSSH's client");
        std::thread::sleep(Duration::from_secs(1));
        let killed = kill(client);
        check_any(&KILLED, &end_at_once(&mut agent, CONNECTION_LINE, killed));

        // Beside it, the agent leaves in good order.
        let mut client = agent.ssh(&arguments).spawn().expect("OpenSSH's client");
        std::thread::sleep(Duration::from_secs(1));
        let stopped = Instant::now();
        agent.agent.signal(Signal::SIGTERM);
        check("agent Ctrl-C with a silent SSH client", &end_at_once(&mut agent, CONNECTION_LINE, stopped));
        assert!(agent.agent.wait().success());
        client.wait().expect("sent away");
    });
}

#[test]
fn a_target_that_does_not_answer_is_given_up() {
    with_ssh(|agent| {
        let (target, _waiting) = unanswering();
        let target = address(&target).to_string();
        let started = Instant::now();
        let mut client =
            agent.ssh(&["-W", &target, "agent"]).stdout(Stdio::piped()).spawn().expect("OpenSSH's client");
        let output = client.stdout.take().expect("piped").read_to_end(&mut Vec::new());
        assert_eq!(output.expect("the end"), 0);
        assert_eq!(client.wait().expect("ended").code(), Some(255));
        assert!(started.elapsed() < Duration::from_secs(20));
    });
}
