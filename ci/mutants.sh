#!/bin/sh
# What the tests of the planners and folds notice: small changes are made to them, one at a time, and every one that no
# test finds is named.
#
#   ci/mutants.sh                 the short form: one in twenty of the mutants
#   ci/mutants.sh full            all of them: hours
#   ci/mutants.sh diff BASE       those in lines that changed since BASE
#   ci/mutants.sh FILE…           those of these files
#
# SHARD=3/20 picks another part for the short form, JOBS=2 how many are tried at once.
set -eu
cd "$(dirname "$0")/.."

version=25.3.1
if ! cargo mutants --version 2>/dev/null | grep -q " $version\$"; then
    cargo install --locked --quiet cargo-mutants --version "$version"
fi

out=${OUT:-target/mutants}
mkdir -p "$out"
# A mutant that waits for ever is told by the time limit: the tests of this crate take seconds.
set -- "$@" --
how=${1:-}
case $how in
    --) set -- --shard "${SHARD:-0/20}" ;;
    full) set -- ;;
    diff)
        git diff "$2" -- crates/plan/src >"$out/diff"
        set -- --in-diff "$out/diff"
        ;;
    *)
        files=
        for file in "$@"; do
            [ "$file" = -- ] || files="$files --file $file"
        done
        # shellcheck disable=SC2086 # one word a file
        set -- $files
        ;;
esac

code=0
cargo mutants --package plan --test-package plan --timeout 60 --jobs "${JOBS:-2}" --output "$out" --no-shuffle \
    --colors never "$@" || code=$?
# 2: some were missed, 3: some ran out of time, which is caught too. Anything else is no answer.
case $code in 0 | 2 | 3) ;; *) exit "$code" ;; esac

count() { grep -c . "$out/mutants.out/$1.txt" || true; }
caught=$(($(count caught) + $(count timeout)))
missed=$(count missed)
tried=$((caught + missed))
[ "$tried" -gt 0 ] || { echo "no mutant was tried"; exit 0; }
cat "$out/mutants.out/missed.txt"
echo "$caught of $tried mutants caught: $((caught * 100 / tried)) %; $(count unviable) did not build"
[ $((caught * 100)) -ge $((tried * 90)) ]
