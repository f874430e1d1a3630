#!/usr/bin/env bash
# Cold release builds: this crate by feature set, and its four dependencies alone.
set -euo pipefail
crate=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # title, dependencies
  rm -rf "$work/project" "$work/target"
  mkdir -p "$work/project/src"
  echo > "$work/project/src/lib.rs"
  printf '[package]\nname = "cold"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n%s\n' "$2" \
    > "$work/project/Cargo.toml"
  cd "$work/project"
  cargo fetch --quiet
  crates=$(($(cargo tree --quiet --prefix none --edges normal,build | sed 's/ (.*//' | sort -u | wc -l) - 1))
  for run in 1 2 3; do
    rm -rf "$work/target"
    start=$(date +%s%N)
    CARGO_TARGET_DIR="$work/target" cargo build --release --quiet
    echo "$((($(date +%s%N) - start) / 10000000))"
  done | sort -n | sed -n 2p | awk -v title="$1" -v crates="$crates" \
    '{ printf "%-44s %6.2f s, %2d crates\n", title, $1 / 100, crates }'
}

four='slog = { version = "2.8", default-features = false }
serde = { version = "1.0.221", default-features = false }
strum = { version = "0.28", default-features = false, features = ["derive"] }
thiserror = { version = "2", default-features = false }'
ours="disconnect-attribution = { path = \"$crate\""

build "the four dependencies alone" "$four"
build "default features" "$ours }"
build "no features" "$ours, default-features = false }"
build "all features" "$ours, features = [\"tokio\", \"tracing\"] }"
