//! Exact instructions, counted by valgrind's callgrind.
//!
//! Each case runs in a process of its own, in which four batches are counted apart. The first warms up. The others
//! run it one, two and three times as often: what each has more than the one before is the cost of so many, without
//! what surrounds them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::{Batch, Counted, Row, Table};

/// The argument of a process that is counted, before the name of its case.
pub(crate) const CHILD: &str = "--counted-case";

/// A multiple of what a buffered writer or an allocator does once in a while shows as a count that is no integer.
const COUNT: u32 = 100;

/// The function that callgrind dumps its counters after.
#[inline(never)]
fn counted_batch(batch: &mut Batch, count: u32) {
    batch(count);
}

pub(crate) fn run_in_child(tables: &[Table], id: &str) -> ExitCode {
    let rows = tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table.title, row)));
    let mut named = rows.filter(|(title, row)| id == format!("{title}/{}", row.name));
    let Some((_, row)) = named.next() else {
        return ExitCode::FAILURE;
    };
    let mut batch = (row.make)();
    for times in [1, 1, 2, 3] {
        counted_batch(&mut batch, times * COUNT);
    }
    ExitCode::SUCCESS
}

pub(crate) fn find_valgrind() -> Result<(), String> {
    let mut version = Command::new("valgrind");
    let version = version.arg("--version").stdout(Stdio::null());
    let is_there = version.status().is_ok_and(|status| status.success());
    let advice =
        "valgrind, which counts instructions, is missing: apt-get install valgrind, or ask for --times alone";
    is_there.then_some(()).ok_or_else(|| advice.to_owned())
}

/// The instructions of each case by its name; none if they turn out not to be the same each time.
pub(crate) fn all(rows: &[(String, &Row)]) -> BTreeMap<String, u64> {
    let counted = rows.iter().filter(|(_, row)| row.counted != Counted::Never);
    let counted: Vec<_> = counted.map(|(id, row)| (id, row.counted)).collect();
    let (queue, counts) = (Mutex::new(counted.into_iter()), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for worker in 0..2 {
            let (queue, counts) = (&queue, &counts);
            scope.spawn(move || {
                let next = || queue.lock().expect("no panic").next();
                while let Some((id, counted)) = next() {
                    let count = match counted {
                        Counted::Exactly => exactly(id, worker),
                        Counted::Nearly | Counted::Never => Some(nearly(id, worker)),
                    };
                    counts.lock().expect("no panic").extend(count.map(|count| (id.clone(), count)));
                }
            });
        }
    });
    counts.into_inner().expect("no panic")
}

fn exactly(id: &str, worker: u32) -> Option<u64> {
    let [more, as_much] = counts(id, worker);
    let is_exact = more == as_much && more % u64::from(COUNT) == 0;
    is_exact.then(|| more / u64::from(COUNT))
}

/// The middle one of three.
fn nearly(id: &str, worker: u32) -> u64 {
    let mut middle = [(); 3].map(|()| counts(id, worker)[0]);
    middle.sort_unstable();
    (middle[1] + u64::from(COUNT) / 2) / u64::from(COUNT)
}

/// What the third batch has more than the second, and the fourth more than the third.
fn counts(id: &str, worker: u32) -> [u64; 2] {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{worker}"));
    let dump = |part: &str| PathBuf::from(format!("{}{part}", output.display()));
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--dump-after=*counted_batch*"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(std::env::current_exe().expect("this program"))
        .args([CHILD, id])
        // The environment stands on the stack, and would move it.
        .env_clear()
        .stdout(Stdio::null())
        .status()
        .expect("valgrind runs");
    assert!(status.success(), "{id} under valgrind: {status}");
    let [_, one, two, three] = [".1", ".2", ".3", ".4"].map(|part| instructions(&dump(part)));
    let _ = fs::remove_file(dump(""));
    [two - one, three - two]
}

fn instructions(dump: &Path) -> u64 {
    let text = fs::read_to_string(dump).expect("a dump of callgrind");
    let _ = fs::remove_file(dump);
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total.expect("a total of callgrind")
}
