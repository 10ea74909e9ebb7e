#!/usr/bin/env bash
# Checks the dependency tree against deny.toml. Advisories need their database: without a network they are told as
# not checked, and everything else still is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.20.2

if ! cargo deny --version >/dev/null 2>&1; then
    cargo install --locked --quiet "cargo-deny@$version"
fi
cargo deny check bans licenses sources

database=https://github.com/RustSec/advisory-db
if timeout 20 git ls-remote --exit-code "$database" HEAD >/dev/null 2>&1; then
    cargo deny check advisories
else
    echo "advisories: NOT CHECKED, their database cannot be reached from here"
fi
