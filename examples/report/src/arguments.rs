//! What is asked for.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::{Parser, ValueEnum};
use jiff::{Span, Timestamp, Zoned};

use crate::tally::Filter;

/// More threads than this wait for the disk.
const MOST_THREADS: usize = 8;

/// Counts the disconnects in agents' logs: expected ones, and those to investigate.
///
/// Reads slog-json, tracing's JSON and text, the Go agents' JSON and human formats, and Go's log/slog, plain,
/// gzip, and as Docker, Kubernetes, journald, Loki and Google Cloud wrap them. Formats may be mixed.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Logs to read, plain or gzip; - is standard input, which is also read where no file is named
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Print one JSON object instead of a report
    #[arg(long)]
    pub(crate) json: bool,

    /// Leave out ends before this time: 2026-01-02, 2026-01-02T03:04:05Z, "2h ago" or 2h
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    since: Option<Timestamp>,

    /// Leave out ends at or after this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    until: Option<Timestamp>,

    /// Leave out the ends that are part of normal operation
    #[arg(long)]
    only_unexpected: bool,

    /// Count the ends by the message of their lines, too: one end may write several lines
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,

    /// How many threads read and count; as many as there are processors, up to 8, unless set
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZero<usize>>,
}

const EXAMPLES: &str = "\
Examples:
  disconnect-report agent.log agent.log.*.gz
  kubectl logs --prefix -l app=agent --tail=-1 | disconnect-report --since '2h ago'
  journalctl -u agent -o json | disconnect-report --json";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The text of the line
    Msg,
}

impl Arguments {
    pub(crate) fn by_message(&self) -> bool {
        self.by == Some(By::Msg)
    }

    pub(crate) fn threads(&self) -> usize {
        let available = || {
            available_parallelism()
                .map_or(1, NonZero::get)
                .min(MOST_THREADS)
        };
        self.threads.map_or_else(available, NonZero::get).min(256)
    }

    pub(crate) fn filter(&self) -> Result<Filter, String> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(format!(
                "--since {since} is not before --until {until}: no end could count"
            ));
        }
        Ok(Filter {
            since: self.since,
            until: self.until,
            only_unexpected: self.only_unexpected,
        })
    }
}

/// A time, a date (midnight UTC), or a span of time before now, whichever sign it has.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Some(time) = crate::read::parse_time(text) {
        return Ok(time);
    }
    let span: Span = text.parse().map_err(
        |_| "expected a time (2026-01-02T03:04:05Z), a date (2026-01-02) or a span before now (2h, \"2h ago\")",
    )?;
    let then = Zoned::now()
        .checked_sub(span.abs())
        .map_err(|error| error.to_string())?;
    Ok(then.timestamp())
}
