#!/usr/bin/env bash
# Memory of a million open connections, each a guard over a child cause, and a tracked stream that carries it.
set -euo pipefail
crate=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/src"
cp "$crate/Cargo.lock" "$work"
cat > "$work/Cargo.toml" <<TOML
[package]
name = "memory"
version = "0.0.0"
edition = "2024"
[dependencies]
disconnect-attribution = { path = "$crate", default-features = false }
allocation-counter = "0.8"
[workspace]
TOML
cat > "$work/src/main.rs" <<'RUST'
use disconnect_attribution::{Cause, ConnectType, Disconnect, DisconnectGuard};

const COUNT: usize = 1_000_000;

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn main() {
    let agent = Cause::default();
    let before = resident();
    let mut open = Vec::with_capacity(COUNT);
    let heap = allocation_counter::measure(|| {
        open.extend((0..COUNT).map(|_| {
            let guard = DisconnectGuard::new(ConnectType::AgentToClient, |end: Disconnect| {
                std::hint::black_box(end);
            })
            .with_cause(agent.child());
            guard.track(std::io::empty()).carrying(guard)
        }));
    });
    let each = |bytes: usize| bytes.div_ceil(COUNT);
    println!("where guard and stream stand  {:4} bytes", size_of_val(&open[0]));
    println!("on the heap, asked for        {:4} bytes in {} allocation", each(heap.bytes_current as usize), heap.count_current / COUNT as i64);
    println!("resident, both                {:4} bytes", each(resident() - before));
}
RUST
cd "$work"
CARGO_TARGET_DIR="$work/target" cargo build --release --quiet
"$work/target/release/memory"
