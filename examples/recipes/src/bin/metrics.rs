//! Counts disconnects as a Prometheus metric, and serves it over HTTP until Ctrl-C.
//!
//! One series for each connect type, reason and initiator that occurs: at most 3 x 10 x 5 = 150, since
//! free text is never a label.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use clap::Parser;
use disconnect_attribution::{
    CloseCode, ConnectType, Disconnect, Initiator, classify_coordinator_rpc_exit,
    classify_session_exit,
};
use metrics_exporter_prometheus::PrometheusBuilder;

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
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { port } = Arguments::parse();
    let address = free_address(port).map_err(|error| format!("can't use port {port}: {error}"))?;
    PrometheusBuilder::new()
        .with_http_listener(address)
        .install()?;
    metrics::describe_counter!(
        "disconnects_total",
        "Ended connections by layer, reason and initiator."
    );

    for script in ["exit 0", "exit 7", "exit 8", "kill -KILL $$"] {
        let result = Command::new("sh").args(["-c", script]).status();
        count(&classify_session_exit(false, &result));
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

/// The exporter does not tell which port it took, so a free one is found first.
fn free_address(port: u16) -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()
}
