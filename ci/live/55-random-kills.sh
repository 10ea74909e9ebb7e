#!/usr/bin/env bash
# Deploys of examples/cozy, in shape prod and under load, each with one `kill -9` from outside: of the program, of the
# container engine, or of PostgreSQL, at a random engine call or a random moment. Then the same command again, or the one
# that is printed. Each event that was acknowledged is there, each run ends in a state that has a name, and the last
# deploy is what serves. The engine is one of its own: see own_engine.sh.
#
#   COUNT=200 SEED=… ci/live/55-random-kills.sh      so many deploys; the seed of a run is printed; CI makes 8
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root/ci/live/own_engine.sh"

COUNT=${COUNT:-8}
SEED=${SEED:-$RANDOM}
# What one command gets before it counts as a hang, and how many it may take to be done.
PATIENCE_SECS=150
CALLS=4

outside() {
    begin random-kills
    [[ $(id -u) == 0 ]] || skip 'an engine of its own needs root'
    for need in ip nsenter dockerd; do command -v "$need" >/dev/null || skip "\`$need\` is not installed"; done
    trap 'code=$?; set +e; own_engine_end; (exit $code); finish' EXIT
    step 'an engine of its own, with the images'
    own_engine_begin seaworthy-kills
    export COUNT SEED SEAWORTHY_BIN APPS_BIN
    nsenter "--net=/run/netns/$own" env "DOCKER_HOST=unix://$own_run/docker.sock" "INSIDE=$own" "$0"
}

inside() {
    own=$INSIDE own_data=/var/lib/$INSIDE own_run=/run/$INSIDE
    local round target
    begin random-kills-inside
    RANDOM=$SEED
    echo "       SEED=$SEED COUNT=$COUNT"
    cozy cozy-random
    edit 's/^      RELAY_FAULT: .*/&\n      KILLS_ROUND: "${KILLS_ROUND}"/' compose.yaml
    step 'cozy in shape prod, an uninterrupted deploy'
    bootstrap
    KILLS_ROUND=0
    export KILLS_ROUND
    expect 0 deploy
    member_secret
    took=$(date +%s%3N)
    KILLS_ROUND=1
    expect 0 knife
    took=$(($(date +%s%3N) - took))
    calls=$(jq .calls "$W/struck")
    figure 'a deploy' "$calls calls that change something, $took ms"
    step "$COUNT deploys"
    declare -A struck=([program]=0 [engine]=0 [postgres]=0) ended=() outcomes=()
    printed=0 repeated=0
    for ((round = 1; round <= COUNT; round++)); do
        target=$(printf '%s\n' program engine postgres | sed -n "$((RANDOM % 3 + 1))p")
        struck[$target]=$((struck[$target] + 1))
        deploy_and_kill
    done
    figures
}

deploy_and_kill() {
    local loading code=0 millis=$(((RANDOM * 32768 + RANDOM) % took)) moment
    KILLS_ROUND=$((round + 1))
    showing="deploy $round, $target killed (SEED=$SEED)"
    load 6 20 >"$W/load.json" 2>"$W/load.err" &
    loading=$!
    background+=("$loading")
    if [[ $target == program ]] && ((RANDOM % 2)); then
        moment="call:$((RANDOM % calls + 1)):$([[ $((RANDOM % 2)) == 0 ]] && echo before || echo after)"
        showing+=" at $moment"
        knife --at "$moment" >"$W/said" 2>&1 || code=$?
    else
        showing+=" after $millis ms"
        command_of_deploy
        timeout "$PATIENCE_SECS" "${command[@]}" >"$W/said" 2>&1 </dev/null &
        local deploying=$!
        sleep "$((millis / 1000)).$(printf %03d $((millis % 1000)))"
        kill_target "$deploying"
        wait "$deploying" || code=$?
    fi
    ended[$code]=$((${ended[$code]:-0} + 1))
    cp "$W/said" "$W/said-first"
    recover "$code"
    check_serves
    wait "$loading" || fail "the load client gave events up: $(cat "$W/load.json" "$W/load.err")"
    acknowledged=$((${acknowledged:-0} + $(jq .acknowledged "$W/load.json")))
    prove_ledger
    name_outcomes
}

# kill_target PID: of the deploy that is going on. Only the program itself, not the `timeout` around it.
kill_target() {
    case $target in
        program) pkill -9 -P "$1" || true ;;
        engine) own_engine_kill ;;
        postgres)
            # Between two releases there may be none.
            local pid
            pid=$(docker inspect --format '{{.State.Pid}}' "$(container postgres)" 2>/dev/null || echo 0)
            if ((pid > 0)); then kill -9 "$pid" || true; fi
            ;;
    esac
}

# recover CODE: the same command again, or what is printed, until one says that it is done.
recover() {
    local code=$1 call
    for ((call = 1; call <= CALLS; call++)); do
        case $code in
            0) if ((call > 1)); then return; fi ;;
            4 | 6)
                local words
                words=$(grep -oE 'seaworthy [a-z]+[^`]*' "$W/said" | tail -n 1 | cut -d' ' -f2- || true)
                [[ -n $words ]] || fail "exit $code, and no command is printed"
                printed=$((printed + 1))
                eval "sw $words" >"$W/said" 2>&1 </dev/null || fail "the printed command \`$words\` fails"
                ;;
            1 | 137) ;;
            124) fail 'it hangs' ;;
            *) fail "it ends with $code" ;;
        esac
        code=0
        deploy >"$W/said" 2>&1 </dev/null || code=$?
        repeated=$((repeated + 1))
    done
    ((code == 0)) || fail "call $CALLS still ends with $code"
}

# What was asked for serves: the release, and every service of it.
check_serves() {
    same 'runs that have not ended' '' "$(sw runs --json | jq -r '.runs[] | select(.outcome == "unfinished") | .run')"
    check 'the relay is of this release' grep -qx "KILLS_ROUND=$KILLS_ROUND" \
        <(docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$(container relay)")
    eventually 30 0 sw status
}

# Every run so far ended in a state that has a name.
name_outcomes() {
    local outcome strange
    strange=$(sw runs --json | jq -r '.runs[].outcome' | grep -vxE 'applied|undone|waiting|stuck|unchanged' | sort -u || true)
    same 'states without a name' '' "$strange"
    outcomes=()
    while read -r count outcome; do outcomes[$outcome]=$count; done < <(sw runs --json | jq -r '.runs[].outcome' | sort | uniq -c)
}

command_of_deploy() {
    command=("$SEAWORTHY_BIN" --project-directory "$dir" --project-name "$STACK" --shape prod deploy --shares "$keys/shares")
}

deploy() {
    command_of_deploy
    timeout "$PATIENCE_SECS" "${command[@]}"
}

knife() {
    command_of_deploy
    python3 "$root/ci/live/knife.py" --engine "$own_run/docker.sock" --state "$SEAWORTHY_STATE_DIR" --log "$W/struck" "$@" -- "${command[@]}"
}

figures() {
    local code outcome
    printf '\n%d deploys, %d kills: %d of the program, %d of the engine, %d of PostgreSQL (SEED=%d)\n' \
        "$COUNT" "$COUNT" "${struck[program]}" "${struck[engine]}" "${struck[postgres]}" "$SEED"
    for code in "${!ended[@]}"; do printf '  ended with %-3s        %d\n' "$code" "${ended[$code]}"; done
    for outcome in "${!outcomes[@]}"; do printf '  runs %-16s  %d\n' "$outcome" "${outcomes[$outcome]}"; done
    printf '  commands to recover   %d, of them printed %d\n' "$repeated" "$printed"
    printf '  acknowledged writes   %d, lost 0\n' "$acknowledged"
}

if [[ -n ${INSIDE:-} ]]; then inside; else outside; fi
