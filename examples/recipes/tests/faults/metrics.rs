//! The metrics example, scraped over real HTTP.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator};

use crate::peer::Peer;

#[test]
fn a_scrape_shows_the_vocabulary_and_no_free_text() {
    let mut example = Peer::spawn(Command::new(env!("CARGO_BIN_EXE_metrics")).args(["--port", "0"]));
    let line = example.line();
    let address = line.strip_prefix("curl http://").and_then(|url| url.strip_suffix("/metrics"));
    let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));

    let mut http = TcpStream::connect(address).expect("it listens");
    write!(http, "GET /metrics HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").expect("sent");
    let mut response = String::new();
    http.read_to_string(&mut response).expect("answered");

    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    let series: BTreeSet<_> =
        response.lines().filter(|line| line.starts_with("disconnects_total{")).collect();
    // The last five are what an alert waits for, before it happened.
    let expected = [
        r#"disconnects_total{connect_type="agent_to_client",disconnect_reason="client_closed",disconnect_expected="true",disconnect_initiator="client"} 1"#,
        r#"disconnects_total{connect_type="agent_to_client",disconnect_reason="graceful",disconnect_expected="true",disconnect_initiator="unknown"} 1"#,
        r#"disconnects_total{connect_type="agent_to_client",disconnect_reason="process_exited",disconnect_expected="false",disconnect_initiator="unknown"} 3"#,
        r#"disconnects_total{connect_type="server_to_agent",disconnect_reason="network_error",disconnect_expected="false",disconnect_initiator="network"} 1"#,
        r#"disconnects_total{connect_type="server_to_agent",disconnect_reason="control_plane_lost",disconnect_expected="false",disconnect_initiator="agent"} 0"#,
        r#"disconnects_total{connect_type="server_to_agent",disconnect_reason="control_plane_lost",disconnect_expected="false",disconnect_initiator="client"} 0"#,
        r#"disconnects_total{connect_type="server_to_agent",disconnect_reason="control_plane_lost",disconnect_expected="false",disconnect_initiator="network"} 0"#,
        r#"disconnects_total{connect_type="server_to_agent",disconnect_reason="control_plane_lost",disconnect_expected="false",disconnect_initiator="server"} 0"#,
        r#"disconnects_total{connect_type="server_to_agent",disconnect_reason="control_plane_lost",disconnect_expected="false",disconnect_initiator="unknown"} 0"#,
    ];
    assert_eq!(series, BTreeSet::from(expected));
    // Four sessions ran under a guard, each for less than a minute.
    for line in [
        r#"connection_duration_seconds_bucket{connect_type="agent_to_client",le="60"} 4"#,
        r#"connection_duration_seconds_count{connect_type="agent_to_client"} 4"#,
    ] {
        assert!(response.lines().any(|found| found == line), "no {line} in:\n{response}");
    }
    assert!(!response.contains("4711"), "free text in a label:\n{response}");
}

/// Counted in the real recorder, whatever the details hold: the bound that the docs state.
#[test]
fn the_number_of_series_is_bounded() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for (number, connect_type) in ConnectType::VARIANTS.iter().enumerate() {
            for reason in DisconnectReason::VARIANTS {
                let end = Disconnect::new(*connect_type, *reason);
                metrics::counter!("disconnects_total", &end.labels()).increment(1);
                for initiator in Initiator::VARIANTS {
                    let end = end
                        .clone()
                        .with_initiator(*initiator)
                        .with_detail(format!("session {number}"))
                        .with_exit_code(1);
                    metrics::counter!("disconnects_total", &end.labels()).increment(1);
                }
            }
        }
    });
    let text = recorder.handle().render();
    let series = text.lines().filter(|line| line.starts_with("disconnects_total{")).count();
    let bound = ConnectType::VARIANTS.len() * DisconnectReason::VARIANTS.len() * Initiator::VARIANTS.len();
    assert_eq!(series, bound);
    assert_eq!(bound, 150);
}
