//! Random tests, with one size knob.
//!
//! `TEST_SIZE=100` runs a hundred times as many cases, from other seeds each time. A run that fails prints the seed
//! with which it fails at once: `TEST_SEED=..`.

use std::cell::Cell;
use std::env;
use std::hash::{BuildHasher, RandomState};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// So many cases have a seed of their own.
const A_SEED: u32 = 32;

/// How many times as large as usual tests shall be.
pub(crate) fn size() -> u64 {
    number("TEST_SIZE").unwrap_or(1)
}

/// Runs a test on so many random values; it returns whether it reached what it is about, which a share of one in
/// so many must.
pub(crate) fn run<S: Strategy>(
    cases: u64,
    one_in: u64,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<bool, TestCaseError>,
) {
    let first = number("TEST_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let seeds = if env::var_os("TEST_SEED").is_some() { 1 } else { (cases * size()).div_ceil(A_SEED.into()) };
    let reached = Cell::new(0);
    for seed in (first..=u64::MAX).chain(0..).take(usize::try_from(seeds).expect("fits")) {
        let config = Config { cases: A_SEED, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
        let outcome = TestRunner::new_with_rng(config, rng).run(strategy, |value| {
            reached.set(reached.get() + u64::from(test(value)?));
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("TEST_SEED={seed}: {error}");
        }
    }
    let (ran, reached) = (seeds * u64::from(A_SEED), reached.get());
    let enough = if seeds == 1 { 0 } else { ran / one_in };
    assert!(reached >= enough, "{reached} of {ran} cases reached what they are about");
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: a number")))
}
