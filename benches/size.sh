#!/usr/bin/env bash
# How large the library is, and what its cold build takes: benches/size.sh [CHECKOUT, else this one]. So a change can be
# held against the commit before it: git worktree add ../before COMMIT && benches/size.sh ../before
set -euo pipefail
root=$(cd "${1:-$(dirname "$0")/..}" && pwd)
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

row() { printf '%-44s %8s\n' "$1" "$2"; }
# No docs, comments, blank lines, or pages.
code() { grep -cvE '^[[:space:]]*(//|#\[doc|$)' || true; }

row "lines of code in src" "$(find src -name '*.rs' -not -path '*/pages/*' -exec cat {} + | code)"
row "files of more than 300 of them" "$(find src -name '*.rs' -not -path '*/pages/*' | while read -r file; do
  echo "$(code < "$file")"
done | awk '$1 > 300' | wc -l)"
row "lines of Rust in the repository" "$(git ls-files '*.rs' | xargs cat | wc -l)"
row "lines of Rust in tests" "$(git ls-files 'tests/*.rs' | xargs cat | wc -l)"
row "lines of Rust in benches" "$(git ls-files 'benches/*.rs' | xargs cat | wc -l)"
row "public items" "$(grep -c '^pub ' tests/api/public-api.txt)"
row "public functions and methods" "$(grep -cE '^pub (const )?(async )?fn ' tests/api/public-api.txt)"

# Cold release builds: the processor's seconds depend less than the clock's on what else runs; the least of three. A
# second run differs by up to 15 %; the crates are exact.
TIMEFORMAT='%U %S'
build() { # title, features
  rm -rf "$work/project"
  mkdir -p "$work/project/src"
  cp "$root/Cargo.lock" "$work/project"
  echo > "$work/project/src/lib.rs"
  cat > "$work/project/Cargo.toml" <<TOML
[package]
name = "cold"
version = "0.0.0"
edition = "2024"
[workspace]
[dependencies]
disconnect-attribution = { path = "$root"$2 }
TOML
  cd "$work/project"
  cargo fetch --quiet
  row "crates, $1" \
    "$(($(cargo tree --quiet --prefix none --edges normal,build | sed 's/ (.*//' | sort -u | wc -l) - 1))"
  row "seconds of CPU of a cold build, $1" "$(for _ in 1 2 3; do
    rm -rf "$work/target"
    { time CARGO_TARGET_DIR="$work/target" cargo build --release --quiet; } 2>&1
  done | awk '{ seconds = $1 + $2; if (NR == 1 || seconds < least) least = seconds } END { printf "%.1f", least }')"
}
build "no features" ", default-features = false"
build "default features" ""
build "all features" ', features = ["tokio", "tracing"]'
