#!/usr/bin/env bash
# Lets a coverage-guided fuzzer make up Compose projects for a bounded time; any panic, hang or hunger fails.
#
#   ci/fuzz.sh [SECONDS]
#
# It begins with what the random projects of `ci/differential` look like, and with what it ever found (`ci/fuzz/found`):
# put a file there that failed, named by what was wrong. The stable compiler can count coverage, so nothing else is needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/fuzz"

seconds=${1:-60}
target=$(rustc --version --verbose | sed -n 's/^host: //p')
work=${CARGO_TARGET_DIR:-$PWD/../../target}/fuzz
corpus=$work/corpus
mkdir -p "$corpus" "$work/failed"
command -v c++ >/dev/null || { echo "skipped: no C++ compiler for the fuzzer"; exit "${SEAWORTHY_LIVE:-0}"; }

# With a target named, what runs on the compiler's side is not instrumented.
export CARGO_TARGET_DIR=$work CARGO_INCREMENTAL=0
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
cargo build --quiet --locked --release --target "$target"

python3 seeds.py "$corpus" "$work/words.dict"
# `timeout` is for one input: the slowest honest ones take a tenth of a second.
"$work/$target/release/reading" "$corpus" found \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=16384 -dict="$work/words.dict" \
    -artifact_prefix="$work/failed/" -print_final_stats=1 -verbosity=1 -close_fd_mask=1 2>&1 |
    grep --line-buffered -E '^(INFO: seed|stat::|==|SUMMARY|thread|artifact|Done)|panicked|asked for twice|never ends|Test unit'
