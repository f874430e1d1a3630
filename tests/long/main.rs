//! Random runs that go on until a time limit: see `tests/support/long.rs`.
#![cfg(all(
    feature = "slog",
    feature = "serde",
    feature = "tracing",
    feature = "tokio"
))]

#[path = "../support/fold.rs"]
mod fold;
#[path = "../lines/mod.rs"]
mod lines;
#[path = "../support/long.rs"]
mod long;
#[path = "../support/strategies.rs"]
mod strategies;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/words.rs"]
mod words;
#[path = "../support/worlds.rs"]
mod worlds;

mod formats;
mod oracle;
mod script;
mod streams;
mod text;
mod tree;
