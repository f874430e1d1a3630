//! The fault matrix: each recipe of the docs, and real faults against real peers. The tables of the docs' page are the
//! expectation: a test opens its row, holds each end against a cell, and fails if a cell was left out.
//!
//! Beside it what needs other libraries: their errors, their names of close codes, the metrics program.
#![cfg(unix)]

mod axum_websocket;
mod broker;
mod close_code;
mod errors;
mod grpc;
mod http;
mod http2_client;
#[path = "../../../../tests/support/lines.rs"]
mod lines;
mod matrix;
mod metrics;
mod peer;
mod proxy;
mod quic;
#[path = "../../../../tests/support/respawned.rs"]
mod respawned;
mod site;
mod ssh;
mod teardown;
mod terminal;
mod tls;
mod websockets;
mod whole_lines;
#[path = "../../../../tests/support/words.rs"]
mod words;
