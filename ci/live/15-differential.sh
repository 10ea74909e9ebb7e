#!/usr/bin/env bash
# Compose projects, ten thousand made at random and those that ever differed, read by this program and as docker compose
# reads them; then what public files look like: the reference's own test data.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin differential

step 'random projects are read as docker compose reads them'
expect 0 timeout 600 "$root/ci/differential.py" "$SEAWORTHY_BIN" --count "${PROJECTS:-10000}" --seed "${SEED:-1}"
figure 'of them' "$(tail -n 1 "$W/said")"

step 'the files that the reference is tested with are read the same'
modules=$(go env GOMODCACHE)
(cd "$root/ci/peers/reference" && go mod download github.com/compose-spec/compose-go/v2)
expect 0 timeout 300 "$root/ci/differential.py" "$SEAWORTHY_BIN" \
    --files "$modules"/github.com/compose-spec/compose-go/v2@v2.9.1 "$root/examples"
figure 'of them' "$(tail -n 1 "$W/said")"
