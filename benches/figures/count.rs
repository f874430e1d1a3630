//! Instructions, counted by valgrind's callgrind.
//!
//! Each case runs in a process of its own, in which three batches are counted apart. The first warms up. The others run it
//! once and twice as often: what the last has more is the cost of so many, without what surrounds them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Batch;

/// The argument of a process that is counted, before the name of its case.
pub(crate) const CHILD: &str = "--counted-case";

const COUNT: u16 = 100;

/// The function that callgrind dumps its counters after.
#[inline(never)]
fn counted_batch(batch: &mut Batch, count: u32) {
    batch(count);
}

pub(crate) fn run(mut batch: Batch) {
    for times in [1, 1, 2] {
        counted_batch(&mut batch, times * u32::from(COUNT));
    }
}

/// The instructions of a case, the middle of three counts: how two readings of a clock are subtracted depends on their
/// values, and takes now and then an instruction more or less.
pub(crate) fn instructions(id: &str) -> f64 {
    let mut counts = [(); 3].map(|()| counted(id));
    counts.sort_unstable_by(f64::total_cmp);
    (counts[1] / f64::from(COUNT)).round()
}

fn counted(id: &str) -> f64 {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callgrind");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--dump-after=*counted_batch*"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(std::env::current_exe().expect("this program"))
        .args([CHILD, id])
        // The environment stands on the stack, and would move it.
        .env_clear()
        .stdout(Stdio::null())
        .status()
        .expect("valgrind (or ask for --times alone)");
    assert!(status.success(), "{id} under valgrind: {status}");
    let [_, once, twice] = ["1", "2", "3"].map(|part| {
        let text = fs::read_to_string(output.with_extension(part)).expect("a dump of callgrind");
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        total.and_then(|total| total.trim().parse::<f64>().ok()).expect("a total of callgrind")
    });
    twice - once
}
