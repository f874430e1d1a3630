//! The one-minute example of the README: one real process, one line that says why.

use std::process::Command;
use std::sync::Mutex;

use disconnect_attribution::classify_session_exit;
use slog::{Drain, Logger, info, o};

fn main() {
    let log = Logger::root(
        Mutex::new(slog_json::Json::default(std::io::stdout())).fuse(),
        o!(),
    );
    let agent_is_shutting_down = false;

    // Where the session ends, classify, and attach the result to the line that is there already.
    let result = Command::new("sh").args(["-c", "exit 7"]).status();
    let end = classify_session_exit(agent_is_shutting_down, &result);
    info!(log, "ssh session closed"; &end);

    // One string, for a connection log with a single reason column.
    println!("reason: {}", end.report_reason());
}
