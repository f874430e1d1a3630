#!/usr/bin/env bash
# The report over 1 GB of log, beside serde_json parsing the same lines and jq counting the same thing.
set -euo pipefail
crate=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$work/agent.log" "${1:-1000}" <<'PY'
import json, random, sys
random.seed(1)
kinds = [("agent_to_client", "graceful", True, None, None), ("agent_to_client", "client_closed", True, "client", "bye"),
         ("agent_to_client", "network_error", False, "network", "read failed: Connection reset by peer (os error 104)"),
         ("server_to_agent", "server_shutdown", True, "server", "server is restarting")]
lines = []
for number in range(20_000):
    connect_type, reason, expected, initiator, detail = random.choice(kinds)
    line = {"msg": "closed", "level": "INFO", "ts": f"2026-01-02T03:{number % 60:02}:05.678901234Z", "session": number}
    if detail: line["disconnect_detail"] = detail
    if initiator: line["disconnect_initiator"] = initiator
    line |= {"disconnect_expected": expected, "disconnect_reason": reason, "connect_type": connect_type}
    lines.append(json.dumps(line, separators=(",", ":")))
block = "\n".join(lines) + "\n"
with open(sys.argv[1], "w") as log:
    for _ in range(int(sys.argv[2]) * 1_000_000 // len(block)):
        log.write(block)
PY

mkdir -p "$work/baseline/src"
cat > "$work/baseline/Cargo.toml" <<'TOML'
[package]
name = "baseline"
version = "0.0.0"
edition = "2024"
[dependencies]
serde_json = "1"
serde = "1"
[workspace]
TOML
cat > "$work/baseline/src/main.rs" <<'RUST'
use std::io::BufRead;
fn main() {
    let mut arguments = std::env::args().skip(1);
    let skip = arguments.next().as_deref() == Some("skip");
    let file = std::fs::File::open(arguments.next().unwrap()).unwrap();
    let mut reader = std::io::BufReader::with_capacity(1 << 18, file);
    let (mut line, mut count) = (Vec::new(), 0);
    while { line.clear(); reader.read_until(b'\n', &mut line).unwrap() > 0 } {
        count += if skip {
            serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok() as u64
        } else {
            serde_json::from_slice::<serde_json::Value>(&line).is_ok() as u64
        };
    }
    println!("{count}");
}
RUST
(cd "$work/baseline" && CARGO_TARGET_DIR="$work/target" cargo build --release --quiet)
(cd "$crate" && cargo build --release --quiet -p disconnect-report)
target=${CARGO_TARGET_DIR:-$crate/target}

measure() { # title, command...
  python3 - "$@" <<'PY'
import resource, subprocess, sys, time
times = []
for _ in range(3):
    start = time.monotonic()
    subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, check=True)
    times.append(time.monotonic() - start)
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(f"{sys.argv[1]:<36} {sorted(times)[1]:7.2f} s  {memory / 1024:8.1f} MiB at most")
PY
}
wc -c "$work/agent.log" | awk '{ printf "%.2f GB of log\n", $1 / 1e9 }'
measure "report" "$target/release/disconnect-report" "$work/agent.log"
measure "serde_json into Value" "$work/target/release/baseline" value "$work/agent.log"
measure "serde_json skipping" "$work/target/release/baseline" skip "$work/agent.log"
if command -v jq >/dev/null && [ -z "${WITHOUT_JQ:-}" ]; then
  measure "jq, counts by type and reason" jq -n \
    'reduce inputs as $l ({}; .[$l.connect_type + " " + $l.disconnect_reason] += 1)' "$work/agent.log"
fi
