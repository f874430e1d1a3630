//! A whole process: threads that end connections, a shutdown, memory. Each in a process of its own.

use std::hint::black_box;
use std::io::Read;
use std::process::{Command, Stdio};
use std::task::{Context, Waker};
use std::thread;
use std::time::Instant;
use std::{fs, pin};

use disconnect_attribution::{Cause, Evidence};

use crate::parts::{end, guard, tracked};

/// The argument of a process that is measured, before the name of its case.
pub(crate) const CHILD: &str = "--whole-case";
const RUNS: usize = 5;

type Case = (&'static str, usize, fn(usize) -> u128);

/// The name, a number of connections, and what returns a whole number of the name's unit.
const CASES: [Case; 8] = [
    ("1 thread ends 200,000 connections, ns each", 200_000, |count| threads(1, count)),
    ("2 threads end them, ns each", 200_000, |count| threads(2, count)),
    ("8 threads end them, ns each", 200_000, |count| threads(8, count)),
    ("32 threads end them, ns each", 200_000, |count| threads(32, count)),
    ("shutdown recorded over 100,000 children, ns", 100_000, |count| shutdown(count, 0)[0]),
    ("shutdown recorded over 100,000 waiting children, ns each", 100_000, |count| {
        shutdown(count, count)[0] / count as u128
    }),
    ("look of each of 100,000 children at the shutdown, ns each", 100_000, |count| {
        shutdown(count, 0)[1] / count as u128
    }),
    ("an open connection, resident, bytes", 1_000_000, resident),
];

/// Connections of one process, open at once, that end on so many threads by an end of file.
fn threads(threads: usize, count: usize) -> u128 {
    let process = Cause::default();
    let open = |_| {
        let guard = guard().with_cause(process.child());
        (tracked(std::io::empty(), guard.cause()), guard)
    };
    let shares: Vec<Vec<_>> = (0..threads).map(|_| (0..count / threads).map(open).collect()).collect();
    let started = Instant::now();
    thread::scope(|scope| {
        for share in shares {
            scope.spawn(|| {
                for (mut stream, guard) in share {
                    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
                    drop(guard);
                }
            });
        }
    });
    started.elapsed().as_nanos() / count as u128
}

/// Records in the cause of so many connections, of which some wait for it; then each looks.
fn shutdown(count: usize, waiting: usize) -> [u128; 2] {
    let process = Cause::default();
    let children: Vec<Cause> = (0..count).map(|_| process.child()).collect();
    let mut waiters: Vec<_> = children[..waiting].iter().map(Cause::ended).collect();
    for waiter in &mut waiters {
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin::Pin::new(waiter).poll(&mut context).is_pending());
    }
    let started = Instant::now();
    assert!(process.record(Evidence::Local, end()));
    let recorded = started.elapsed().as_nanos();
    let looking = Instant::now();
    assert!(children.iter().all(|child| child.get().is_some()));
    [recorded, looking.elapsed().as_nanos()]
}

/// Each a guard over a child cause, and a tracked stream that carries it.
fn resident(count: usize) -> u128 {
    let held = || {
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u128>().ok()).expect("resident") * 1024
    };
    let (process, before) = (Cause::default(), held());
    let mut open = Vec::with_capacity(count);
    open.extend((0..count).map(|_| {
        let guard = guard().with_cause(process.child());
        tracked(std::io::empty(), guard.cause()).carrying(guard)
    }));
    let each = held().saturating_sub(before).div_ceil(count as u128);
    drop(black_box(open));
    each
}

pub(crate) fn run(name: &str) {
    for (_, count, run) in CASES.iter().filter(|(other, ..)| *other == name) {
        println!("{}", run(*count));
    }
}

/// Each once, to see that it works.
pub(crate) fn run_small() {
    for (_, _, run) in CASES.into_iter().filter(|_| cfg!(target_os = "linux")) {
        black_box(run(64));
    }
}

/// Prints the middle of some runs, the least and the most.
pub(crate) fn print(filter: &str) {
    let mut head = "\n### A whole process\n\n| what | middle | least | most |\n|---|--:|--:|--:|\n";
    for (name, ..) in CASES.iter().filter(|(name, ..)| format!("A whole process/{name}").contains(filter)) {
        let mut values = [(); RUNS].map(|()| {
            let this = std::env::current_exe().expect("this program");
            let output = Command::new(this).args([CHILD, name]).stderr(Stdio::inherit()).output();
            let text = String::from_utf8(output.expect("runs").stdout).expect("a number");
            text.trim().parse::<u128>().expect("a number")
        });
        values.sort_unstable();
        let row = format!("| {name} | {} | {} | {} |", values[RUNS / 2], values[0], values[RUNS - 1]);
        println!("{}{row}", std::mem::take(&mut head));
    }
}
