//! Reads agents' logs and shows an on-call engineer what ended, why, and what to look at.
//!
//! - `arguments.rs`: what is asked for
//! - `input.rs`, `packed.rs`: files, standard input and gzip, in blocks of whole records
//! - `work.rs`: threads that count the blocks
//! - `read/`: one record, in every format and wrapper
//! - `tally/`: the counts, in memory that does not grow with the log
//! - `print/`: what people and machines get to see
//! - `clean.rs`: foreign text, made safe for a terminal

mod arguments;
mod clean;
mod input;
mod packed;
mod print;
mod read;
mod tally;
mod work;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::arguments::{Arguments, BY_FILE};
use crate::input::Source;
use crate::read::Reader;
use crate::tally::Tally;
use crate::work::Task;

/// What a shell shows for a process that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
const INTERRUPTED_HERE: &str = "disconnect-report: interrupted; this is what was read until then";

/// How long a block takes to be counted, at the very most.
const PATIENCE: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.files.is_empty() {
        if io::stdin().is_terminal() {
            let nothing = "name a log to read, or send one to standard input";
            Arguments::command().error(ErrorKind::MissingRequiredArgument, nothing).exit();
        }
        arguments.files.push(PathBuf::from("-"));
    }
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("disconnect-report: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, String> {
    arguments.check()?;
    let source = Source::find(&arguments.files)?;
    let (names, bar) = (source.names(), source.bar.clone());
    let by = arguments.by.clone().filter(|by| by != BY_FILE);
    let task = Arc::new(Task {
        reader: Reader::new(by),
        threads: arguments.threads(),
        stop: AtomicBool::new(false),
        tally: Mutex::new(Tally::new(Arc::new(arguments), names)),
    });
    stop_on_ctrl_c(&task);
    task.count(source);
    bar.finish_and_clear();

    // The thread that has the lock shows the report.
    let tally = work::lock(&task.tally);
    let interrupted = task.stop.load(Ordering::Relaxed);
    if interrupted {
        eprintln!("{INTERRUPTED_HERE}");
    }
    show(&tally)?;
    // The lock stays taken, so that nothing is shown twice.
    std::mem::forget(tally);
    Ok(ExitCode::from(if interrupted { INTERRUPTED } else { 0 }))
}

/// The first Ctrl-C ends the reading, and the report is about what was read until then; the second ends all.
fn stop_on_ctrl_c(task: &Arc<Task>) {
    let task = Arc::clone(task);
    // Without a handler Ctrl-C still ends the process.
    let _ = ctrlc::set_handler(move || {
        if task.stop.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        let task = Arc::clone(&task);
        thread::spawn(move || {
            thread::sleep(PATIENCE);
            // Still here: a read waits for a pipe in which nothing comes.
            let tally = work::lock(&task.tally);
            eprintln!("{INTERRUPTED_HERE}");
            let _ = show(&tally);
            std::process::exit(INTERRUPTED.into());
        });
    });
}

fn show(tally: &Tally) -> Result<(), String> {
    let mut text = if tally.arguments.json {
        if let Some(warning) = print::warning(tally) {
            eprintln!("disconnect-report: {warning}");
        }
        print::for_machines(tally)
    } else {
        print::for_people(tally, &print::Look::of_standard_output())
    };
    text.push('\n');
    match io::stdout().write_all(text.as_bytes()) {
        // A reader that has seen enough (`| head`) is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}
