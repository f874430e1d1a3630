//! The walk: ends a connection at every site of the agent, in every way that the site knows.

use std::error::Error;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use slog::{Drain, Logger, o};
use tokio::sync::watch;

use crate::context::Context;
use crate::log::logger;

mod clients;
mod control;
mod world;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_millis(200);

const INTRODUCTION: &str = "\
Real sockets, processes and signals, all on this machine. In the lines, coderd
is the server that agents report to (here: the coordinator); derp are its
relays, for packets that find no direct way, and the agent follows their map;
JetBrains is an IDE whose channels the agent forwards through SSH.";

const NEXT: &str = "
`cargo run -p agent -- --json | cargo run -p disconnect-report -- --by msg`
counts these lines: which ends are unexpected, and which of them one outage.
`cargo run -p agent -- serve` is an agent that you can log in to and break by
hand.";

pub(crate) async fn run(json: bool) -> Result {
    let (lines, logged) = watch::channel(());
    let counting = logger(json).filter(move |_| {
        lines.send_replace(());
        true
    });
    let log = Logger::root(counting.ignore_res(), o!());
    let walk = Walk { log, logged, json, scenes: AtomicUsize::new(0) };
    walk.print(INTRODUCTION);
    tokio::select! {
        walked = walk.all() => walked?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            return Err("interrupted".into());
        }
    }
    walk.print(NEXT);
    Ok(())
}

struct Walk {
    log: Logger,
    /// Changes with each line.
    logged: watch::Receiver<()>,
    json: bool,
    scenes: AtomicUsize,
}

impl Walk {
    async fn all(&self) -> Result {
        self.connections_to_the_coordinator().await?;
        self.sessions_and_logins().await?;
        self.connections_and_channels().await?;
        self.this_side_and_terminals().await
    }

    /// Prints for people.
    fn print(&self, text: &str) {
        if !self.json {
            // A reader that hangs up misses it.
            let _ = writeln!(io::stdout(), "{}", textwrap::fill(text, 80));
        }
    }

    /// Announces what happens next in the world, and returns an agent to which it happens.
    fn scene(&self, title: &'static str, sentence: &str) -> Context {
        let number = self.scenes.fetch_add(1, Relaxed) + 1;
        self.print(&format!("\n{number}. {title}\n{sentence}\n"));
        // People read it above the lines.
        let log = if self.json { self.log.new(o!("scene" => title)) } else { self.log.clone() };
        Context::new(log)
    }
}
