//! The example agent: every site logs its one line, with the fields of the site table.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use disconnect_attribution::Disconnect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

fn agent() -> Command {
    Command::new(env!("CARGO_BIN_EXE_agent"))
}

/// A log line without its time, and with its keys in order.
fn line(text: &str) -> Value {
    let mut line: Value = serde_json::from_str(text).expect("a JSON line");
    let fields = line.as_object_mut().expect("an object");
    fields.remove("ts").expect("a time");
    line
}

/// What the walk has to log, scene by scene; lines of one scene may come in any order.
#[allow(clippy::too_many_lines)] // one table
fn site_table() -> Vec<Vec<Value>> {
    let control = |level: &str, msg: &str, reason: &str, expected: bool, initiator: &str| {
        json!({
            "level": level, "msg": msg, "connect_type": "server_to_agent",
            "disconnect_reason": reason, "disconnect_expected": expected,
            "disconnect_initiator": initiator,
        })
    };
    let with = |mut line: Value, key: &str, value: Value| {
        line[key] = value;
        line
    };
    // The four lines of a control plane that its server, or the network, has ended.
    let lost = |reason: &str, expected: bool, initiator: &str, code: &str, detail: Option<&str>| {
        [
            ("INFO", "disconnected from coderd"),
            ("DEBG", "disconnected from coordination RPC"),
            ("DEBG", "disconnected from derp map RPC"),
            ("WARN", "control plane connection closed, retrying"),
        ]
        .map(|(level, msg)| {
            let mut line = control(level, msg, reason, expected, initiator);
            line["disconnect_code"] = json!(code);
            if let Some(detail) = detail {
                line["disconnect_detail"] = json!(detail);
            }
            line
        })
    };
    let shutdown = |level: &str, msg: &str| control(level, msg, "server_shutdown", true, "agent");
    let graceful = |msg: &str| control("DEBG", msg, "graceful", true, "agent");
    let agent_closes = || {
        vec![
            graceful("sent disconnect"),
            graceful("responses closed after disconnect"),
            shutdown("DEBG", "disconnected from coordination RPC"),
            shutdown("DEBG", "coordinator RPC disconnected"),
            shutdown("DEBG", "disconnected from derp map RPC"),
            shutdown("INFO", "disconnected from coderd"),
        ]
    };
    let data = |level: &str, msg: &str, fields: Value| {
        let mut line = json!({"level": level, "msg": msg, "connect_type": "agent_to_client"});
        for (key, value) in fields.as_object().expect("fields") {
            line[key] = value.clone();
        }
        line
    };
    let ssh = |fields| data("INFO", "ssh session closed", fields);
    let pty = |fields| data("INFO", "reconnecting pty closed", fields);
    let channel = |fields| data("DEBG", "JetBrains channel closed", fields);

    let mut killed = lost("network_error", false, "network", "websocket:1006", None).to_vec();
    killed.push(with(
        control(
            "WARN",
            "failed to send disconnect",
            "network_error",
            false,
            "agent",
        ),
        "disconnect_detail",
        json!("Trying to work with closed connection"),
    ));
    killed.push(shutdown("DEBG", "coordinator RPC disconnected"));

    let mut hangs = agent_closes();
    hangs.retain(|line| {
        line["msg"] != "responses closed after disconnect"
            && line["msg"] != "coordinator RPC disconnected"
    });
    hangs.push(with(
        shutdown("WARN", "timed out waiting for Coordinator RPC disconnect"),
        "disconnect_detail",
        json!("timed out waiting for coordinator RPC to disconnect"),
    ));
    hangs.push(with(
        control(
            "WARN",
            "context expired while waiting for coordinate responses to close",
            "network_error",
            false,
            "agent",
        ),
        "disconnect_detail",
        json!("context expired before coordinator hung up"),
    ));

    let mut workspace_stopped = agent_closes();
    workspace_stopped.push(ssh(json!({
        "disconnect_reason": "workspace_stopped", "disconnect_expected": true,
        "disconnect_initiator": "server",
    })));

    vec![
        vec![json!({"level": "WARN", "msg": "failed to dial coordinator",
            "error": "IO error: Connection refused (os error 111)"})],
        lost(
            "graceful",
            true,
            "server",
            "websocket:1000",
            Some("call finished"),
        )
        .to_vec(),
        lost(
            "server_shutdown",
            true,
            "server",
            "websocket:1001",
            Some("server is restarting"),
        )
        .to_vec(),
        killed,
        agent_closes(),
        hangs,
        vec![ssh(json!({
            "disconnect_reason": "graceful", "disconnect_expected": true, "exit_code": 0,
        }))],
        vec![ssh(json!({
            "disconnect_reason": "process_exited", "disconnect_expected": false, "exit_code": 7,
            "disconnect_detail": "process exited with error status: 7",
        }))],
        vec![ssh(json!({
            "disconnect_reason": "process_exited", "disconnect_expected": false, "exit_code": 255,
            "disconnect_detail": "process exited with signal: 9 (SIGKILL)",
        }))],
        vec![ssh(json!({
            "disconnect_reason": "rejected", "disconnect_expected": false,
            "disconnect_initiator": "agent", "disconnect_detail": "unsupported subsystem: sftp",
        }))],
        vec![ssh(json!({
            "disconnect_reason": "client_closed", "disconnect_expected": true,
            "disconnect_initiator": "client",
        }))],
        vec![ssh(json!({
            "disconnect_reason": "network_error", "disconnect_expected": false,
            "disconnect_initiator": "network",
            "disconnect_detail": "read failed: Connection reset by peer (os error 104)",
        }))],
        vec![channel(json!({
            "disconnect_reason": "graceful", "disconnect_expected": true,
            "disconnect_detail": "normal close",
        }))],
        vec![channel(json!({
            "disconnect_reason": "network_error", "disconnect_expected": false,
            "disconnect_detail": "Connection reset by peer (os error 104)",
        }))],
        workspace_stopped,
        vec![ssh(json!({
            "disconnect_reason": "server_shutdown", "disconnect_expected": true,
            "disconnect_initiator": "agent", "exit_code": 255,
        }))],
        vec![pty(json!({
            "disconnect_reason": "graceful", "disconnect_expected": true, "exit_code": 0,
        }))],
        vec![pty(json!({
            "disconnect_reason": "network_error", "disconnect_expected": false,
            "disconnect_initiator": "network", "exit_code": 1,
            "disconnect_detail": "Connection reset by peer (os error 104)",
        }))],
        vec![pty(json!({
            "disconnect_reason": "server_shutdown", "disconnect_expected": true,
            "disconnect_initiator": "agent", "exit_code": 1,
        }))],
    ]
}

#[test]
fn the_walk_logs_the_site_table() {
    let output = agent().arg("--json").output().expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // Machines read standard output, people the table.
    assert!(errors.contains("reconnecting pty closed"), "{errors}");

    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines = text.lines().map(line);
    for scene in site_table() {
        let count = scene.len();
        let sorted =
            |lines: Vec<Value>| lines.iter().map(Value::to_string).collect::<BTreeSet<_>>();
        let logged = sorted(lines.by_ref().take(count).collect());
        assert_eq!(logged, sorted(scene));
    }
    assert_eq!(
        lines.collect::<Vec<_>>(),
        Vec::<Value>::new(),
        "nothing else"
    );
}

#[test]
fn every_site_line_reads_back_and_the_failed_dial_is_none() {
    let is_end = |line: &Value| serde_json::from_value::<Disconnect>(line.clone()).is_ok();
    let lines: Vec<Value> = site_table().into_iter().flatten().collect();
    let others: Vec<_> = lines.iter().filter(|line| !is_end(line)).collect();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0]["msg"], "failed to dial coordinator");
}

#[test]
fn people_get_a_readable_log_and_a_table() {
    let output = agent().output().expect("runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for part in [
        "-- an SSH session exits with status 7\n",
        "INFO ssh session closed, connect_type: agent_to_client, \
         disconnect_reason: process_exited, disconnect_expected: false, \
         disconnect_detail: process exited with error status: 7, exit_code: 7\n",
        "│ site ",
        "│ ssh session closed ",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
}

/// Processes that carry a mark in their environment.
#[cfg(target_os = "linux")]
fn marked(mark: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("Linux has one");
    processes
        .filter_map(|process| Some(process.ok()?.path()))
        .filter(|process| {
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            environment
                .windows(mark.len())
                .any(|window| window == mark.as_bytes())
        })
        .map(|process| std::fs::read_to_string(process.join("cmdline")).unwrap_or_default())
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_the_walk_at_once_and_leaves_no_child() {
    let mark = format!("MARK_OF_A_TEST={}", std::process::id());
    let (name, value) = mark.split_once('=').expect("has one");
    let mut agent = agent()
        .arg("--json")
        .env(name, value)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(agent.stdout.take().expect("piped")).lines();
    // The second line tells of a coordinator, so there is one.
    lines.nth(1).expect("a line").expect("UTF-8");
    let id = i32::try_from(agent.id()).expect("an id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("interrupted");
    assert_eq!(agent.wait().expect("ended").code(), Some(1));

    // A killed child takes a moment to die; that it dies at all is the point.
    while !marked(&mark).is_empty() {
        std::thread::yield_now();
    }
}
