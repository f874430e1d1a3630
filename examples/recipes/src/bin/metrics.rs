//! Counts disconnects as a Prometheus metric, and serves it over HTTP until Ctrl-C.
//!
//! One series for each connect type, reason and initiator that occurs: at most 3 x 10 x 5 = 150, since
//! free text is never a label. Beside it a histogram of how long connections lived, one for each layer.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use clap::Parser;
use disconnect_attribution::{
    CloseCode, ConnectType, Disconnect, DisconnectGuard, DisconnectReason, Initiator,
    classify_coordinator_rpc_exit, classify_session_exit,
};
use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

/// Counts a few real disconnects and serves the count as a Prometheus metric.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port of the HTTP server on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 9100)]
    port: u16,
}

/// All that an agent has to add beside its log line.
fn count(end: &Disconnect) {
    metrics::counter!("disconnects_total", &end.labels()).increment(1);
    if let Some(duration) = end.connection_duration() {
        let layer = [("connect_type", end.connect_type().as_str())];
        metrics::histogram!("connection_duration_seconds", &layer).record(duration);
    }
}

/// Exports what an alert waits for from the start on: a series that begins with its first event shows no increase.
fn start_at_zero() {
    for initiator in Initiator::VARIANTS {
        let lost = Disconnect::new(
            ConnectType::ServerToAgent,
            DisconnectReason::ControlPlaneLost,
        );
        let labels = lost.with_initiator(*initiator).labels();
        metrics::counter!("disconnects_total", &labels).increment(0);
    }
}

/// From a failed start to a working day; 60 and 300 are the idle timeouts of many load balancers.
const BUCKETS: [f64; 9] = [
    0.1, 1.0, 10.0, 60.0, 120.0, 300.0, 3600.0, 14_400.0, 43_200.0,
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { port } = Arguments::parse();
    let address = free_address(port).map_err(|error| format!("can't use port {port}: {error}"))?;
    PrometheusBuilder::new()
        .with_http_listener(address)
        .set_buckets_for_metric(
            Matcher::Full("connection_duration_seconds".into()),
            &BUCKETS,
        )?
        .install()?;
    metrics::describe_counter!(
        "disconnects_total",
        "Ended connections by layer, reason and initiator."
    );
    start_at_zero();
    metrics::describe_histogram!(
        "connection_duration_seconds",
        Unit::Seconds,
        "How long ended connections were open, by layer."
    );

    for script in ["exit 0", "exit 7", "exit 8", "kill -KILL $$"] {
        let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end| count(&end));
        let result = Command::new("sh").args(["-c", script]).status();
        guard.close(classify_session_exit(false, &result));
    }
    count(&classify_coordinator_rpc_exit(
        false,
        &Err::<(), _>("connection reset"),
    ));
    count(
        &Disconnect::from_close_code(
            ConnectType::AgentToClient,
            CloseCode::Ssh(11),
            Initiator::Client,
        )
        .with_detail("disconnected by user 4711"),
    );

    println!("curl http://{address}/metrics");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// The exporter keeps the port that it took to itself, so a free one is found first.
fn free_address(port: u16) -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()
}
