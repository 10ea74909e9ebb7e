#!/usr/bin/env bash
# The sweep of 50-kills.sh on the process engine: no calls are heard there, so the moments are before and after every
# journal write. Then supervisors are killed, at random moments of deploys. The stack is that of `seaworthy demo`.
#
#   ci/live/52-kills-processes.sh          every so many moments, as CI does it
#   FULL=1 ci/live/52-kills-processes.sh   every moment; VERBS="deploy drill" picks some, EVERY=N each Nth
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root/ci/live/kills.sh"

declare -A STRIDE=([deploy]=8 [rollback]=8 [backup]=8 [restore]=12 [drill]=16)
SUPERVISORS=${SUPERVISORS:-6}
SEED=${SEED:-$RANDOM}

main() {
    local verb
    begin kills-processes
    trap 'code=$?; set +e; end_processes; (exit $code); finish' EXIT
    RANDOM=$SEED
    demo_stack
    step 'the stack of the demo as processes, with events in it'
    expect 0 sw bootstrap --shares-out "$keys/sealed"
    gather_shares 1 3
    expect 0 again deploy
    address=$(jq -r .relay "$SEAWORTHY_STATE_DIR/process/$STACK/addresses.json")
    cp "$(relay_home)/files/run/secrets/relay_jwt" "$keys/member"
    chmod 600 "$keys/member"
    load 3 30 >"$W/load.json"
    expect 0 sw backup
    signer=$(jq -r .signer "$COZY_BACKUPS/$STACK/sets/$(newest_set)/manifest.json")
    for verb in $VERBS; do moments "$verb"; done
    supervisors
    # Nothing runs on when the scenario is over.
    expect 0 sw destroy --volumes --confirm "$STACK"
    check 'no process is left' test -z "$(pgrep -f "side supervise $W" || true)"
    printf '\n%s' "$table"
}

# A scenario that fails leaves services that run; they are what supervisors here look after, and no others.
end_processes() {
    local pid
    for pid in $(pgrep -f "side supervise $W" || true); do
        # Its service is brought back by no supervisor that stands still.
        kill -STOP "$pid" || true
        pkill -9 -P "$pid" || true
        kill -9 "$pid" || true
    done
}

# The demo's files, with three holders of whom two unseal, and a value that each deploy changes.
demo_stack() {
    local number
    STACK=demo
    dir=$W/demo keys=$W/keys
    export SEAWORTHY_STATE_DIR=$W/state COZY_BACKUPS=$W/demo/backups
    KILLS_ROUND=0
    export KILLS_ROUND
    mkdir -p "$dir/bin" "$keys" "$COZY_BACKUPS"
    cp "$root"/examples/demo/* "$dir"
    ln -s "$SEAWORTHY_BIN" "$dir/bin/seaworthy"
    export PATH=$dir/bin:$PATH
    age-keygen -o "$keys/identity" 2>/dev/null
    edit "s|@RECIPIENT@|$(age-keygen -y "$keys/identity")|"
    for number in 1 2 3; do
        age-keygen -o "$keys/holder-$number" 2>/dev/null
        edit "s|@HOLDER$number@|$(age-keygen -y "$keys/holder-$number")|"
    done
    edit 's/^      RELAY_FAULT: .*/&\n      KILLS_ROUND: "${KILLS_ROUND}"/' compose.yaml
    edit 's|^min_healthy = .*|min_healthy = "1s"|'
}

relay_home() { readlink -f "$SEAWORTHY_STATE_DIR/process/$STACK/containers/$(container relay)"; }

at_relay() { printf '%s\n' --url "http://$address:8080"; }

sw() { "$SEAWORTHY_BIN" --engine process --project-directory "$dir" "$@"; }

command_of() {
    command=("$SEAWORTHY_BIN" --engine process --project-directory "$dir")
    with_arguments "$1"
}

# Nothing is left but the target: as `destroy` leaves it.
before_restore() { expect 0 sw destroy --volumes --confirm "$STACK"; }

# look VERB: what the engine keeps, in words that two runs share.
look() {
    "$root/ci/live/inspected.py" --processes "$SEAWORTHY_STATE_DIR/process" "$(current)" "$KILLS_ROUND"
    kept
}

proven_whole() {
    sets_are_whole
    if [[ $1 == backup ]]; then
        check "$showing: a set was added" test "$(count_sets)" -gt "$sets_before"
    fi
    prove_ledger
}

# One supervisor of a service dies at a random moment of a deploy: its service goes on, and the deploy or the next one
# is done.
supervisors() {
    local round pid code killed=0 again_needed=0 began=$SECONDS
    step "supervisors killed in $SUPERVISORS deploys (SEED=$SEED)"
    for ((round = 1; round <= SUPERVISORS; round++)); do
        showing="deploy $round, a supervisor killed (SEED=$SEED)"
        before_deploy
        again deploy >"$W/said" 2>&1 </dev/null &
        local deploying=$!
        sleep "$((RANDOM % 3)).$((RANDOM % 10))"
        pid=$(pgrep -f "side supervise $W" | shuf -n 1 --random-source=<(yes "$RANDOM") || true)
        if [[ -n $pid ]] && kill -9 "$pid" 2>/dev/null; then killed=$((killed + 1)); fi
        code=0
        wait "$deploying" || code=$?
        if ((code != 0)); then
            again_needed=$((again_needed + 1))
            expect 0 again deploy
        fi
        expect 0 again deploy
        eventually 10 0 sw status
        prove_ledger
    done
    table+=$(printf 'supervisors: %d killed in %d deploys; the command again in %d; %d s' "$killed" "$SUPERVISORS" "$again_needed" "$((SECONDS - began))")$'\n'
}

main
