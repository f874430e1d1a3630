//! Classification over the whole domain: every input has a row.

use disconnect_attribution::ConnectType::{AgentToClient, ClientToServer, ServerToAgent};
use disconnect_attribution::DisconnectReason::{Graceful, NetworkError, ServerShutdown};
use disconnect_attribution::Initiator::{Agent, Client, Network, Server};
use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectReason, Initiator, classify_channel_close,
    classify_coordination_close, classify_coordinator_rpc_exit, classify_pty_exit, classify_rpc_exit,
};

use crate::support::{end, network_error, shutdown};

const OK: Result<(), &str> = Ok(());
/// A text that has to be escaped and trimmed.
const FAILED: Result<(), &str> = Err("permission denied:\ttoken revoked\n");
const TEXT: &str = r"permission denied:\ttoken revoked";

/// What the site decides, and who ended it.
fn record(connect_type: ConnectType, reason: DisconnectReason, by: Option<Initiator>) -> Disconnect {
    let end = Disconnect::new(connect_type, reason);
    by.map_or(end.clone(), |by| end.with_initiator(by))
}

#[test]
fn a_coordinator_rpc_ends_by_its_server_by_the_network_or_by_a_shutdown() {
    let rows = [
        (false, OK, record(ServerToAgent, Graceful, Some(Server))),
        (false, FAILED, record(ServerToAgent, NetworkError, Some(Network)).with_detail(TEXT)),
        (true, OK, record(ServerToAgent, ServerShutdown, Some(Agent))),
        (true, FAILED, record(ServerToAgent, ServerShutdown, Some(Agent)).with_detail(TEXT)),
    ];
    for (local_shutdown, result, expected) in rows {
        assert_eq!(classify_coordinator_rpc_exit(local_shutdown, &result), expected);
    }
}

#[test]
fn an_rpc_ends_by_its_peer_by_the_network_or_by_a_shutdown_at_either_side() {
    // The other side, which hung up if the result is `Ok`.
    let peer = |connect_type, local| match (connect_type, local) {
        (ServerToAgent, Agent) | (ClientToServer, Client) => Some(Server),
        (ServerToAgent, Server) | (AgentToClient, Client) => Some(Agent),
        (AgentToClient, Agent) | (ClientToServer, Server) => Some(Client),
        _ => None,
    };
    for &connect_type in ConnectType::VARIANTS {
        for &local in Initiator::VARIANTS {
            let classify = |shutdown, result| classify_rpc_exit(connect_type, local, shutdown, result);
            let record = |reason, by| record(connect_type, reason, by);
            assert_eq!(classify(false, &OK), record(Graceful, peer(connect_type, local)));
            assert_eq!(classify(false, &FAILED), record(NetworkError, Some(Network)).with_detail(TEXT));
            let shutdown = Disconnect::shutdown(connect_type, local);
            assert_eq!(classify(true, &OK), shutdown);
            assert_eq!(classify(true, &FAILED), shutdown.with_detail(TEXT));
        }
    }
}

#[test]
fn closing_a_coordination_or_a_channel_is_graceful_unless_it_fails() {
    for &connect_type in ConnectType::VARIANTS {
        for &initiator in Initiator::VARIANTS {
            let record = |reason| record(connect_type, reason, Some(initiator));
            let classify = |result| classify_coordination_close(connect_type, initiator, result);
            assert_eq!(classify(&OK), record(Graceful));
            assert_eq!(classify(&FAILED), record(NetworkError).with_detail(TEXT));
        }
    }
    assert_eq!(classify_channel_close(&OK), end(Graceful).with_detail("normal close"));
    assert_eq!(classify_channel_close(&FAILED), end(NetworkError).with_detail(TEXT));
}

#[test]
fn a_reconnecting_terminal_has_an_exit_code_of_0_or_1() {
    let rows = [
        (false, OK, end(Graceful).with_exit_code(0)),
        (true, OK, end(Graceful).with_exit_code(0)),
        (true, FAILED, shutdown().with_exit_code(1).with_detail(TEXT)),
        (false, FAILED, network_error().with_exit_code(1).with_detail(TEXT)),
    ];
    for (local_shutdown, result, expected) in rows {
        assert_eq!(classify_pty_exit(local_shutdown, &result), expected);
    }
}

/// Errors of the RPC functions need no more than a text, and values nothing at all.
#[test]
fn any_value_and_any_text_of_an_error_will_do() {
    struct Opaque;

    let failed: Result<Opaque, char> = Err('?');
    let boxed: Result<(), Box<dyn std::error::Error + Send + Sync>> = Err("?".into());
    let records = [
        classify_coordinator_rpc_exit(true, &failed),
        classify_rpc_exit(ClientToServer, Server, false, &failed),
        classify_coordination_close(ServerToAgent, Agent, &failed),
        classify_pty_exit(false, &failed),
        classify_channel_close(&boxed),
    ];
    for record in records {
        assert_eq!((record.detail(), record.trigger()), (Some("?"), None));
    }
}

#[cfg(unix)]
mod session {
    use std::io;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus, Stdio};

    use disconnect_attribution::DisconnectReason::{Graceful, NetworkError, ProcessExited, Unknown};
    use disconnect_attribution::{Trigger, classify_session_exit};

    use crate::support::{end, shutdown};

    fn shell(script: &str) -> io::Result<ExitStatus> {
        Command::new("sh").args(["-c", script]).stderr(Stdio::null()).status()
    }

    #[test]
    fn every_exit_status_is_kept_and_only_0_is_graceful() {
        for status in 0..=255 {
            let result: io::Result<_> = Ok(ExitStatus::from_raw(status << 8));
            let text = format!("process exited with error status: {status}");
            let (exited, stopped) = if status == 0 {
                (end(Graceful), end(Graceful))
            } else {
                (end(ProcessExited).with_detail(text.clone()), shutdown().with_detail(text))
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

            let stopped = shutdown().with_exit_code(255).with_detail(detail);
            assert_eq!(classify_session_exit(true, &result), stopped);
        }
    }

    #[test]
    fn a_session_that_fails_before_a_status_has_the_reason_of_its_error() {
        let reset = || io::Error::new(io::ErrorKind::ConnectionReset, "gone");
        let missing = io::Error::from_raw_os_error(2);
        let text = missing.to_string();
        let by_reset = || end(NetworkError).with_trigger(Trigger::Reset).with_detail("gone");
        let stopped = || shutdown().with_trigger(Trigger::Reset).with_detail("gone");
        let rows = [
            (reset(), by_reset(), stopped()),
            (io::Error::other(reset()), by_reset(), stopped()),
            (missing, end(Unknown).with_detail(text.clone()), shutdown().with_detail(text)),
        ];
        for (error, alone, at_a_shutdown) in rows {
            let result: io::Result<ExitStatus> = Err(error);
            assert_eq!(classify_session_exit(false, &result), alone);
            assert_eq!(classify_session_exit(true, &result), at_a_shutdown);
        }
    }
}
