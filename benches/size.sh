#!/usr/bin/env bash
# Text that five call sites add to a release binary: with this crate, and written by hand.
set -euo pipefail
crate=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

project() { # name, dependencies, body of `sites`
  mkdir -p "$work/$1/src"
  cp "$crate/Cargo.lock" "$work/$1"
  cat > "$work/$1/Cargo.toml" <<TOML
[package]
name = "$1"
version = "0.0.0"
edition = "2024"
[dependencies]
slog = { version = "2.5.2", default-features = false, features = ["std"] }
slog-json = { version = "2.6", default-features = false }
$2
[profile.release]
lto = true
codegen-units = 1
[workspace]
TOML
  cat > "$work/$1/src/main.rs" <<RUST
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use slog::{Drain, Logger, debug, info, o, warn};

fn main() {
    let log = Logger::root(Mutex::new(slog_json::Json::default(std::io::stdout())).fuse(), o!());
    let shutdown = std::env::args().len() > 1;
    let session = Command::new("true").status();
    let rpc: Result<(), std::io::Error> = std::fs::create_dir("/");
    sites(&log, shutdown, &session, &rpc);
}

#[inline(never)]
fn sites(log: &Logger, shutdown: bool, session: &std::io::Result<ExitStatus>, rpc: &std::io::Result<()>) {
$3
}
RUST
  (cd "$work/$1" && CARGO_TARGET_DIR="$work/target" cargo build --release --quiet)
}

text() { size --format=sysv "$work/target/release/$1" | awk '$1 == ".text" { print $2 }'; }

project bare "" '
    info!(log, "ssh session closed");
    debug!(log, "disconnected from coordination RPC");
    info!(log, "reconnecting pty closed");
    debug!(log, "JetBrains channel closed");
    warn!(log, "failed to send disconnect");
    let _ = (shutdown, session, rpc);'

project by_hand "" '
    let (reason, expected, code, detail) = match session {
        Ok(status) if status.success() => ("graceful", true, 0, String::new()),
        _ if shutdown => ("server_shutdown", true, 255, String::new()),
        Ok(status) => {
            let code = status.code().unwrap_or(255);
            ("process_exited", false, code, format!("process exited with error status: {code}"))
        }
        Err(error) => ("network_error", false, 255, error.to_string()),
    };
    info!(log, "ssh session closed"; "connect_type" => "agent_to_client", "disconnect_reason" => reason,
        "disconnect_expected" => expected, "disconnect_detail" => detail, "exit_code" => code);
    let (reason, expected, who) = if shutdown { ("server_shutdown", true, "agent") }
        else if rpc.is_ok() { ("graceful", true, "server") } else { ("network_error", false, "network") };
    debug!(log, "disconnected from coordination RPC"; "connect_type" => "server_to_agent",
        "disconnect_reason" => reason, "disconnect_expected" => expected, "disconnect_initiator" => who);
    let (reason, expected, who, code, detail) = match rpc {
        Ok(()) => ("graceful", true, "", 0, String::new()),
        Err(_) if shutdown => ("server_shutdown", true, "agent", 1, String::new()),
        Err(error) => ("network_error", false, "network", 1, error.to_string()),
    };
    info!(log, "reconnecting pty closed"; "connect_type" => "agent_to_client", "disconnect_reason" => reason,
        "disconnect_expected" => expected, "disconnect_initiator" => who, "disconnect_detail" => detail,
        "exit_code" => code);
    let (reason, expected, detail) = match rpc {
        Ok(()) => ("graceful", true, "normal close".to_owned()),
        Err(error) => ("network_error", false, error.to_string()),
    };
    debug!(log, "JetBrains channel closed"; "connect_type" => "agent_to_client", "disconnect_reason" => reason,
        "disconnect_expected" => expected, "disconnect_detail" => detail);
    let (reason, expected) = if rpc.is_ok() { ("graceful", true) } else { ("network_error", false) };
    warn!(log, "failed to send disconnect"; "connect_type" => "server_to_agent", "disconnect_reason" => reason,
        "disconnect_expected" => expected, "disconnect_initiator" => "agent");'

project ours "disconnect-attribution = { path = \"$crate\", default-features = false, features = [\"slog\"] }" '
    use disconnect_attribution::*;
    info!(log, "ssh session closed"; classify_session_exit(shutdown, session));
    debug!(log, "disconnected from coordination RPC"; classify_coordinator_rpc_exit(shutdown, rpc));
    info!(log, "reconnecting pty closed"; classify_pty_exit(shutdown, rpc));
    debug!(log, "JetBrains channel closed"; classify_channel_close(rpc));
    warn!(log, "failed to send disconnect";
        classify_coordination_close(ConnectType::ServerToAgent, Initiator::Agent, rpc));'

bare=$(text bare)
for name in bare by_hand ours; do
  printf '%-8s .text %8d bytes, %6d more than the bare lines\n' "$name" "$(text $name)" "$(($(text $name) - bare))"
done
