//! The README shows what the program prints.

mod support;

use std::path::Path;
use std::time::Duration;

use disconnect_attribution::{CloseCode, ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
use serde_json::{Value, json};

use support::{report, text};

/// A day of three machines behind a load balancer that drops what is idle for a minute.
fn log() -> String {
    let (client, server) = (ConnectType::AgentToClient, ConnectType::ServerToAgent);
    let left =
        Disconnect::closed_by(client, Initiator::Client).with_connection_duration(Duration::from_mins(10));
    let restarted = Disconnect::shutdown(server, Initiator::Server);
    let failed = Disconnect::new(client, DisconnectReason::ProcessExited)
        .with_detail("process exited with error status: 2")
        .with_exit_code(2);
    let expired = Disconnect::closed_by(server, Initiator::Server)
        .with_trigger(Trigger::MaxAge)
        .with_code(CloseCode::WebSocket(1000))
        .with_detail("ConnectionExpired: Reconnect to continue");
    let mut lines = Vec::new();
    for minute in 0..1440_u64 {
        let mut write =
            |host: u64, message: &str, end: &Disconnect| lines.push(line(minute, host, message, end));
        if minute % 5 == 0 {
            write(minute % 3, "ssh session closed", &left);
        }
        match minute % 240 {
            17 => (0..3).for_each(|host| write(host, "disconnected from coderd", &restarted)),
            100 => write(1, "ssh session closed", &failed),
            _ => {}
        }
        // Each connection to the server may be an hour old, and the next is there after a few seconds.
        if minute % 60 == 30 && minute > 60 {
            let open = Duration::from_secs(3_600 - minute % 7);
            write(2, "disconnected from coderd", &expired.clone().with_connection_duration(open));
        }
        // Office hours, and who went to lunch.
        if (540..1020).contains(&minute) && minute % 7 == 0 || (720..760).contains(&minute) {
            write(u64::from(minute % 10 == 0), "port forward closed", &dropped(minute));
        }
        if minute == 903 {
            outage(minute, &mut lines);
        }
        lines.push(json!({"ts": time(minute), "level": "INFO", "msg": "reported metadata"}).to_string());
    }
    lines.join("\n") + "\n"
}

/// The load balancer forgot it: the next write was reset.
fn dropped(minute: u64) -> Disconnect {
    let silence = Duration::from_millis(60_000 + minute * 37 % 900);
    Disconnect::network_error(ConnectType::AgentToClient, Trigger::Reset)
        .with_peer(Initiator::Client)
        .with_detail("Connection reset by peer (os error 104)")
        .with_connection_duration(silence + Duration::from_secs(minute * minute % 7_001))
        .with_peer_silence(silence)
        .with_bytes(if minute.is_multiple_of(9) { 0 } else { 4_711 }, 815)
}

/// The agent lost its server, and with it what ran over that connection.
fn outage(minute: u64, lines: &mut Vec<String>) {
    let lost = Disconnect::network_error(ConnectType::ServerToAgent, Trigger::KeepaliveTimeout)
        .with_peer(Initiator::Server)
        .with_connection_duration(Duration::from_secs(52_000))
        .with_peer_silence(Duration::from_secs(41));
    lines.push(line(minute, 0, "disconnected from coderd", &lost));
    for _ in 0..12 {
        let mut inherited: Value =
            serde_json::from_str(&line(minute, 0, "port forward closed", &lost)).expect("JSON");
        inherited["connect_type"] = json!("agent_to_client");
        inherited["disconnect_origin"] = json!("server_to_agent");
        lines.push(inherited.to_string());
    }
}

fn line(minute: u64, host: u64, message: &str, end: &Disconnect) -> String {
    let mut line = serde_json::to_value(end).expect("written");
    line["ts"] = time(minute);
    line["host"] = json!(format!("dev-{}", host + 1));
    line["msg"] = json!(message);
    line.to_string()
}

fn time(minute: u64) -> Value {
    json!(format!("2026-05-13T{:02}:{:02}:07Z", minute / 60, minute % 60))
}

/// The README runs each command on this log, and shows its output or a part of it.
#[test]
fn the_readme_shows_what_the_program_prints() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = log();
    let old: Vec<_> = log.lines().filter(|line| line.contains("dev-3")).collect();
    std::fs::write(directory.path().join("agent.log"), &log).expect("written");
    std::fs::write(directory.path().join("old.log"), old.join("\n")).expect("written");
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.expect("read");
    let shown: Vec<_> = readme.split("```console\n$ disconnect-report ").skip(1).collect();
    for block in &shown {
        let (command, block) = block.split_once('\n').expect("an output");
        let block = block.split("```").next().expect("an end");
        let arguments: Vec<_> = command.split(' ').map(|argument| argument.trim_matches('\'')).collect();
        let output = text(&report(&arguments, directory.path(), b""));
        assert!(output.contains(block.trim_end()), "{command}\n{output}");
    }
    assert_eq!(shown.len(), 11, "so many commands are shown");
}
