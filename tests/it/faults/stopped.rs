//! A process that is suspended (SIGSTOP): both clocks go on, its kernel answers for it, and it does not.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use super::{answered, line_of, serve};
use crate::support::respawned::{RESPAWNED, is_respawned, respawn};
use crate::support::{END_OF_FILE, words};

const IDLE: Duration = Duration::from_secs(1);
const STOPPED: Duration = Duration::from_secs(2);

/// Silence counts the time in which this side could not hear, an idle policy fires on it, and what came meanwhile is
/// heard when it is read.
#[test]
fn a_process_that_was_suspended_counts_the_time_hears_what_came_and_sees_no_clock_jump() {
    const TEST: &str = "faults::stopped::a_process_that_was_suspended_counts_the_time_hears_what_came_and_sees_no_clock_jump";
    if is_respawned() {
        return serve();
    }
    for (idle, is_heard) in [("1", false), ("60", true)] {
        let (mut process, mut client) = answered(respawn(TEST).env(RESPAWNED, idle));
        // Until it waits for more: then it has noted when it heard this.
        thread::sleep(Duration::from_millis(100));
        process.signal("STOP");
        if is_heard {
            client.write_all(b"b").expect("the kernel takes it");
        }
        thread::sleep(STOPPED);
        process.signal("CONT");
        if is_heard {
            client.read_exact(&mut [0]).expect("answered after all");
            client.shutdown(Shutdown::Write).expect("shut down");
        }
        let line = line_of(&mut process);
        let idle = "agent_to_client ended by agent: graceful (idle_timeout)";
        assert_eq!(words(&line), if is_heard { END_OF_FILE } else { idle });
        assert!(line.connection_duration() >= Some(STOPPED), "{line}");
        // Heard when it was read, not when it came.
        let silence = line.peer_silence().expect("measured");
        assert!(if is_heard { silence < IDLE } else { silence >= STOPPED }, "{line}");
        assert_eq!(line.clock_jump(), None, "{line}");
    }
}
