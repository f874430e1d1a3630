//! Exactly one line for every guard, and what it holds.

mod line;
mod numbers;
mod ways_out;

use std::io;

use disconnect_attribution::DisconnectGuard;

use crate::support::track;

const GOODBYE: &str = "agent_to_client ended by client: client_closed (end_of_file, peer client)";

/// Reads a client's goodbye under a guard.
fn goodbye(guard: &DisconnectGuard) {
    let mut stream = track(guard, io::empty()).with_goodbye();
    assert_eq!(io::copy(&mut stream, &mut io::sink()).expect("the end"), 0);
}
