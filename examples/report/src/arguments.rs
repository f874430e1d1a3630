//! What is asked for.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::Parser;
use jiff::{Span, Timestamp, Zoned};

/// The key by which the ends of each file are counted.
pub(crate) const BY_FILE: &str = "file";

/// More threads than this wait for the disk.
const MOST_THREADS: usize = 8;

/// Counts the disconnects in agents' logs: expected ones, and those to investigate.
///
/// Reads slog's, tracing's and the Go agents' JSON and text, plain and gzip, whatever wraps them: JSON of any shape,
/// prefixes, CSV. Formats may be mixed.
#[derive(Debug, Default, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
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
    pub(crate) since: Option<Timestamp>,

    /// Leave out ends at or after this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub(crate) until: Option<Timestamp>,

    /// Leave out the ends that are part of normal operation
    #[arg(long)]
    pub(crate) only_unexpected: bool,

    /// Show lifetimes, details and codes of the expected ends, not of those to investigate
    #[arg(long, conflicts_with = "only_unexpected")]
    pub(crate) expected: bool,

    /// Count the ends by a field of their lines, too: host, pod, user; msg is the text of the line, file its file
    #[arg(long, value_name = "KEY")]
    pub(crate) by: Option<String>,

    /// Show when: a timeline of each row of the table, and the seconds with the most ends
    #[arg(long)]
    pub(crate) when: bool,

    /// Show how often each machine (a value of --by) lost its server, and how long it was away
    #[arg(long, requires = "by")]
    pub(crate) away: bool,

    /// How many threads read and count; as many as there are processors, up to 8, unless set
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZero<usize>>,
}

const EXAMPLES: &str = "\
Examples:
  disconnect-report agent.log agent.log.*.gz
  kubectl logs --prefix -l app=agent --tail=-1 | disconnect-report --since '2h ago'
  journalctl -u agent -o json --all | disconnect-report --by _HOSTNAME";

impl Arguments {
    pub(crate) fn threads(&self) -> usize {
        let available = || available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        self.threads.map_or_else(available, NonZero::get).min(256)
    }

    /// What can't work.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => {
                Err(format!("--since {since} is not before --until {until}: no end could count"))
            }
            _ => Ok(()),
        }
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
    let then = Zoned::now().checked_sub(span.abs()).map_err(|error| error.to_string())?;
    Ok(then.timestamp())
}
