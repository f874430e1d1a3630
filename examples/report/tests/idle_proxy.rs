//! A proxy that drops idle connections shows in the lines, and the report finds it.

#[path = "../examples/idle_proxy.rs"]
mod idle_proxy;

use std::fs::File;
use std::process::Command;

use disconnect_attribution::{Disconnect, DisconnectReason, Trigger};
use serde_json::Value;

#[test]
fn a_proxy_that_drops_idle_connections_after_two_seconds_is_found() {
    let path = std::env::temp_dir().join(format!("idle-proxy-{}.log", std::process::id()));
    idle_proxy::run(File::create(&path).expect("created"), 8).expect("run");

    let log = std::fs::read_to_string(&path).expect("written");
    for line in log.lines() {
        let end: Disconnect = serde_json::from_str(line).expect("a disconnect");
        assert_eq!(end.reason(), DisconnectReason::NetworkError, "{line}");
        assert_eq!(end.trigger(), Some(Trigger::EndOfFile), "{line}");
        assert_eq!(end.bytes_received(), Some(5), "{line}");
        assert_eq!(end.peer_silence().map(|silence| silence.as_secs()), Some(2), "{line}");
    }

    let report = Command::new(env!("CARGO_BIN_EXE_disconnect-report"))
        .arg("--json")
        .arg(&path)
        .output()
        .expect("runs");
    std::fs::remove_file(&path).expect("removed");
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    let cluster = &report["unexpected_silences"]["clusters"][0];
    assert_eq!(cluster["count"], 8, "{report}");
    assert_eq!(cluster["seconds"], 2, "{report}");
}
