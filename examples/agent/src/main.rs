//! Runs the agent; see the library beside this.

#[cfg(unix)]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    agent::run().await
}

#[cfg(not(unix))]
fn main() {
    eprintln!("agent: needs Unix: its sessions are processes with signals and terminals");
}
