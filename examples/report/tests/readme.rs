//! The README shows what the program prints.

mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
use serde_json::{Value, json};

use support::{command, text};

/// A day of an agent behind a load balancer that drops what is idle for a minute.
fn log() -> String {
    let (client, server) = (ConnectType::AgentToClient, ConnectType::ServerToAgent);
    let left = Disconnect::closed_by(client, Initiator::Client)
        .with_connection_duration(Duration::from_mins(10));
    let restarted = Disconnect::shutdown(server, Initiator::Server);
    let failed = Disconnect::new(client, DisconnectReason::ProcessExited)
        .with_detail("process exited with error status: 2")
        .with_exit_code(2);
    let expired = Disconnect::new(server, DisconnectReason::Rejected)
        .with_initiator(Initiator::Server)
        .with_trigger(Trigger::MaxAge)
        .with_detail("token expired");
    let mut lines = Vec::new();
    for minute in 0..1440_u64 {
        let mut write = |message: &str, end: &Disconnect| lines.push(line(minute, message, end));
        if minute % 5 == 0 {
            write("ssh session closed", &left);
        }
        match minute % 240 {
            17 => write("disconnected from coderd", &restarted),
            100 => write("ssh session closed", &failed),
            230 => write("disconnected from coderd", &expired),
            _ => {}
        }
        // Office hours, and who went to lunch.
        if (540..1020).contains(&minute) && minute % 7 == 0 || (720..760).contains(&minute) {
            write("port forward closed", &dropped(minute));
        }
        if minute == 903 {
            outage(minute, &mut lines);
        }
        lines.push(
            json!({"ts": time(minute), "level": "INFO", "msg": "reported metadata"}).to_string(),
        );
    }
    lines.join("\n") + "\n"
}

/// The load balancer forgot it: the next write was reset.
fn dropped(minute: u64) -> Disconnect {
    let silence = Duration::from_millis(60_000 + minute * 37 % 900);
    Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
        .with_initiator(Initiator::Network)
        .with_trigger(Trigger::Reset)
        .with_detail("Connection reset by peer (os error 104)")
        .with_connection_duration(silence + Duration::from_secs(minute * minute % 7_001))
        .with_peer_silence(silence)
        .with_bytes(if minute.is_multiple_of(9) { 0 } else { 4_711 }, 815)
}

/// The agent lost its server, and with it what ran over that connection.
fn outage(minute: u64, lines: &mut Vec<String>) {
    let lost = Disconnect::new(ConnectType::ServerToAgent, DisconnectReason::NetworkError)
        .with_initiator(Initiator::Network)
        .with_trigger(Trigger::KeepaliveTimeout)
        .with_connection_duration(Duration::from_secs(52_000))
        .with_peer_silence(Duration::from_secs(41));
    lines.push(line(minute, "disconnected from coderd", &lost));
    for _ in 0..12 {
        let mut inherited: Value =
            serde_json::from_str(&line(minute, "port forward closed", &lost)).expect("JSON");
        inherited["connect_type"] = json!("agent_to_client");
        inherited["disconnect_origin"] = json!("server_to_agent");
        lines.push(inherited.to_string());
    }
}

fn line(minute: u64, message: &str, end: &Disconnect) -> String {
    let mut line = serde_json::to_value(end).expect("written");
    line["ts"] = time(minute);
    line["msg"] = json!(message);
    line.to_string()
}

fn time(minute: u64) -> Value {
    json!(format!(
        "2026-05-13T{:02}:{:02}:07Z",
        minute / 60,
        minute % 60
    ))
}

fn run(arguments: &[&str]) -> String {
    let mut process = command(arguments, Path::new("."))
        .stdin(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = process.stdin.take().expect("piped");
    // With --help it reads nothing.
    let _ = std::io::Write::write_all(&mut input, log().as_bytes());
    drop(input);
    text(&process.wait_with_output().expect("ended"))
}

#[test]
fn the_readme_shows_the_report_of_this_log() {
    let report = run(&["--by", "msg"]).replace("standard input", "agent.log");
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    assert!(
        readme.expect("read").contains(&report),
        "not in the README:\n{report}"
    );
}

#[test]
fn the_readme_shows_the_help() {
    let help = run(&["--help"]);
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    assert!(
        readme.expect("read").contains(&help),
        "not in the README:\n{help}"
    );
}
