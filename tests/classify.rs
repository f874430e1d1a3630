//! Classification over the whole domain: every input has a row.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use disconnect_attribution::ConnectType::{AgentToClient, ClientToServer, ServerToAgent};
use disconnect_attribution::DisconnectReason::{
    ClientClosed, Graceful, NetworkError, ProtocolError, ServerShutdown, Unknown,
};
use disconnect_attribution::Initiator::{Agent, Client, Network, Server};
use disconnect_attribution::{
    ConnectType, Disconnect, DisconnectReason, Initiator, classify_channel_close,
    classify_coordination_close, classify_coordinator_rpc_exit, classify_pty_exit,
    classify_rpc_exit,
};

const OK: Result<(), &str> = Ok(());
const FAILED: Result<(), &str> = Err("broken");

#[test]
fn coordinator_rpc() {
    let rows = [
        (false, OK, Graceful, Server),
        (false, FAILED, NetworkError, Network),
        (true, OK, ServerShutdown, Agent),
        (true, FAILED, ServerShutdown, Agent),
    ];
    for (local_shutdown, result, reason, initiator) in rows {
        assert_eq!(
            classify_coordinator_rpc_exit(local_shutdown, &result),
            Disconnect::new(ServerToAgent, reason).with_initiator(initiator),
        );
    }
}

/// Who hung up when the result was `Ok`; `None` for a `local` that is no end of the layer.
fn peer(connect_type: ConnectType, local: Initiator) -> Option<Initiator> {
    match (connect_type, local) {
        (ServerToAgent, Server) | (AgentToClient, Client) => Some(Agent),
        (ServerToAgent, Agent) | (ClientToServer, Client) => Some(Server),
        (AgentToClient, Agent) | (ClientToServer, Server) => Some(Client),
        (ServerToAgent, Client | Network | Initiator::Unknown)
        | (AgentToClient, Server | Network | Initiator::Unknown)
        | (ClientToServer, Agent | Network | Initiator::Unknown) => None,
    }
}

#[test]
fn rpc_at_either_end_of_any_layer() {
    for &connect_type in ConnectType::VARIANTS {
        for &local in Initiator::VARIANTS {
            let clean = classify_rpc_exit(connect_type, local, false, &OK);
            assert_eq!(clean.reason(), Graceful);
            assert_eq!(
                clean.initiator(),
                peer(connect_type, local),
                "{connect_type} {local}"
            );

            let failed = classify_rpc_exit(connect_type, local, false, &FAILED);
            assert_eq!(
                failed,
                Disconnect::new(connect_type, NetworkError).with_initiator(Network)
            );

            let shutdown = if local == Client {
                ClientClosed
            } else {
                ServerShutdown
            };
            for result in [OK, FAILED] {
                assert_eq!(
                    classify_rpc_exit(connect_type, local, true, &result),
                    Disconnect::new(connect_type, shutdown).with_initiator(local),
                );
            }
        }
    }
}

#[test]
fn coordination_close() {
    for &connect_type in ConnectType::VARIANTS {
        for &initiator in Initiator::VARIANTS {
            for (result, reason) in [(OK, Graceful), (FAILED, NetworkError)] {
                assert_eq!(
                    classify_coordination_close(connect_type, initiator, &result),
                    Disconnect::new(connect_type, reason).with_initiator(initiator),
                );
            }
        }
    }
}

#[test]
fn pty() {
    let end = |reason| Disconnect::new(AgentToClient, reason);
    for local_shutdown in [false, true] {
        assert_eq!(
            classify_pty_exit(local_shutdown, &OK),
            end(Graceful).with_exit_code(0)
        );
    }
    assert_eq!(
        classify_pty_exit(true, &FAILED),
        end(ServerShutdown).with_initiator(Agent).with_exit_code(1),
    );
    assert_eq!(
        classify_pty_exit(false, &FAILED),
        end(NetworkError)
            .with_initiator(Network)
            .with_exit_code(1)
            .with_detail("broken"),
    );
}

#[test]
fn channel() {
    assert_eq!(
        classify_channel_close(&OK),
        Disconnect::new(AgentToClient, Graceful).with_detail("normal close"),
    );
    assert_eq!(
        classify_channel_close(&FAILED),
        Disconnect::new(AgentToClient, NetworkError).with_detail("broken"),
    );
}

/// An error whose text never ends.
struct Flood;

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("flood ")?;
        }
    }
}

#[test]
fn an_endless_error_text_ends() {
    let end = classify_channel_close::<(), _>(&Err(Flood));
    let detail = end.detail().expect("kept");
    assert_eq!(detail.len(), 256);
    assert!(detail.ends_with("flood f…"), "{detail}");
}

/// An error that goes on writing after it was told to stop.
struct Deaf;

impl fmt::Display for Deaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..300 {
            let _ = f.write_str("🦀");
            let _ = f.write_str("x");
        }
        Ok(())
    }
}

#[test]
fn nothing_follows_the_mark_of_a_cut() {
    let end = classify_channel_close::<(), _>(&Err(Deaf));
    assert_eq!(
        end.detail(),
        Some(format!("{}…", "🦀x".repeat(50)).as_str())
    );
}

#[cfg(unix)]
mod session {
    use std::io;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus, Stdio};

    use disconnect_attribution::ConnectType::AgentToClient;
    use disconnect_attribution::DisconnectReason::{
        Graceful, NetworkError, ProcessExited, ServerShutdown, Unknown,
    };
    use disconnect_attribution::Initiator::Agent;
    use disconnect_attribution::{Disconnect, DisconnectReason, classify_session_exit};

    fn end(reason: DisconnectReason) -> Disconnect {
        Disconnect::new(AgentToClient, reason)
    }

    fn shell(script: &str) -> io::Result<ExitStatus> {
        Command::new("sh")
            .args(["-c", script])
            .stderr(Stdio::null())
            .status()
    }

    #[test]
    fn every_exit_status_that_a_process_can_leave() {
        for status in 0..=255 {
            let result: io::Result<_> = Ok(ExitStatus::from_raw(status << 8));
            let clean = status == 0;
            let left = if clean {
                end(Graceful)
            } else {
                end(ProcessExited)
                    .with_detail(format!("process exited with error status: {status}"))
            };
            assert_eq!(
                classify_session_exit(false, &result),
                left.with_exit_code(status)
            );

            let stopped = if clean {
                end(Graceful)
            } else {
                end(ServerShutdown).with_initiator(Agent)
            };
            assert_eq!(
                classify_session_exit(true, &result),
                stopped.with_exit_code(status)
            );
        }
    }

    #[test]
    fn a_process_that_exits_by_itself() {
        assert_eq!(
            classify_session_exit(false, &shell("exit 0")).reason(),
            Graceful
        );
        let failed = classify_session_exit(false, &shell("exit 7"));
        assert_eq!(failed.exit_code(), Some(7));
        assert_eq!(
            failed.report_reason(),
            "process exited with error status: 7"
        );
    }

    #[test]
    fn a_process_that_a_signal_kills() {
        for (signal, name) in [
            ("KILL", "9 (SIGKILL)"),
            ("TERM", "15 (SIGTERM)"),
            ("SEGV", "11 (SIGSEGV)"),
        ] {
            let killed = classify_session_exit(false, &shell(&format!("kill -{signal} $$")));
            assert_eq!(killed.reason(), ProcessExited);
            assert_eq!(killed.exit_code(), Some(255));
            assert_eq!(killed.initiator(), None);
            let detail = killed.detail().expect("names the signal");
            // A system that writes core dumps adds that.
            assert!(
                detail.starts_with(&format!("process exited with signal: {name}")),
                "{detail}"
            );

            let stopped = classify_session_exit(true, &shell(&format!("kill -{signal} $$")));
            assert_eq!(
                stopped,
                end(ServerShutdown)
                    .with_initiator(Agent)
                    .with_exit_code(255),
            );
        }
    }

    #[test]
    fn a_session_that_fails_before_a_status() {
        let reset: io::Result<ExitStatus> = Err(io::ErrorKind::ConnectionReset.into());
        assert_eq!(
            classify_session_exit(false, &reset),
            end(NetworkError).with_detail("connection reset"),
        );
        assert_eq!(
            classify_session_exit(true, &reset),
            end(ServerShutdown).with_initiator(Agent)
        );

        let missing = Command::new("/nonexistent/shell").status();
        let error = missing.as_ref().expect_err("no such file").to_string();
        let missing = classify_session_exit(false, &missing);
        assert_eq!(missing.reason(), Unknown);
        assert_eq!(missing.detail(), Some(error.as_str()));
    }
}

#[test]
fn every_kind_of_io_error() {
    use ErrorKind as Kind;
    let transport = [
        Kind::ConnectionRefused,
        Kind::ConnectionReset,
        Kind::ConnectionAborted,
        Kind::NotConnected,
        Kind::BrokenPipe,
        Kind::TimedOut,
        Kind::UnexpectedEof,
        Kind::WriteZero,
        Kind::HostUnreachable,
        Kind::NetworkUnreachable,
        Kind::NetworkDown,
    ];
    let silent = [
        Kind::NotFound,
        Kind::PermissionDenied,
        Kind::AddrInUse,
        Kind::AddrNotAvailable,
        Kind::AlreadyExists,
        Kind::WouldBlock,
        Kind::InvalidInput,
        Kind::Interrupted,
        Kind::Unsupported,
        Kind::OutOfMemory,
        Kind::StorageFull,
        Kind::Other,
    ];
    for kind in transport {
        assert_eq!(
            DisconnectReason::from_io_error_kind(kind),
            NetworkError,
            "{kind:?}"
        );
    }
    for kind in silent {
        assert_eq!(
            DisconnectReason::from_io_error_kind(kind),
            Unknown,
            "{kind:?}"
        );
    }
    assert_eq!(
        DisconnectReason::from_io_error_kind(Kind::InvalidData),
        ProtocolError
    );
    for errno in 0..=200 {
        let error = io::Error::from_raw_os_error(errno);
        assert_eq!(
            DisconnectReason::from_error(&error),
            DisconnectReason::from_io_error_kind(error.kind()),
        );
    }
}

#[derive(Debug)]
struct Layer<E>(E);

impl<E> fmt::Display for Layer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("session failed")
    }
}

impl<E: Error + 'static> Error for Layer<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// An error that is its own source.
#[derive(Debug)]
struct Circle;

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("again")
    }
}

impl Error for Circle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[test]
fn the_first_io_error_that_says_why_decides() {
    let reset = || io::Error::from(ErrorKind::ConnectionReset);
    let garbage = || io::Error::new(ErrorKind::InvalidData, "not a frame");
    let rows: [(&str, Box<dyn Error>, DisconnectReason); 9] = [
        ("itself", reset().into(), NetworkError),
        (
            "below two layers",
            Layer(Layer(reset())).into(),
            NetworkError,
        ),
        ("no io error at all", Layer(fmt::Error).into(), Unknown),
        (
            "a silent kind with nothing in it",
            io::Error::from(ErrorKind::NotFound).into(),
            Unknown,
        ),
        (
            "looked through",
            io::Error::other(reset()).into(),
            NetworkError,
        ),
        (
            "looked through twice",
            io::Error::other(io::Error::other(garbage())).into(),
            ProtocolError,
        ),
        (
            "looked through to a layer",
            io::Error::other(Layer(garbage())).into(),
            ProtocolError,
        ),
        (
            "the outer one that speaks wins",
            io::Error::new(ErrorKind::InvalidData, reset()).into(),
            ProtocolError,
        ),
        ("a circle ends", Circle.into(), Unknown),
    ];
    for (name, error, reason) in rows {
        assert_eq!(DisconnectReason::from_error(&*error), reason, "{name}");
    }
}
