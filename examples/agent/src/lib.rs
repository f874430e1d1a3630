//! A small agent and its coordinator on loopback, as a sample of how to record why a connection ended.
//! For Unix: its sessions are processes with signals and terminals.
//!
//! One file for each role; look for `guard`, `cause` and `classify_` to see the crate at work:
//!
//! - `context.rs`: the upper part of the tree of causes
//! - `ssh.rs`: the SSH server; its connections are served as the recipes do
//! - `control.rs`: the agent's control plane, a connection to its coordinator and two calls over it
//! - `pty.rs`: the agent's reconnecting terminal
//! - `ssh/`: answers russh, and knows who has not logged in yet; `process.rs`: what a session runs
//! - `coordinator.rs`: the server, a process of its own that can be stopped, hung and killed
//! - `walk.rs`, `serve.rs`: the two ways to run it
//! - `login.rs`, `log.rs`, `arguments.rs`: keys, the agent's own logger and command line
#![cfg(unix)]

mod arguments;
mod context;
mod control;
mod coordinator;
mod log;
mod login;
mod process;
mod pty;
mod serve;
mod ssh;
mod walk;

pub use arguments::run;
