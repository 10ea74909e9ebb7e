# What live scenarios share: a workspace that goes away again, steps that are told, exit codes that are asserted.
#
#   . ci/live/lib.sh
#   begin NAME                       the workspace $W; everything below it, and every project given to `owns`, goes at the end
#   cozy NAME                        a copy of examples/cozy as project NAME: keys, holders, ports; then `sw VERB …`
#   step 'what is shown'             told, with the minute it began
#   expect CODE COMMAND…             runs it and asserts its exit code; `said TEXT` and `unsaid TEXT` look at what it said
#   check 'what must be' COMMAND…    asserts that a command succeeds
#
# SEAWORTHY_BIN and APPS_BIN name the programs; else the newest of target/release and target/debug.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export TRAEFIK_IMAGE=${TRAEFIK_IMAGE:-seaworthy-ci/traefik:3} PG_IMAGE=${PG_IMAGE:-seaworthy-ci/postgres:15}
export BAO_IMAGE=${BAO_IMAGE:-seaworthy-ci/vault:1.21} RELAY_IMAGE=${RELAY_IMAGE:-seaworthy-ci/relay:1}
export NO_COLOR=1
# Nothing of the caller's reaches the stack by accident.
unset RELAY_RELEASE RELAY_FAULT SEAWORTHY_STATE_DIR COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_PROFILES
W=
projects=()
background=()
showing='the preparation'

begin() {
    scenario=$1
    local need
    for need in docker age-keygen age zstd openssl basenc jq python3; do
        command -v "$need" >/dev/null || skip "\`$need\` is not installed"
    done
    docker info >/dev/null 2>&1 || skip "no container engine answers"
    for need in "$TRAEFIK_IMAGE" "$PG_IMAGE" "$BAO_IMAGE" "$RELAY_IMAGE"; do
        docker image inspect "$need" >/dev/null 2>&1 || skip "image \`$need\` is not here: ci/peers/images.sh"
    done
    SEAWORTHY_BIN=${SEAWORTHY_BIN:-$(newest seaworthy)}
    APPS_BIN=${APPS_BIN:-$(newest apps)}
    W=$(mktemp -d "${TMPDIR:-/tmp}/seaworthy-$scenario.XXXXXX")
    trap finish EXIT
    trap 'exit 130' INT TERM
    echo "== $scenario, in $W"
}

# A scenario whose component is missing has not passed where CI insists.
skip() {
    echo "skipped: $scenario: $1"
    if [[ ${SEAWORTHY_LIVE:-} == 1 ]]; then exit 1; fi
    exit 0
}

newest() {
    local found
    found=$(ls -t "${CARGO_TARGET_DIR:-$root/target}"/{release,debug}/"$1" 2>/dev/null | head -n 1 || true)
    [[ -n $found ]] || fail "\`$1\` is not built: cargo build -p $1"
    printf %s "$found"
}

step() {
    showing=$1
    printf '%4ds  %s\n' "$SECONDS" "$1"
}

figure() { printf '       %-34s %s\n' "$1" "$2"; }

fail() {
    printf '\nFAILED: %s\n  while: %s\n' "$1" "$showing" >&2
    if [[ -s $W/said ]]; then
        printf '  the last command said:\n' >&2
        tail -n 40 "$W/said" | sed 's/^/    /' >&2
    fi
    exit 1
}

# expect CODE COMMAND…: both streams are kept in $W/said, stdout alone in $W/out.
expect() {
    local wanted=$1 code=0
    shift
    "$@" >"$W/out" 2>"$W/err" </dev/null || code=$?
    cat "$W/out" "$W/err" >"$W/said"
    [[ $code == "$wanted" ]] || fail "exit code $code, not $wanted: $*"
}

# eventually SECONDS CODE COMMAND…: as expect, tried again for so long.
eventually() {
    local until=$((SECONDS + $1)) wanted=$2
    shift 2
    until (expect "$wanted" "$@") 2>/dev/null; do
        [[ $SECONDS -lt $until ]] || expect "$wanted" "$@"
        sleep 1
    done
}

said() { grep -qF -- "$1" "$W/said" || fail "it did not say: $1"; }
unsaid() { ! grep -qF -- "$1" "$W/said" || fail "it said: $1"; }
check() {
    local what=$1
    shift
    "$@" >"$W/checked" 2>&1 || fail "$what: $(tail -n 5 "$W/checked")"
}
same() { [[ $2 == "$3" ]] || fail "$1: it is \`$3\`, not \`$2\`"; }

# A port of this machine that nobody holds.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# owns PROJECT: what the engine holds of it, and of its throwaways, is removed at the end, and now: a scenario that was
# killed left something.
owns() {
    projects+=("$1")
    wipe "$1"
}

# of_project KIND PROJECT: what the engine holds of a project, of its drills and of what was restored beside it, by name.
of_project() {
    local kind=$1 project=$2 all=() name=Name
    if [[ $kind == container ]]; then all=(--all) name=Names; fi
    docker "$kind" ls "${all[@]}" --format '{{.Label "com.docker.compose.project"}} {{.'"$name"'}}' |
        awk -v p="$project" '$1 == p || index($1, p "-drill-") == 1 || index($1, p "-restore-") == 1 { print $2 }'
}

wipe() {
    local project=$1
    # What goes by itself meanwhile is no mistake.
    of_project container "$project" | xargs -r docker rm -fv >/dev/null 2>&1 || true
    of_project network "$project" | xargs -r docker network rm >/dev/null 2>&1 || true
    of_project volume "$project" | xargs -r docker volume rm -f >/dev/null 2>&1 || true
}

finish() {
    local code=$? pid project
    trap - EXIT INT TERM
    set +e
    for pid in "${background[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    if [[ $code != 0 && -n ${KEEP:-} ]]; then
        echo "kept: $W and the projects ${projects[*]}" >&2
        exit "$code"
    fi
    for project in "${projects[@]}"; do wipe "$project"; done
    rm -rf "$W"
    if [[ $code == 0 ]]; then echo "== $scenario: passed in ${SECONDS}s"; else echo "== $scenario: FAILED after ${SECONDS}s" >&2; fi
    exit "$code"
}

# cozy PROJECT: a copy of the example to change, with five holders of shares and one custodian of sets.
cozy() {
    STACK=$1
    owns "$STACK"
    dir=$W/cozy
    keys=$W/keys
    export SEAWORTHY_STATE_DIR=$W/state COZY_BACKUPS=$W/target
    COZY_HTTP_PORT=$(free_port)
    COZY_HTTPS_PORT=$(free_port)
    export COZY_HTTP_PORT COZY_HTTPS_PORT
    mkdir "$dir" "$keys" "$COZY_BACKUPS"
    tar -c -C "$root/examples/cozy" --exclude=./life --exclude=./secrets --exclude=./backups . | tar -x -C "$dir"
    local number holders=()
    age-keygen -o "$keys/identity" 2>/dev/null
    for number in 1 2 3 4 5; do
        age-keygen -o "$keys/holder-$number" 2>/dev/null
        holders+=("\"$(age-keygen -y "$keys/holder-$number")\"")
    done
    local declared
    declared=$(IFS=,; echo "${holders[*]}")
    edit "s|holders = \[\]|holders = [$declared]|"
    edit "s|^\[backup\]|&\nrecipients = [\"$(age-keygen -y "$keys/identity")\"]|"
    edit "s|^publishes = \[80, 443\]|publishes = [$COZY_HTTP_PORT, $COZY_HTTPS_PORT]|"
}

# edit SED [FILE]: changes a file of the copy; an edit that changes nothing is a mistake.
edit() {
    local file=$dir/${2:-seaworthy.toml}
    cp "$file" "$W/before-edit"
    sed -i "$1" "$file"
    ! cmp -s "$file" "$W/before-edit" || fail "the edit \`$1\` changes nothing in $file"
}

sw() { "$SEAWORTHY_BIN" --project-directory "$dir" --project-name "${AS:-$STACK}" --shape "${SHAPE:-prod}" "$@"; }

# Three of the five shares, as three holders would bring them, into $keys/shares.
gather_shares() {
    local number
    for number in "${@:-1 3 5}"; do
        for number in $number; do
            age -d -i "$keys/holder-$number" "$keys/sealed/share-$number.age"
            echo
        done
    done | grep . >"$keys/shares"
    chmod 600 "$keys/shares"
}

# bootstrap: secrets, ceremony, shares to their holders.
bootstrap() {
    expect 0 sw bootstrap --shares-out "$keys/sealed"
    gather_shares
}

container() { printf '%s-%s-1' "$STACK" "$1"; }
label() { docker inspect --format '{{index .Config.Labels "'"$2"'"}}' "$1"; }
phase() { docker inspect --format '{{.State.Status}}' "$1" 2>/dev/null || echo gone; }
current() { cat "$SEAWORTHY_STATE_DIR/$STACK/current"; }
newest_set() { sw backups --json 2>/dev/null | jq -r '.sets[0].id // .sets[0].set'; }

# How to reach the relay as its members do.
at_relay() { printf '%s\n' --url "https://127.0.0.1:$COZY_HTTPS_PORT" --host-header relay.cozy.localhost --insecure-tls; }

# The secret that members sign with: as the relay has it.
member_secret() {
    docker cp "$(container relay):/run/secrets/relay_jwt" - | tar -xO >"$keys/member"
    chmod 600 "$keys/member"
}

# load SECONDS [RATE]: writes, and fails when an event was given up.
load() {
    mapfile -t where < <(at_relay)
    "$APPS_BIN" load "${where[@]}" --rate "${2:-40}" --seconds "$1" --patience 90 --ledger "$W/ledger" --secret-file "$keys/member"
}

# load_while SECONDS COMMAND…: the command under load; what came of the load is in $W/load.json.
load_while() {
    local seconds=$1 loading
    shift
    load "$seconds" >"$W/load.json" 2>"$W/load.err" &
    loading=$!
    background+=("$loading")
    sleep 1
    "$@"
    wait "$loading" || fail "the load client gave events up: $(cat "$W/load.json" "$W/load.err")"
    same "events given up" 0 "$(jq .failed "$W/load.json")"
}

# prove_ledger [ARGUMENT…]: nothing acknowledged is lost, moved, changed or doubled, and the order has no gap.
prove_ledger() {
    mapfile -t where < <(at_relay)
    "$APPS_BIN" load verify "${where[@]}" --ledger "$W/ledger" "$@" >"$W/proof.json" 2>"$W/proof.err" ||
        fail "the ledger is not proven: $(cat "$W/proof.json" "$W/proof.err")"
    same "problems" 0 "$(jq '.problems | length' "$W/proof.json")"
}

# trim: the copy without its edge, for scenarios that are about something else. Events are then written from inside.
trim() {
    edit '/^  traefik:/,/^  relay:/{/^  relay:/!d}' compose.yaml
    edit '/^  traefik:/,/^  bao:/{/^  bao:/!d}' compose.prod.yaml
    edit '/^\[service.traefik\]/,/^$/d'
    edit "s|^publishes = \[$COZY_HTTP_PORT, $COZY_HTTPS_PORT\]|publishes = []|"
    edit '/^origins/d'
}

# write_inside SECONDS [RATE]: events from a container on the relay's own network, where nothing is published.
write_inside() {
    docker cp "$(container relay):/run/secrets/relay_jwt" - | tar -xO >"$keys/member"
    local writer=$STACK-writer
    docker rm -f "$writer" >/dev/null 2>&1 || true
    docker create --name "$writer" --label "com.docker.compose.project=$STACK-drill-writer" --network "${STACK}_edge" "$RELAY_IMAGE" \
        load --url http://relay:8080 --rate "${2:-40}" --seconds "$1" --patience 30 --ledger /tmp/ledger --secret-file /tmp/member >/dev/null
    chmod 644 "$keys/member"
    docker cp -q "$keys/member" "$writer:/tmp/member" 2>/dev/null || docker cp "$keys/member" "$writer:/tmp/member" >/dev/null
    docker start --attach "$writer" >"$W/load.json" 2>"$W/load.err" || fail "events were given up: $(cat "$W/load.json" "$W/load.err")"
    docker rm -f "$writer" >/dev/null
}
