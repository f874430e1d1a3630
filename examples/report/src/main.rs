//! Reads agents' JSON logs and tells an on-call engineer what ended, why, and what to look at.
//!
//! - `input.rs`: files, standard input and gzip, line by line
//! - `line.rs`: one line of slog-json, of tracing's JSON or of a Go agent, read as a `Disconnect`
//! - `tally.rs`: the counts, in memory that does not grow with the log
//! - `print.rs`: what people and machines get to see

mod input;
mod line;
mod print;
mod tally;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jiff::{Span, Timestamp, Zoned};

use crate::input::{Input, Raw};
use crate::tally::Tally;

/// Counts the disconnects in agents' JSON logs: expected ones, and those to investigate.
///
/// Reads lines of slog-json, of tracing's JSON formatter and of Go agents. Other lines are counted and
/// reported, never a stop.
#[derive(Debug, Parser)]
struct Arguments {
    /// Logs to read, plain or gzip; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Print one JSON object instead of a report
    #[arg(long)]
    json: bool,

    /// Leave out ends before this time: 2026-01-02, 2026-01-02T03:04:05Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,

    /// Leave out ends at or after this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,

    /// Leave out the ends that are part of normal operation
    #[arg(long)]
    only_unexpected: bool,
}

/// A time, a date (midnight UTC), or a span of time before now.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        let midnight = date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_err(|error| error.to_string())?;
        return Ok(midnight.timestamp());
    }
    let span: Span = text.parse().map_err(
        |_| "expected a time (2026-01-02T03:04:05Z), a date (2026-01-02) or a span (2h)",
    )?;
    let then = Zoned::now()
        .checked_sub(span)
        .map_err(|error| error.to_string())?;
    Ok(then.timestamp())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    // Every file has to be there before the first is read.
    let inputs = Input::open_all(&arguments.files)?;
    let bar = input::progress(&inputs);
    let mut tally = Tally::new(arguments.since, arguments.until, arguments.only_unexpected);
    for input in inputs {
        let name = input.name.clone();
        let result = input.for_each_line(&bar, |number, raw| match raw {
            Raw::Line(bytes) => tally.count(&name, number, line::read(bytes)),
            Raw::TooLong => tally.count_too_long(&name, number),
        });
        if let Err(error) = result {
            // What was read so far counts; a damaged end of a file is told, not fatal.
            tally.count_read_error(&name, &error);
        }
    }
    bar.finish_and_clear();

    let mut text = if arguments.json {
        print::for_machines(&tally)
    } else {
        print::for_people(&tally, io::stdout().is_terminal())
    };
    text.push('\n');
    match io::stdout().write_all(text.as_bytes()) {
        // A reader that has seen enough (`| head`) is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}
