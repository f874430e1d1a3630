//! Recipes: files to copy, one per protocol, from a library's words to the true cause of an end.
//!
//! Each is a module for a program's own `src`. The docs show them as they are (`guide::recipes`), and the tests of
//! this package hold each against real peers that fail.
#![cfg(unix)]
// A recipe becomes part of a program: its items are documented as a program's are.
#![allow(missing_docs, missing_debug_implementations, clippy::missing_errors_doc)]
#![allow(clippy::missing_panics_doc, clippy::must_use_candidate)]

pub mod axum_listener;
pub mod broker;
pub mod http2;
pub mod http_body;
pub mod http_server;
pub mod proxy;
pub mod quic;
pub mod russh_channel;
pub mod russh_connection;
pub mod russh_end;
pub mod russh_forward;
pub mod russh_phase;
pub mod teardown;
pub mod terminal;
pub mod tls;
pub mod tonic_client;
pub mod tonic_server;
pub mod websocket;
pub mod whole_lines;
