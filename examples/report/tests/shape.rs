//! What the numbers of records show: triggers, lifetimes, silences, inherited ends, the most frequent texts.

#[path = "../examples/idle_proxy.rs"]
mod idle_proxy;
mod support;

use std::path::Path;
use std::time::Duration;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
use serde_json::{Value, json};

use support::{Sink, Tracing, command, json_of_input, shows, slog_json, text, tracing_lines};

fn lost(silence: f64) -> Disconnect {
    Disconnect::new(ConnectType::AgentToClient, DisconnectReason::NetworkError)
        .with_initiator(Initiator::Network)
        .with_trigger(Trigger::Reset)
        .with_peer_silence(Duration::from_secs_f64(silence))
        .with_connection_duration(Duration::from_secs_f64(silence + 1000.0 * silence))
        .with_bytes(if silence > 60.5 { 0 } else { 7 }, 9)
}

/// Ends whose peers had been silent for so many seconds, as JSON lines.
fn log(silences: impl IntoIterator<Item = f64>) -> String {
    let lines =
        silences.into_iter().map(|silence| serde_json::to_string(&lost(silence)).expect("written") + "\n");
    lines.collect()
}

/// One end and sixteen that ran over it, as the guards write them.
fn outage() -> String {
    let end = serde_json::to_value(lost(60.1)).expect("written");
    let mut inherited = end.clone();
    inherited["disconnect_origin"] = json!("agent_to_client");
    inherited["connect_type"] = json!("client_to_server");
    format!("{end}\n{}", format!("{inherited}\n").repeat(16))
}

#[test]
fn every_field_comes_through_every_rust_logger() {
    let end = lost(60.2).with_clock_jump(-90_000);
    let story = [("2026-05-13T17:42:21.701000Z", "closed", Some(end))];
    let [json, flat, full, compact] = [Tracing::Json, Tracing::FlatJson, Tracing::Full, Tracing::Compact]
        .map(|format| tracing_lines(&story, format, format == Tracing::Full));
    let expected = json!({
        "/kinds/0/disconnect_trigger": "reset",
        "/unexpected_silences/bins": [{"from_ms": 60_000, "count": 1}],
        "/unexpected_lifetimes/bins": [{"from_ms": 21_600_000, "count": 1}],
        "/unexpected_before_a_byte": 0,
        "/unexpected_clock_jumps": 1,
    });
    for log in [slog_json(&story), json, flat, full, compact] {
        shows(&[], log, &expected);
    }
}

#[test]
fn clusters_and_floors_at_round_values_are_named_and_others_are_not() {
    let spread = |seconds: f64, count: u32| (0..count).map(move |n| seconds + f64::from(n % 9) / 20.0);
    let every = |from: f64, step: f64, count: u32| (0..count).map(move |n| from + f64::from(n) * step);
    let noise = || (0..60).map(|number| f64::from(number * number));
    let alb = "an idle timeout of a load balancer (AWS ALB, nginx)";
    let nlb = "an idle timeout of an AWS NLB or NAT gateway";
    let ipvs = "an idle timeout of a connection table (IPVS)";
    let hint = |seconds: u64, count: u64, suggests: Option<&str>| json!({"seconds": seconds, "count": count, "suggests": suggests});
    for (silences, clusters, floor) in [
        // As a proxy drops idle connections after two seconds, and load balancers after 60 and 350.
        (log(spread(2.0, 40).chain(noise())), json!([hint(2, 40, None)]), Value::Null),
        (log(spread(60.0, 40).chain(noise())), json!([hint(60, 40, Some(alb))]), Value::Null),
        (log(spread(350.0, 40).chain(noise())), json!([hint(350, 40, Some(nlb))]), Value::Null),
        (log(spread(900.0, 40).chain(noise())), json!([hint(900, 41, Some(ipvs))]), Value::Null),
        // A gateway that forgets idle connections after 350 s without a word: none ends before, many after.
        (log(every(350.5, 7.3, 40)), json!([]), hint(350, 40, Some(nlb))),
        (log(every(350.5, 7.3, 40).chain([20.0])), json!([]), Value::Null),
        (log(every(350.5, 7.3, 9)), json!([]), Value::Null),
        // Ends that come at any time, and two that happen to come at one.
        (log(every(0.0, 0.9, 400)), json!([]), Value::Null),
        (log([60.1, 60.2, 1.0, 12.0]), json!([]), Value::Null),
        (log(every(55.0, 0.28, 40)), json!([]), Value::Null),
    ] {
        let expected =
            json!({"/unexpected_silences/clusters": clusters, "/unexpected_silences/floor": floor});
        shows(&[], silences, &expected);
    }
    let text = shown("80", &[], &log(every(350.5, 7.3, 40)));
    assert!(text.contains(&format!("    ↳ 40 none before 350 s: {nlb}?\n")), "{text}");
}

/// Real sockets, guards and a proxy between them.
#[test]
fn a_proxy_that_drops_idle_connections_after_two_seconds_is_found() {
    let log = Sink::default();
    idle_proxy::run(log.clone(), 8).expect("run");
    let expected = json!({
        "/ends": 8,
        "/kinds/0/disconnect_reason": "network_error",
        "/kinds/0/disconnect_trigger": "end_of_file",
        "/kinds/0/count": 8,
        "/unexpected_silences/clusters": [{"seconds": 2, "count": 8, "suggests": null}],
        "/unexpected_before_a_byte": 0,
    });
    shows(&[], log.text(), &expected);
}

#[test]
fn inherited_ends_are_counted_apart() {
    let expected = json!({
        "/ends": 17,
        "/unexpected": 1,
        "/inherited": {"expected": 0, "unexpected": 16},
        "/kinds/0/connect_type": "agent_to_client",
        "/kinds/0/count": 1,
        "/kinds/0/inherited": 0,
        "/kinds/1/connect_type": "client_to_server",
        "/kinds/1/count": 0,
        "/kinds/1/inherited": 16,
        // What follows from one outage is shown once.
        "/unexpected_silences/count": 1,
    });
    shows(&[], outage(), &expected);
}

/// 10,000 texts that are each there once hid one that was there 100,000 times.
#[test]
fn the_most_frequent_detail_is_found_among_any_number_of_others() {
    let line = |detail: &str| {
        format!(
            r#"{{"ts":1778694141,"connect_type":"agent_to_client","disconnect_reason":"unknown","disconnect_detail":"{detail}"}}"#
        ) + "\n"
    };
    let mut log: String = (0..10_000).map(|number| line(&format!("unique {number}"))).collect();
    log += &line("the one").repeat(100_000);
    let report = json_of_input(&[], log.as_bytes());
    assert_eq!(report["unexpected_details"][0], json!({"disconnect_detail": "the one", "count": 100_000}));
    assert_eq!(
        report["unexpected_details_more"],
        json!({"distinct": 9_991, "count": 9_991, "error_at_most": 0})
    );

    // More than are kept: what is shown is right within the error that is shown.
    log += &(0..50_000).map(|number| line(&format!("another {number}"))).collect::<String>();
    log += &line("late").repeat(500);
    let report = json_of_input(&[], log.as_bytes());
    let [first, second] = [0, 1].map(|index| &report["unexpected_details"][index]);
    assert_eq!(*first, json!({"disconnect_detail": "the one", "count": 100_000}));
    assert_eq!((&second["disconnect_detail"], &second["at_least"]), (&json!("late"), &json!(500)));
    let more = &report["unexpected_details_more"];
    let error = more["error_at_most"].as_u64().expect("a number");
    assert!((1..10).contains(&error), "{report}");
    assert_eq!(second["count"], 500 + error);
    assert_eq!(more["distinct"], Value::Null);
    let shown = report["unexpected_details"].as_array().expect("a list").iter();
    let shown: u64 = shown.filter_map(|value| value["at_least"].as_u64().or(value["count"].as_u64())).sum();
    assert_eq!(more["count"], 160_500 - shown);
}

fn shown(columns: &str, arguments: &[&str], log: &str) -> String {
    let mut command = command(arguments, Path::new("."));
    let mut process =
        command.env("COLUMNS", columns).stdin(std::process::Stdio::piped()).spawn().expect("started");
    std::io::Write::write_all(&mut process.stdin.take().expect("piped"), log.as_bytes()).expect("written");
    text(&process.wait_with_output().expect("ended"))
}

#[test]
fn people_see_triggers_inherited_ends_and_what_a_cluster_suggests() {
    let log = outage() + &log((0..5).map(|number| 60.0 + f64::from(number) / 10.0)) + &log([350.1; 12]);
    let text = shown("80", &[], &log);
    for part in [
        "   0 expected           0.0 %\n",
        "  18 to investigate    52.9 %\n",
        "  16 inherited         47.1 %  another line reports their cause\n",
        "  connect type      reason         initiator  trigger  own  inherited\n",
        "  agent_to_client   network_error  network    reset     18             ███",
        "  client_to_server  network_error  network    reset                16",
        "How long the peer had been silent before ends to investigate\n\n",
        "  1 to 5 min     6  ███",
        "    ↳ 6 at 60 s: an idle timeout of a load balancer (AWS ALB, nginx)?\n",
        "    ↳ 12 at 350 s: an idle timeout of an AWS NLB or NAT gateway?\n",
        "12 ends to investigate before a byte was received\n",
        "34 ends without a usable time, first standard input:1\n",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn no_line_is_wider_than_what_shows_it() {
    let detail = "x".repeat(200);
    let wide = lost(60.0).with_trigger(Trigger::HandshakeTimeout).with_detail(detail);
    let mut wide = serde_json::to_value(wide).expect("written");
    wide["connect_type"] = json!("client_to_server");
    wide["msg"] = json!("m".repeat(200));
    let mut log = outage() + &format!("{wide}\n").repeat(1234);
    wide["disconnect_reason"] = json!("control_plane_lost");
    wide["ts"] = json!("2026-05-13T17:42:21.701Z");
    log += &(wide.to_string() + "\n");
    for columns in [80_usize, 160] {
        let text = shown(&columns.to_string(), &["--by", "msg"], &log);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{widest:?}\n{text}");
        assert!(widest > Some(columns - 8), "{widest:?}\n{text}");
    }
}
