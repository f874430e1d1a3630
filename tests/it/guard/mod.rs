//! Exactly one line for every guard, and what it holds.

mod line;
mod numbers;
mod ways_out;
