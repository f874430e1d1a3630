//! The library's tests, a module for each part of it.
//!
//! `TEST_SIZE=100 cargo test --all-features --test it` runs each random test on a hundred times as many cases.

// What every set of features needs some of.
#[cfg_attr(
    not(all(feature = "slog", feature = "serde", feature = "tracing")),
    allow(dead_code, unused_imports)
)]
#[path = "../support/mod.rs"]
mod support;

// Words.
mod close_code;
mod vocabulary;

// The record.
mod classify;
mod errors;
mod record;
mod text;

// One line, the true cause.
mod cause;
mod guard;
#[cfg(all(unix, feature = "tokio"))]
mod natural;
mod stream;

// Adapters.
#[cfg(all(feature = "slog", feature = "serde", feature = "tracing"))]
mod adapters;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "slog")]
mod slog;
#[cfg(feature = "tracing")]
mod tracing;

// The whole.
#[cfg(feature = "slog")]
mod allocations;
mod docs;
#[cfg(all(target_os = "linux", feature = "slog", feature = "serde"))]
mod faults;
mod promises;
#[cfg(all(target_os = "linux", feature = "slog", feature = "serde"))]
mod soak;
