//! A process that is suspended (SIGSTOP): both clocks go on, its kernel answers for it, and it does not.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use disconnect_attribution::{Disconnect, DisconnectGuard, Initiator, Trigger};
use slog::{Drain, Logger, info, o};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{LAYER, line_of};
use crate::support::respawned::{RESPAWNED, Respawned, is_respawned, print_address, respawn};
use crate::support::{END_OF_FILE, track, words};

const IDLE: Duration = Duration::from_secs(1);
const STOPPED: Duration = Duration::from_secs(2);

/// Echoes on tokio, with an idle policy of so many seconds, and logs to standard output.
async fn serve(idle: Duration) {
    let log = Logger::root(Mutex::new(slog_json::Json::default(std::io::stdout())).fuse(), o!());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    print_address(listener.local_addr().expect("bound"));
    let (socket, _) = listener.accept().await.expect("accepted");
    let guard = DisconnectGuard::new(LAYER, |end| info!(log, "connection closed"; end));
    let mut stream = track(&guard, socket);
    let mut byte = [0];
    loop {
        let Ok(read) = timeout(idle, stream.read(&mut byte)).await else {
            let idle = Disconnect::closed_by(LAYER, Initiator::Agent);
            return guard.close(idle.with_trigger(Trigger::IdleTimeout));
        };
        let Ok(1..) = read else { return };
        stream.write_all(&byte).await.expect("written");
    }
}

/// Silence counts the time in which this side could not hear, an idle policy fires on it, and what came meanwhile is
/// heard when it is read.
#[test]
fn a_process_that_was_suspended_counts_the_time_hears_what_came_and_sees_no_clock_jump() {
    const TEST: &str = "faults::stopped::a_process_that_was_suspended_counts_the_time_hears_what_came_and_sees_no_clock_jump";
    if is_respawned() {
        let idle = std::env::var(RESPAWNED).expect("seconds").parse().expect("a number");
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        return runtime.block_on(serve(Duration::from_secs(idle)));
    }
    for (idle, is_heard) in [("1", false), ("60", true)] {
        let mut process = Respawned::start(respawn(TEST).env(RESPAWNED, idle));
        let mut client = TcpStream::connect(process.address()).expect("connected");
        client.write_all(b"a").expect("written");
        client.read_exact(&mut [0]).expect("answered");
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
