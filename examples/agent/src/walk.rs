//! The walk: ends a connection at every site of the agent, in every way that the site knows.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use slog::o;
use tokio::time::sleep;

use crate::context::Context;
use crate::log::{Lines, SCENE, recording_logger};
use crate::paper::{Paragraph, Style, is_colourful};

mod clients;
mod control;
mod summary;
mod world;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_millis(200);

const INTRODUCTION: &str = "Real sockets, processes and signals, all on this machine. In the lines, \
    coderd is the server that agents report to (here: the coordinator); derp are its relays, for \
    packets that find no direct way, and the agent follows their map; JetBrains is an IDE whose \
    channels the agent forwards through SSH.";

const NEXT: &str = "\nNext: `cargo run -p agent -- serve` is an agent that you can log in to and break \
    by hand; `cargo run -p agent -- --json` prints the same lines for machines.";

pub(crate) async fn run(json: bool) -> Result {
    let (log, lines) = recording_logger(json);
    let walk = Walk { log, lines, json, scenes: Mutex::default() };
    walk.print(INTRODUCTION, Style::Plain);
    tokio::select! {
        walked = walk.all() => walked?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            return Err("interrupted".into());
        }
    }
    let scenes = walk.scenes.lock().unwrap_or_else(PoisonError::into_inner);
    let table = summary::table(&walk.lines, &scenes);
    if json {
        eprintln!("{table}");
    } else {
        println!("\n{table}");
    }
    walk.print(summary::LEGEND, Style::Plain);
    walk.print(NEXT, Style::Plain);
    Ok(())
}

struct Walk {
    log: slog::Logger,
    lines: Lines,
    json: bool,
    scenes: Mutex<Vec<&'static str>>,
}

impl Walk {
    async fn all(&self) -> Result {
        self.no_coordinator().await?;
        self.coordinator_ends_it().await?;
        self.agent_leaves().await?;
        self.sessions_end().await?;
        self.nobody_logs_in().await?;
        self.connections_end().await?;
        self.channels_close().await?;
        self.this_side_ends_all().await?;
        self.terminals().await
    }

    fn print(&self, text: &str, style: Style) {
        if !self.json {
            let paragraph = Paragraph::new(0, is_colourful()).add(text, style);
            println!("{}", paragraph.into_text());
        }
    }

    /// Announces what happens next in the world, and returns an agent to which it happens.
    fn scene(&self, title: &'static str, sentence: &str) -> Context {
        let number = {
            let mut scenes = self.scenes.lock().unwrap_or_else(PoisonError::into_inner);
            scenes.push(title);
            scenes.len()
        };
        if !self.json {
            println!();
            self.print(&format!("{number}. {title}"), Style::Bold);
            self.print(sentence, Style::Plain);
            println!();
        }
        Context::new(self.log.new(o!(SCENE => title)))
    }

    async fn until_logged(&self, message: &str, scene: &str) {
        let is_it = |line: &str| line.contains(message) && line.contains(scene);
        while !self.lines.text().lines().any(is_it) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}
