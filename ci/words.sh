#!/usr/bin/env bash
# Fails when a tracked file names a path of somebody's machine, or was left half done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=0

# Prints the lines that match PATTERN in tracked text files, with what is wrong about them.
forbid() {
    local what=$1 pattern=$2
    # Brackets keep these patterns from finding themselves.
    if git grep -nIE "$pattern" -- . ':!Cargo.lock' ':!*.sum' ':!LICENSE-*'; then
        echo "words: $what" >&2
        failed=1
    fi
}

forbid "a path of one machine" '(^|[^A-Za-z0-9_.-])/(w[o]rk|h[o]me/[a-z]+|U[s]ers|tmp/p[e]ers)(/|\b)'
forbid "a folder that is not part of the checkout" '\.\./s[h]ared'
forbid "something left for later" '\b(TO[D]O|FIX[M]E|X[X]X)\b|tod[o]!\('
forbid "a merge that was not finished" '^(<<<<<<<|>>>>>>>) '
forbid "space at the end of a line" '[[:blank:]]+$'

exit $failed
