#!/usr/bin/env bash
# How long the binary takes to be built again in profile `fast` after a one-line edit in `plan`. Prints seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
edited=crates/plan/src/rollout.rs
kept=$(mktemp)
cp -p "$edited" "$kept"
trap 'cp "$kept" "$edited"; rm -f "$kept"' EXIT

build() { cargo build --quiet --profile fast -p seaworthy; }

build
for round in 1 2 3; do
    sed -i "s/\"it does not exist yet[^\"]*\"/\"it does not exist yet, round $round\"/" "$edited"
    began=$(date +%s.%N)
    build
    awk -v began="$began" -v ended="$(date +%s.%N)" -v round="$round" \
        'BEGIN { printf "round %d: %.1f s\n", round, ended - began }'
done
