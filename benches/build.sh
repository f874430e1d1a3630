#!/usr/bin/env bash
# Cold release builds of this crate by feature set, and of its four dependencies alone: the processor's seconds, which
# depend less than the clock's on what else runs, the least of three builds; and the crates that are compiled.
set -euo pipefail
crate=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT='%U %S'

build() { # title, dependencies
  rm -rf "$work/project"
  mkdir -p "$work/project/src"
  cp "$crate/Cargo.lock" "$work/project"
  echo > "$work/project/src/lib.rs"
  printf '[package]\nname = "cold"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n%s\n' "$2" \
    > "$work/project/Cargo.toml"
  cd "$work/project"
  cargo fetch --quiet
  crates=$(($(cargo tree --quiet --prefix none --edges normal,build | sed 's/ (.*//' | sort -u | wc -l) - 1))
  for _ in 1 2 3; do
    rm -rf "$work/target"
    { time CARGO_TARGET_DIR="$work/target" cargo build --release --quiet; } 2>&1
  done | awk -v title="$1" -v crates="$crates" '
    { seconds = $1 + $2; if (NR == 1 || seconds < least) least = seconds }
    END { printf "%-28s %4.0f s of CPU, %2d crates\n", title, least, crates }'
}

four='slog = { version = "2.5.2", default-features = false }
serde = { version = "1.0.100", default-features = false }
strum = { version = "0.28", default-features = false, features = ["derive"] }
thiserror = { version = "2", default-features = false }'
ours="disconnect-attribution = { path = \"$crate\""

build "the four dependencies alone" "$four"
build "default features" "$ours }"
build "no features" "$ours, default-features = false }"
build "all features" "$ours, features = [\"tokio\", \"tracing\"] }"
