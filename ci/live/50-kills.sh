#!/usr/bin/env bash
# `kill -9` from outside before and after every engine call and journal write of deploy, rollback, backup, restore and
# drill, then the same command again: it finishes or unwinds, and what `docker inspect` says at the end is what it says
# after an uninterrupted run. What kills is `knife.py`: a socket before the engine's, and a watch on the journals; nothing
# in the program knows of it. The stack is a small one: PostgreSQL, the relay, and the key store for development, so that
# many moments fit into minutes.
#
#   ci/live/50-kills.sh          every so many moments, as CI does it
#   FULL=1 ci/live/50-kills.sh   every moment; VERBS="deploy drill" picks some, EVERY=N each Nth
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$root/ci/live/kills.sh"

# Where each run takes longer fewer of its moments fit into the minutes that CI gives.
declare -A STRIDE=([deploy]=13 [rollback]=15 [backup]=9 [restore]=60 [drill]=69)

main() {
    local verb
    begin kills
    SHAPE=small
    cozy "${COZY_STACK:-cozy-kills}"
    small_stack
    socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
    heard=(--engine "${socket#unix://}")
    step 'a small stack, with events in it'
    bootstrap
    expect 0 again deploy
    member_secret
    load 3 30 >"$W/load.json"
    secrets_delivered >"$W/secrets-delivered"
    expect 0 sw backup
    signer=$(jq -r .signer "$COZY_BACKUPS/$STACK/sets/$(newest_set)/manifest.json")
    for verb in $VERBS; do moments "$verb"; done
    printf '\n%s' "$table"
}

# The example without its edge, with a key store that starts in no time, asked from here through a port of its own.
small_stack() {
    trim
    KILLS_PORT=$(free_port)
    KILLS_ROUND=0
    export KILLS_PORT KILLS_ROUND
    cat >"$dir/compose.small.yaml" <<'YAML'
services:
  relay:
    environment:
      KILLS_ROUND: "${KILLS_ROUND}"
    ports: ["127.0.0.1:${KILLS_PORT}:8080"]
  postgres:
    healthcheck:
      interval: 500ms
  bao:
    image: ${RELAY_IMAGE}
    user: "0:0"
    command: !override [keystore, --data, /data]
    environment: !reset null
    volumes: !override ["baodata:/data"]
YAML
    edit 's/^min_healthy = .*/min_healthy = "1s"/'
    edit 's/, dev_token = "dev-root"//'
    edit "s|^\[secret\]|[shape.small]\nfiles = [\"compose.yaml\", \"compose.small.yaml\"]\npublishes = [$KILLS_PORT]\n\n&|"
}

at_relay() { printf '%s\n' --url "http://127.0.0.1:$KILLS_PORT"; }

# The program itself, not a function around it: it is its process that is killed.
command_of() {
    command=("$SEAWORTHY_BIN" --project-directory "$dir" --project-name "$STACK" --shape "$SHAPE")
    with_arguments "$1"
}

# Nothing is left but the target: by turns as `destroy` leaves it, and with the machine lost.
before_restore() {
    if (($1 % 2)); then
        expect 0 sw destroy --volumes --confirm "$STACK"
    else
        wipe "$STACK"
        rm -rf "$SEAWORTHY_STATE_DIR"
    fi
}

# look VERB: what is there, in words that two runs share: releases have other numbers, and containers other ids.
look() {
    local name
    "$root/ci/live/inspected.py" "$STACK" "$(current)" "$KILLS_ROUND"
    kept
}
# proven_whole VERB: every set is whole, the secrets are the same, the relay answers and has lost nothing.
proven_whole() {
    sets_are_whole
    if [[ $1 == backup ]]; then
        check "$showing: a set was added" test "$(count_sets)" -gt "$sets_before"
    fi
    secrets_delivered >"$W/secrets-now"
    diff "$W/secrets-delivered" "$W/secrets-now" >"$W/said" || fail "$showing: the secrets are others"
    prove_ledger
}

# What the services read as their secrets, hashed.
secrets_delivered() {
    local service
    for service in relay postgres; do
        docker cp "$(container "$service"):/run/secrets" - | tar -x --to-command='echo "$TAR_FILENAME $(sha256sum)"'
    done | sort
}

main
