#!/usr/bin/env bash
# The soak: a server under real connections that end in every way. Prints a summary, and fails on any wrong line.
#   benches/soak.sh [CONNECTIONS, else 100000] [MINUTES, else 10]
# Built as the tests are, with overflow checks. Ctrl-C stops early, with the summary so far. Linux.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --locked --features tokio --example soak
exec "${CARGO_TARGET_DIR:-target}/debug/examples/soak" "$@"
