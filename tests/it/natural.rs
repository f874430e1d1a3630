//! The natural code of a new user, and the line that it logs: real sockets, processes and terminals.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::{Command, Stdio};
use std::time::Duration;

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{
    Cause, CloseCode, Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger,
    classify_pty_exit,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::time::{sleep, timeout};

use crate::support::{
    DROPPED, END_OF_FILE, Lines, client_closed, connection, end, ended, in_tokio, known, line, reset,
    shutdown, tokio_connection, track, words,
};

const MOMENT: Duration = Duration::from_millis(20);

fn tokio_line(story: impl AsyncFnOnce(DisconnectGuard)) -> String {
    line(in_tokio(story))
}

const GOODBYE: &str = "agent_to_client ended by client: client_closed (end_of_file, peer client)";
const CUT: &str =
    "agent_to_client ended by network: network_error (end_of_file, peer client): failed to fill whole buffer";

#[test]
fn a_frame_that_is_cut_is_no_goodbye() {
    for goodbye_is_presumed in [false, true] {
        let read_frame = line(|guard| {
            let (mut client, socket) = connection();
            let mut stream = track(&guard, socket);
            if goodbye_is_presumed {
                guard.cause().presume(end(DisconnectReason::ClientClosed));
            } else {
                stream = stream.with_goodbye();
            }
            client.write_all(b"half").expect("sent");
            drop(client);
            let read = stream.read_exact(&mut [0; 8]);
            assert!(read.inspect_err(|error| guard.record_error(error)).is_err());
        });
        assert_eq!(read_frame, CUT, "presumed: {goodbye_is_presumed}");
    }
}

#[test]
fn a_timer_of_this_program_is_a_deadline() {
    let deadline = "agent_to_client ended by network: network_error (deadline): ";
    let tokio = tokio_line(async |guard| {
        let (_client, socket) = tokio_connection();
        let mut stream = track(&guard, socket);
        let mut buffer = [0];
        let read = timeout(MOMENT, stream.read(&mut buffer)).await;
        assert!(read.inspect_err(|error| guard.record_error(error)).is_err());
    });
    assert_eq!(tokio, format!("{deadline}deadline has elapsed"));
    let blocking = line(|guard| {
        let (_client, socket) = connection();
        socket.set_read_timeout(Some(MOMENT)).expect("set");
        let mut stream = track(&guard, socket);
        let read = stream.read_exact(&mut [0]);
        assert!(read.inspect_err(|error| guard.record_error(error)).is_err());
    });
    assert_eq!(blocking, format!("{deadline}Resource temporarily unavailable (os error 11)"));
}

#[test]
fn a_socket_and_its_clone_are_one_transport() {
    let clones = ended(|guard| {
        let (mut client, socket) = connection();
        let mut read = track(&guard, socket.try_clone().expect("cloned"));
        let mut write = track(&guard, socket);
        write.write_all(b"hello").expect("written");
        client.read_exact(&mut [0; 5]).expect("read");
        std::thread::sleep(MOMENT);
        client.write_all(b"hi").expect("written");
        read.read_exact(&mut [0; 2]).expect("read");
    });
    assert!(clones.peer_silence() < clones.connection_duration(), "one of them heard the client");
    assert_eq!((clones.bytes_received(), clones.bytes_sent()), (Some(2), Some(5)));
}

#[test]
fn a_proxy_names_the_leg_that_broke() {
    for (is_client, peer) in [(true, "client"), (false, "server")] {
        let reset_leg = tokio_line(async |guard| {
            let ((client, one), (server, other)) = (tokio_connection(), tokio_connection());
            let mut one = track(&guard, one).with_half_close();
            let mut other = guard.track(other, Initiator::Server).with_half_close();
            let (broken, _kept) = if is_client { (client, server) } else { (server, client) };
            reset(broken);
            assert!(copy_bidirectional(&mut one, &mut other).await.is_err());
        });
        let expected = format!(
            "agent_to_client ended by network: network_error (reset, peer {peer}): \
             read failed: Connection reset by peer (os error 104)"
        );
        assert_eq!(reset_leg, expected);
    }
}

#[test]
fn half_a_hello_is_no_check_of_a_load_balancer() {
    let connect = |hello: &[u8]| {
        line(|guard| {
            guard.cause().presume(client_closed());
            let (mut client, socket) = connection();
            let mut stream = track(&guard, socket);
            client.write_all(hello).expect("sent");
            drop(client);
            assert!(stream.read_exact(&mut [0; 8]).is_err());
        })
    };
    assert_eq!(connect(b""), GOODBYE);
    assert_eq!(connect(b"half"), END_OF_FILE);
}

#[test]
fn a_proxy_that_is_aborted_while_a_leg_flows_is_not_a_client_that_left() {
    let aborted = tokio_line(async |guard| {
        let ((client, one), (mut server, other)) = (tokio_connection(), tokio_connection());
        let task = tokio::spawn(async move {
            let mut one = track(&guard, one).with_half_close();
            let mut other = guard.track(other, Initiator::Server).with_half_close();
            let _ = copy_bidirectional(&mut one, &mut other).await;
        });
        client.shutdown(Shutdown::Write).expect("shut down");
        sleep(MOMENT).await;
        server.read_to_end(&mut Vec::new()).expect("the half close was passed on");
        task.abort();
        assert!(task.await.is_err());
    });
    assert_eq!(aborted, DROPPED);
}

/// The commonest end of a download through a proxy: the client is gone, and the server goes on sending.
#[test]
fn a_client_that_leaves_a_proxy_while_the_server_sends_has_left() {
    let left = tokio_line(async |guard| {
        let ((client, one), (mut server, other)) = (tokio_connection(), tokio_connection());
        let mut one = track(&guard, one).with_half_close();
        let mut other = guard.track(other, Initiator::Server).with_half_close();
        drop(client);
        let send = std::thread::spawn(move || while server.write_all(&[0; 1000]).is_ok() {});
        assert!(copy_bidirectional(&mut one, &mut other).await.is_err());
        drop((one, other));
        send.join().expect("no panic");
    });
    assert_eq!(left, GOODBYE);
}

#[test]
fn idle_connections_that_a_draining_server_lets_go_read_as_the_drain() {
    let drained = line(|guard| {
        let server = Cause::default();
        let guard = guard.with_cause(server.child());
        guard.cause().presume(client_closed());
        let (_client, socket) = connection();
        let _stream = track(&guard, socket);
        server.presume(shutdown());
    });
    assert_eq!(drained, "agent_to_client ended by agent: server_shutdown");
}

#[test]
fn a_terminal_that_its_shell_left_has_ended() {
    let terminal = nix::pty::openpty(None, None).expect("a terminal");
    let stdio = || Stdio::from(terminal.slave.try_clone().expect("cloned"));
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo hi"]).stdin(stdio()).stdout(stdio()).stderr(stdio());
    assert!(shell.status().expect("run").success());
    drop((shell, terminal.slave));
    let mut master = std::fs::File::from(terminal.master);
    let mut text = Vec::new();
    let result = master.read_to_end(&mut text);
    assert_eq!(text, b"hi\r\n");
    let end = classify_pty_exit(false, &result);
    assert_eq!((end.reason(), end.exit_code()), (DisconnectReason::Graceful, None));
    let end = classify_pty_exit(true, &result);
    assert_eq!((end.reason(), end.exit_code()), (DisconnectReason::ServerShutdown, Some(1)));
    let terminal = line(|guard| {
        let mut stream = guard.track(master, Initiator::Agent).with_goodbye();
        assert!(stream.read(&mut [0]).is_err());
    });
    assert_eq!(terminal, "agent_to_client ended by agent: graceful (end_of_file, peer agent)");
}

#[test]
fn two_upstreams_of_one_kind_stand_for_themselves() {
    let aborted = |second_stops: bool| {
        tokio_line(async |guard| {
            let ((first, one), (mut second, other)) = (tokio_connection(), tokio_connection());
            let mut one = guard.track(one, Initiator::Server).with_half_close();
            let mut other = guard.track(other, Initiator::Server).with_half_close();
            drop(first);
            assert_eq!(one.read(&mut [0]).await.expect("read"), 0);
            other.write_all(b"x").await.expect("written");
            second.read_exact(&mut [0]).expect("read");
            second.write_all(b"y").expect("written");
            other.read_exact(&mut [0]).await.expect("read");
            if second_stops {
                drop(second);
                let _ = other.read(&mut [0]).await;
            }
        })
    };
    assert!(aborted(false).contains("(dropped)"));
    assert!(aborted(true).starts_with("agent_to_client ended by server: graceful (end_of_file"));
}

/// A library that reads ahead sees the socket end before it looks at the goodbye.
#[test]
fn a_close_code_that_was_still_buffered_when_the_socket_ended_is_the_cause() {
    let line = line(|guard| {
        let (mut client, socket) = connection();
        let mut stream = track(&guard, socket);
        client.write_all(b"websocket:1001").expect("sent");
        drop(client);
        let mut buffered = String::new();
        stream.read_to_string(&mut buffered).expect("read ahead");
        assert_eq!(known(&guard.cause()).as_deref(), Some(END_OF_FILE));
        let code: CloseCode = buffered.parse().expect("a close code");
        let goodbye = Disconnect::from_close_code(AgentToClient, code, Initiator::Client);
        assert!(guard.cause().record(Evidence::Peer, goodbye));
    });
    assert_eq!(line, "agent_to_client ended by client: client_closed (websocket:1001)");
}

#[test]
fn one_outage_under_65_channels_is_one_line_without_an_origin_and_a_tab_that_was_closed_is_none_of_them() {
    let (channels, tab) = (Lines::default(), Lines::default());
    let connection = line(|guard| {
        let (client, socket) = connection();
        let mut stream = track(&guard, socket);
        let closed = tab.guard().with_cause(guard.cause().child());
        let open: Vec<_> = (0..65).map(|_| channels.guard().with_cause(guard.cause().child())).collect();
        closed.cause().record(Evidence::Peer, client_closed());
        drop(closed);
        reset(client);
        stream.read(&mut [0]).expect_err("reset");
        drop(open);
    });
    assert_eq!(words(&tab.one()), "agent_to_client ended by client: client_closed");
    assert!(connection.contains("network_error (reset, peer client)"), "{connection}");
    let lines = channels.take();
    assert_eq!(lines.len(), 65);
    let is_inherited = |line: &Disconnect| line.origin() == Some(AgentToClient);
    assert!(lines.iter().all(|line| is_inherited(line) && line.trigger() == Some(Trigger::Reset)));
}
