//! Classification over the whole domain: every input has a row.

use std::fmt;

use disconnect_attribution::ConnectType::{AgentToClient, ClientToServer, ServerToAgent};
use disconnect_attribution::DisconnectReason::{ClientClosed, Graceful, NetworkError, ServerShutdown};
use disconnect_attribution::Initiator::{Agent, Client, Network, Server, Unknown};
use disconnect_attribution::{
    ConnectType, Disconnect, Initiator, classify_channel_close, classify_coordination_close,
    classify_coordinator_rpc_exit, classify_pty_exit, classify_rpc_exit,
};

use crate::support::end;

const OK: Result<(), &str> = Ok(());
/// A text that has to be escaped and trimmed.
const FAILED: Result<(), &str> = Err("permission denied:\ttoken revoked\n");
const TEXT: &str = r"permission denied:\ttoken revoked";

#[test]
fn a_coordinator_rpc_ends_by_its_server_by_the_network_or_by_a_shutdown() {
    let record = |reason, initiator| Disconnect::new(ServerToAgent, reason).with_initiator(initiator);
    let rows = [
        (false, OK, record(Graceful, Server)),
        (false, FAILED, record(NetworkError, Network).with_detail(TEXT)),
        (true, OK, record(ServerShutdown, Agent)),
        (true, FAILED, record(ServerShutdown, Agent).with_detail(TEXT)),
    ];
    for (local_shutdown, result, expected) in rows {
        assert_eq!(classify_coordinator_rpc_exit(local_shutdown, &result), expected);
    }
}

#[test]
fn an_rpc_ends_by_its_peer_by_the_network_or_by_a_shutdown_at_either_side() {
    // Who hung up if the result is `Ok`, and what a shutdown of this side is.
    let agents = (ServerShutdown, Some(Agent));
    let servers = (ServerShutdown, Some(Server));
    let clients = (ClientClosed, Some(Client));
    let nones = (ServerShutdown, None);
    let rows = [
        (ServerToAgent, Client, None, clients),
        (ServerToAgent, Agent, Some(Server), agents),
        (ServerToAgent, Server, Some(Agent), servers),
        (ServerToAgent, Network, None, nones),
        (ServerToAgent, Unknown, None, nones),
        (AgentToClient, Client, Some(Agent), clients),
        (AgentToClient, Agent, Some(Client), agents),
        (AgentToClient, Server, None, servers),
        (AgentToClient, Network, None, nones),
        (AgentToClient, Unknown, None, nones),
        (ClientToServer, Client, Some(Server), clients),
        (ClientToServer, Agent, None, agents),
        (ClientToServer, Server, Some(Client), servers),
        (ClientToServer, Network, None, nones),
        (ClientToServer, Unknown, None, nones),
    ];
    for (connect_type, local, peer, shutdown) in rows {
        let record = |(reason, initiator): (_, Option<Initiator>)| {
            let end = Disconnect::new(connect_type, reason);
            initiator.map_or(end.clone(), |initiator| end.with_initiator(initiator))
        };
        let classify = |shutdown, result| classify_rpc_exit(connect_type, local, shutdown, result);
        let failed = (NetworkError, Some(Network));
        assert_eq!(classify(false, &OK), record((Graceful, peer)));
        assert_eq!(classify(false, &FAILED), record(failed).with_detail(TEXT));
        assert_eq!(classify(true, &OK), record(shutdown));
        assert_eq!(classify(true, &FAILED), record(shutdown).with_detail(TEXT));
    }
}

#[test]
fn closing_a_coordination_is_graceful_unless_it_fails() {
    for &connect_type in ConnectType::VARIANTS {
        for &initiator in Initiator::VARIANTS {
            let record = |reason| Disconnect::new(connect_type, reason).with_initiator(initiator);
            let classify = |result| classify_coordination_close(connect_type, initiator, result);
            assert_eq!(classify(&OK), record(Graceful));
            assert_eq!(classify(&FAILED), record(NetworkError).with_detail(TEXT));
        }
    }
}

#[test]
fn a_reconnecting_terminal_has_an_exit_code_of_0_or_1() {
    let rows = [
        (false, OK, end(Graceful).with_exit_code(0)),
        (true, OK, end(Graceful).with_exit_code(0)),
        (true, FAILED, end(ServerShutdown).with_initiator(Agent).with_exit_code(1).with_detail(TEXT)),
        (false, FAILED, end(NetworkError).with_initiator(Network).with_exit_code(1).with_detail(TEXT)),
    ];
    for (local_shutdown, result, expected) in rows {
        assert_eq!(classify_pty_exit(local_shutdown, &result), expected);
    }
}

#[test]
fn closing_a_channel_is_graceful_unless_it_fails() {
    assert_eq!(classify_channel_close(&OK), end(Graceful).with_detail("normal close"));
    assert_eq!(classify_channel_close(&FAILED), end(NetworkError).with_detail(TEXT));
}

/// Errors of the RPC functions need no more than a text, and values nothing at all.
#[test]
fn any_value_and_any_text_of_an_error_will_do() {
    struct Opaque;

    impl fmt::Display for Opaque {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("opaque")
        }
    }

    let failed: Result<Opaque, Opaque> = Err(Opaque);
    let boxed: Result<(), Box<dyn std::error::Error + Send + Sync>> = Err("opaque".into());
    let records = [
        classify_coordinator_rpc_exit(true, &failed),
        classify_rpc_exit(ClientToServer, Server, false, &failed),
        classify_coordination_close(ServerToAgent, Agent, &failed),
        classify_pty_exit(false, &failed),
        classify_channel_close(&failed),
        classify_coordinator_rpc_exit(false, &boxed),
        classify_channel_close(&boxed),
    ];
    for record in records {
        assert_eq!(record.detail(), Some("opaque"));
        assert_eq!(record.trigger(), None);
    }
}

#[cfg(unix)]
mod session {
    use std::io;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus, Stdio};

    use disconnect_attribution::DisconnectReason::{
        Graceful, NetworkError, ProcessExited, ProtocolError, ServerShutdown, Unknown,
    };
    use disconnect_attribution::{Initiator, Trigger, classify_session_exit};

    use crate::support::end;

    fn shell(script: &str) -> io::Result<ExitStatus> {
        Command::new("sh").args(["-c", script]).stderr(Stdio::null()).status()
    }

    #[test]
    fn every_exit_status_is_kept_and_only_0_is_graceful() {
        let stopped = end(ServerShutdown).with_initiator(Initiator::Agent);
        for status in 0..=255 {
            let result: io::Result<_> = Ok(ExitStatus::from_raw(status << 8));
            let text = format!("process exited with error status: {status}");
            let (exited, stopped) = if status == 0 {
                (end(Graceful), end(Graceful))
            } else {
                (end(ProcessExited).with_detail(text.clone()), stopped.clone().with_detail(text))
            };
            assert_eq!(classify_session_exit(false, &result), exited.with_exit_code(status));
            assert_eq!(classify_session_exit(true, &result), stopped.with_exit_code(status));
        }
    }

    #[test]
    fn a_process_that_a_signal_kills_has_status_255() {
        for (signal, name) in [("KILL", "9 (SIGKILL)"), ("TERM", "15 (SIGTERM)"), ("SEGV", "11 (SIGSEGV)")] {
            let result = shell(&format!("kill -{signal} $$"));
            let killed = classify_session_exit(false, &result);
            let detail = killed.detail().expect("names the signal").to_owned();
            // A system that writes core dumps adds that.
            let expected = format!("process exited with signal: {name}");
            assert!(detail.starts_with(&expected), "{detail}");
            assert_eq!(killed, end(ProcessExited).with_detail(detail.clone()).with_exit_code(255));

            let stopped = end(ServerShutdown).with_initiator(Initiator::Agent).with_exit_code(255);
            assert_eq!(classify_session_exit(true, &result), stopped.with_detail(detail));
        }
    }

    #[test]
    fn a_session_that_fails_before_a_status_has_the_reason_of_its_error() {
        let stopped = end(ServerShutdown).with_initiator(Initiator::Agent);
        let reset = || io::Error::new(io::ErrorKind::ConnectionReset, "gone");
        let rows = [
            (reset(), NetworkError, Some(Trigger::Reset), "gone"),
            (io::Error::other(reset()), NetworkError, Some(Trigger::Reset), "gone"),
            (io::Error::new(io::ErrorKind::InvalidData, "no packet"), ProtocolError, None, "no packet"),
            (io::Error::other("out of terminals"), Unknown, None, "out of terminals"),
        ];
        for (error, reason, trigger, text) in rows {
            let result: io::Result<ExitStatus> = Err(error);
            let with_facts = |end: super::Disconnect| {
                let end = end.with_detail(text);
                trigger.map_or(end.clone(), |trigger| end.with_trigger(trigger))
            };
            assert_eq!(classify_session_exit(false, &result), with_facts(end(reason)));
            assert_eq!(classify_session_exit(true, &result), with_facts(stopped.clone()));
        }

        let missing = Command::new("/nonexistent/shell").status();
        let text = missing.as_ref().expect_err("no such file").to_string();
        assert_eq!(classify_session_exit(false, &missing), end(Unknown).with_detail(text));
    }
}
