//! A small agent and its coordinator on loopback, as a sample of how to say why a connection ended.
//!
//! One file for each role; look for `guard`, `cause` and `classify_` to see the crate at work:
//!
//! - `control.rs`: the agent's control plane, three connections to its coordinator
//! - `ssh.rs`: the agent's SSH server: exec, shells, forwarded ports
//! - `pty.rs`: the agent's reconnecting terminal
//! - `coordinator.rs`: the server, a process of its own that can be stopped, hung and killed
//! - `walk.rs`, `serve.rs`: the two ways to run it
//! - `log.rs`, `arguments.rs`: the agent's own logger and command line

#[cfg(unix)]
mod arguments;
#[cfg(unix)]
mod control;
#[cfg(unix)]
mod coordinator;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod pty;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod ssh;
#[cfg(unix)]
mod walk;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    arguments::run()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("agent: needs Unix: its sessions are processes with signals and terminals");
}
