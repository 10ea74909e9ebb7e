#!/usr/bin/env bash
# Random Compose projects, read by this program and by docker compose: `ci/differential.py` alone takes ten thousand.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin differential

step 'random projects are read as docker compose reads them'
expect 0 "$root/ci/differential.py" "$SEAWORTHY_BIN" --count "${PROJECTS:-200}"
figure 'of them' "$(tail -n 1 "$W/said")"
