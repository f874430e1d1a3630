//! What depends on the operating system: its codes, its handles, its exit statuses.

use std::io;

use super::script::{Answer, Call, Scripted};
use crate::support::{connection, known, tracked};

/// What a read that fails with a code of the operating system records, over std's traits or tokio's.
fn after(code: i32, is_polled: bool) -> Option<String> {
    let (mut stream, cause) = tracked(Scripted::new(&[Answer::Errno(code)]));
    if is_polled {
        assert!(Call::Read(1).polled(&mut stream).is_ready());
    } else {
        Call::Read(1).blocking(&mut stream).0.expect_err("its own error");
    }
    known(&cause)
}

/// The code with which TCP gives up.
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
const GAVE_UP: i32 = if cfg!(target_os = "linux") {
    110 // ETIMEDOUT
} else if cfg!(target_os = "macos") {
    60 // ETIMEDOUT
} else {
    10060 // WSAETIMEDOUT
};

/// A blocking socket of Windows has the same code for its own timeout.
#[test]
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
fn tcp_that_gives_up_ends_the_connection_if_it_can_be_known() {
    let text = io::Error::from_raw_os_error(GAVE_UP);
    let gave_up = format!(
        "agent_to_client ended by network: network_error (timed_out, peer client): read failed: {text}"
    );
    assert_eq!(after(GAVE_UP, true).as_ref(), Some(&gave_up));
    assert_eq!(after(GAVE_UP, false), (!cfg!(windows)).then_some(gave_up));
}

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsFd, AsRawFd};

    #[test]
    fn the_handle_of_a_socket_is_its_own() {
        let (_client, socket) = super::connection();
        let (stream, _) = super::tracked(socket);
        let handle = stream.get_ref().as_raw_fd();
        assert_eq!(stream.as_raw_fd(), handle);
        assert_eq!(stream.as_fd().as_raw_fd(), handle);
    }
}

#[cfg(windows)]
mod windows {
    use std::io::Read;
    use std::os::windows::io::{AsRawSocket, AsSocket};
    use std::os::windows::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    use disconnect_attribution::ConnectType::AgentToClient;
    use disconnect_attribution::{Disconnect, DisconnectReason, Trigger, classify_session_exit};

    use super::{GAVE_UP, connection, tracked};
    use crate::support::{Lines, track};

    #[test]
    fn the_handle_of_a_socket_is_its_own() {
        let (_client, socket) = connection();
        let (stream, _) = tracked(socket);
        let handle = stream.get_ref().as_raw_socket();
        assert_eq!(stream.as_raw_socket(), handle);
        assert_eq!(stream.as_socket().as_raw_socket(), handle);
    }

    /// As `ExitStatus` itself prints it.
    #[test]
    fn a_crash_is_in_hex() {
        let rows = [
            (7, 7, "7"),
            (0x7fff_ffff, i32::MAX, "2147483647"),
            (0x8000_0003, -2_147_483_645, "0x80000003"),
            (0xc000_0005, -1_073_741_819, "0xc0000005"),
            (0xffff_ffff, -1, "0xffffffff"),
        ];
        for (raw, code, text) in rows {
            let status = ExitStatus::from_raw(raw);
            assert_eq!(status.to_string(), format!("exit code: {text}"));
            let expected = Disconnect::new(AgentToClient, DisconnectReason::ProcessExited)
                .with_exit_code(code)
                .with_detail(format!("process exited with error status: {text}"));
            assert_eq!(classify_session_exit(false, &std::io::Result::Ok(status)), expected);
        }
    }

    #[test]
    fn a_timeout_that_a_site_gives_up_at_counts_beside_a_tracked_stream() {
        let lines = Lines::default();
        let guard = lines.guard();
        let (_client, socket) = connection();
        let mut stream = track(&guard, socket);
        let timeout = Some(Duration::from_millis(1));
        stream.get_ref().set_read_timeout(timeout).expect("set");
        let error = stream.read(&mut [0]).expect_err("nothing to read");
        assert_eq!(error.raw_os_error(), Some(GAVE_UP));
        guard.record_error(&error);
        drop(guard);
        assert_eq!(lines.one().trigger(), Some(Trigger::TimedOut));
    }
}
