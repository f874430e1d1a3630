//! A clock that is set while a connection is open: libfaketime moves the wall clock of a process while it
//! runs, and leaves the monotonic one.

use std::net::Shutdown;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use disconnect_attribution::Disconnect;

use super::{answered, line_of, serve};
use crate::support::respawned::{RESPAWNED, is_respawned, respawn};

/// Where Debian puts it.
fn libfaketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").expect("listed");
    folders
        .map(|folder| folder.expect("listed").path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
}

/// The line of a connection that was open for half a second in which the clock was set, by seconds.
fn line_after_a_jump(library: &PathBuf, test: &str, seconds: i64) -> Disconnect {
    let clock = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(clock.path(), "+0").expect("written");
    let mut command = respawn(test);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", clock.path())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env(RESPAWNED, "60");
    let (mut process, client) = answered(&mut command);
    thread::sleep(Duration::from_millis(250));
    std::fs::write(clock.path(), format!("{seconds:+}")).expect("written");
    thread::sleep(Duration::from_millis(250));
    client.shutdown(Shutdown::Write).expect("shut down");
    line_of(&mut process)
}

#[test]
fn a_clock_that_is_set_moves_no_duration_and_shows() {
    const TEST: &str = "faults::clock::a_clock_that_is_set_moves_no_duration_and_shows";
    if is_respawned() {
        return serve();
    }
    let Some(library) = libfaketime() else {
        assert!(std::env::var_os("ALL_PEERS").is_none(), "libfaketime is missing");
        eprintln!("skipped: libfaketime is missing");
        return;
    };
    for seconds in [0, -3600, 7200] {
        let line = line_after_a_jump(&library, TEST, seconds);
        let open = line.connection_duration().expect("measured").as_millis();
        let silence = line.peer_silence().expect("measured").as_millis();
        assert!((500..10_000).contains(&open), "{seconds} s: {line}");
        assert!((500..=open).contains(&silence), "{seconds} s: {line}");
        // To the second: both clocks are read one after the other.
        let jump = line.clock_jump().map(|jump| (jump + jump.signum() * 100) / 1000);
        assert_eq!(jump, (seconds != 0).then_some(seconds), "{line}");
    }
}
