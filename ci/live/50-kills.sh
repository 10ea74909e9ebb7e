#!/usr/bin/env bash
# `kill -9` at random moments of deploy, backup and restore, then the same command again: it finishes or unwinds, and
# what is left is what an uninterrupted run leaves. The stack is a small one: PostgreSQL, the relay, and the key store
# for development, so that many moments fit into minutes.
#
#   COUNT=60 SEED=… ci/live/50-kills.sh      a third of COUNT moments for each verb; the seed of a run is printed
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

COUNT=${COUNT:-60}
SEED=${SEED:-$RANDOM}
# What the same command gets before it counts as a hang.
PATIENCE_SECS=90
# The first call after the kill may unwind what was cut short; the second one must be done with it.
CALLS=2

main() {
    begin kills
    SHAPE=small
    cozy "${COZY_STACK:-cozy-kills}"
    small_stack
    RANDOM=$SEED
    echo "       SEED=$SEED COUNT=$COUNT"
    step 'a small stack, with events in it'
    bootstrap
    expect 0 again deploy
    member_secret
    load 3 30 >"$W/load.json"
    secrets_delivered >"$W/secrets-delivered"
    moments deploy
    moments backup
    signer=$(jq -r .signer "$COZY_BACKUPS/$STACK/sets/$(newest_set)/manifest.json")
    moments restore
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

# moments VERB: what an uninterrupted run takes and leaves, then a third of COUNT kills; adds a line to the table.
moments() {
    local verb=$1 began=$SECONDS moment=0 draws=0 millis=0
    step "$verb: an uninterrupted run, for what it takes and leaves"
    declare -gA came=([went-on]=0 [unwound]=0 [not-begun]=0 [exit-1]=0)
    uninterrupted "$verb"
    figure "$verb takes" "$millis ms"
    while ((moment < COUNT / 3)); do
        draws=$((draws + 1))
        ((draws <= COUNT)) || fail "$verb ends too soon to be killed at $((COUNT / 3)) moments"
        "before_$verb" "$draws"
        # A run that was over already was not killed: another moment is drawn.
        kill_at "$verb" $(((RANDOM * 32768 + RANDOM) % millis)) || continue
        moment=$((moment + 1))
        settle "$verb"
        as_uninterrupted "$verb"
    done
    if [[ $verb == restore ]]; then
        in_the_midst_of_the_keys
        moment=$((moment + 1))
    fi
    table+=$(printf '%-8s %3d moments: %2d went on and finished, %2d unwound then finished, %2d had not begun; exit 1 first in %d; %d s' \
        "$verb" "$moment" "${came[went-on]}" "${came[unwound]}" "${came[not-begun]}" "${came[exit-1]}" "$((SECONDS - began))")$'\n'
}

# uninterrupted VERB: twice; the shorter time is in $millis, what the second one left in left-by-VERB.
uninterrupted() {
    local verb=$1 time took
    for time in 1 2; do
        "before_$verb" "$time"
        took=$(now_millis)
        expect 0 again "$verb"
        took=$(($(now_millis) - took))
        if ((time == 1 || took < millis)); then millis=$took; fi
        proven_whole "$verb"
    done
    look "$verb" >"$W/left-by-$verb"
}

as_uninterrupted() {
    look "$1" >"$W/left-now"
    diff "$W/left-by-$1" "$W/left-now" >"$W/said" || fail "$showing: not what an uninterrupted run leaves"
    proven_whole "$1"
}

# One moment less left to chance: the store is made and its snapshot is not in, so it is unwound, and begun again there.
in_the_midst_of_the_keys() {
    before_restore 2
    showing='restore killed when its key store was half there'
    command_of restore
    "${command[@]}" >"$W/said" 2>&1 </dev/null &
    local pid=$! journal=$SEAWORTHY_STATE_DIR/$STACK/runs/r1/journal given_up=$((SECONDS + PATIENCE_SECS))
    until grep -q '"started","step":"restore-bao"' "$journal" 2>/dev/null; do
        ((SECONDS < given_up)) || fail "$showing: it never came so far"
    done
    # Making the store takes so long; where this hits it sooner or later, that is a moment as good as any other.
    sleep 0.03
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
    cut_short=$(runs_with unfinished)
    settle restore
    as_uninterrupted restore
}

now_millis() { date +%s%3N; }

# kill_at VERB MILLIS: begins it and kills the program, and nothing else, after so long. False when its run was over.
kill_at() {
    local verb=$1 millis=$2 pid newest
    showing="$verb killed after $millis ms (SEED=$SEED)"
    newest=$(newest_run)
    command_of "$verb"
    "${command[@]}" >"$W/said" 2>&1 </dev/null &
    pid=$!
    sleep "$((millis / 1000)).$(printf %03d $((millis % 1000)))"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    cut_short=$(runs_with unfinished)
    [[ -n $cut_short || $(newest_run) == "$newest" ]]
}

newest_run() { sw runs --json | jq -r '.runs[0].run // "none"'; }

# settle VERB: the same command again, until it is done.
settle() {
    local verb=$1 call code
    for ((call = 1; call <= CALLS; call++)); do
        code=0
        again "$verb" >"$W/said" 2>&1 </dev/null || code=$?
        case $code in
            0) break ;;
            1) came[exit-1]=$((came[exit-1] + 1)) ;;
            124) fail "$showing: the same command again hangs" ;;
            *) fail "$showing: the same command again ends with $code" ;;
        esac
        ((call < CALLS)) || fail "$showing: call $call still ends with 1"
    done
    same "runs that have not ended, $showing" '' "$(runs_with unfinished)"
    if [[ -z $cut_short ]]; then
        came[not-begun]=$((came[not-begun] + 1))
    elif grep -qx "$cut_short" <<<"$(runs_with applied)"; then
        came[went-on]=$((came[went-on] + 1))
    else
        came[unwound]=$((came[unwound] + 1))
    fi
    cut_short=
}

runs_with() { sw runs --json | jq -r --arg outcome "$1" '.runs[] | select(.outcome == $outcome) | .run'; }

again() {
    command_of "$1"
    timeout "$PATIENCE_SECS" "${command[@]}"
}

# The program itself, not a function around it: it is its process that is killed.
command_of() {
    command=("$SEAWORTHY_BIN" --project-directory "$dir" --project-name "$STACK" --shape "$SHAPE" "$1")
    case $1 in
        deploy) command+=(--shares "$keys/shares") ;;
        restore) command+=(--identity "$keys/identity" --signer "$signer" --shares "$keys/shares") ;;
    esac
}

# A changed release.
before_deploy() { KILLS_ROUND=$((KILLS_ROUND + 1)); }

before_backup() { sets_before=$(count_sets); }
count_sets() { find "$COZY_BACKUPS" -name manifest.json | wc -l; }

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
    echo 'containers, and whoever is in their networks:'
    {
        docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$STACK"
        docker ps -aq --no-trunc --filter "network=${STACK}_edge" --filter "network=${STACK}_internal"
        of_project container "$STACK" | xargs -r docker inspect --format '{{.Id}}'
    } | sort -u | xargs -r docker inspect --format "$container_words" | relative | sort
    echo 'volumes:' && of_project volume "$STACK" | sort
    echo 'networks:' && of_project network "$STACK" | sort
    echo 'state directory:' && ls "$SEAWORTHY_STATE_DIR"
    echo 'secrets:' && find "$SEAWORTHY_STATE_DIR/$STACK/secrets" -printf '%P %m\n' | sort
    echo 'releases:' && same 'good' "$(current)" "$(cat "$SEAWORTHY_STATE_DIR/$STACK/good")"
    name=$SEAWORTHY_STATE_DIR/$STACK/releases
    find "$name/$(current)" -printf '%P %m\n' | sort
    find "$name" -maxdepth 1 -mindepth 1 ! -regex '.*/[0-9]+' -printf 'strange: %P\n'
}
container_words='{{.Name}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}} {{.Config.Image}} {{index .Config.Labels "com.docker.compose.service"}} round {{.Config.Env}} release {{index .Config.Labels "seaworthy.release"}}'

# The release that is current, and the round of the change, by their meaning.
relative() { sed -e "s/ release $(current)\$/ release current/" -e "s/KILLS_ROUND=$KILLS_ROUND\>/KILLS_ROUND=this/" -e 's/ release [0-9]*$/ release earlier/'; }

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

# Each directory is a set that is listed, and holds what its manifest names, byte for byte, and nothing else.
sets_are_whole() {
    expect 0 sw backups --json
    python3 - "$COZY_BACKUPS/$STACK/sets" "$W/out" <<'PY' >"$W/checked" 2>&1 || fail "$showing: $(tail -n 1 "$W/checked")"
import hashlib, json, os, sys
home, listed = sys.argv[1], {line["set"] for line in json.load(open(sys.argv[2]))["sets"]}
there = set(os.listdir(home)) if os.path.isdir(home) else set()
if there != listed:
    sys.exit(f"sets there and sets listed differ: {sorted(there ^ listed)}")
for name in there:
    objects = json.load(open(f"{home}/{name}/manifest.json"))["manifest"]["objects"]
    files = set(os.listdir(f"{home}/{name}")) - {"manifest.json"}
    if files != {it["name"] for it in objects}:
        sys.exit(f"set {name} holds {sorted(files)}")
    for it in objects:
        held = open(f"{home}/{name}/{it['name']}", "rb").read()
        if (len(held), hashlib.sha256(held).hexdigest()) != (it["sealed_bytes"], it["sealed_sha256"]):
            sys.exit(f"{it['name']} of set {name} is not what its manifest says")
PY
}

table=
cut_short=
main
