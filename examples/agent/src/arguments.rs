//! The command line.

use std::error::Error;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::{coordinator, serve, walk};

/// Shows every way in which an agent's connections end, and the log line of each.
///
/// Without a command, walks through all of them by itself: real sockets, processes and signals, all on
/// loopback.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Log JSON lines to standard output, everything else to standard error
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an agent that you can `ssh` into, until Ctrl-C
    Serve(ServeArguments),

    /// Run the coordinator (the agent starts this one itself)
    #[command(hide = true)]
    Coordinator,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Port of the SSH server on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,

    /// Use the coordinator at this address (host:port) instead of starting one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) coordinator: Option<String>,

    /// Milliseconds that a client may take to log in
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) login_time: u64,

    /// Milliseconds between two pings of the coordinator
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) ping_interval: u64,
}

/// Does what the command line asks for.
pub async fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result: Result<(), Box<dyn Error>> = match arguments.command {
        None => walk::run(arguments.json).await,
        Some(Command::Serve(serve)) => serve::run(&serve, arguments.json).await,
        Some(Command::Coordinator) => coordinator::run().await.map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("agent: {error}");
            ExitCode::FAILURE
        }
    }
}
