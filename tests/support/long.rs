//! Random runs that go on until a time limit.
//!
//! `LONG_SECONDS=120 cargo test -p disconnect-report --test long -- --ignored`
//! runs each for two minutes. A run that fails prints the seed that makes it fail at once: `LONG_SEED=..`.

use std::cell::Cell;
use std::env;
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// So many cases have a seed of their own.
const CASES: u32 = 32;

/// Runs a test on new values until the time is over; it returns whether it reached what it is about.
pub(crate) fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<bool, TestCaseError>)
where
    S::Value: Debug,
{
    let seconds = number("LONG_SECONDS").unwrap_or(10);
    let first = number("LONG_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("LONG_SEED={first}, for {seconds} s");
    let started = Instant::now();
    let (ran, reached) = (Cell::new(0_u64), Cell::new(0_u64));
    let mut seed = first;
    while ran.get() == 0 || started.elapsed() < Duration::from_secs(seconds) {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let bytes: Vec<u8> = seed.to_le_bytes().repeat(4);
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let outcome = TestRunner::new_with_rng(config, rng).run(strategy, |value| {
            let is_reached = test(value)?;
            ran.set(ran.get() + 1);
            reached.set(reached.get() + u64::from(is_reached));
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("LONG_SEED={seed}: {error}");
        }
        seed = seed.wrapping_add(1);
    }
    let (ran, reached) = (ran.get(), reached.get());
    println!("{ran} cases, of which {reached} reached what they are about");
    assert!(reached > 0, "none of {ran} cases reached what it is about");
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: a number")))
}
