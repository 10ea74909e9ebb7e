#!/usr/bin/env bash
# One canary for each way in which a secret reaches a stack, looked for wherever no secret may be while every verb runs:
# raw, base64, hex and URL-encoded. Then one is planted in each kind of place, in each form, and found.
#
# What is searched is below $W/kept: `argv` (every program that a verb starts, with its environment, from strace), `said`
# (what verbs print), `samples` (arguments and environment of processes while they ran, ours and those in containers),
# `engine` (its events with each exec's command, settings and labels of containers, their logs), `volumes`; and the state
# directory, the target and the directory for temporary files themselves.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python=$(dirname "${BASH_SOURCE[0]}")/canary.py

main() {
    begin canary
    command -v strace >/dev/null || skip "\`strace\` is not installed"
    cozy "${COZY_STACK:-cozy-canary}"
    trim
    make_canaries
    change_stack
    mkdir -p "$W/kept"/{argv,said,volumes} "$W/tmp"
    "$python" watch "$W/kept" "$STACK" "CANARY_RUN=$W" 2>"$W/watch.err" &
    watching=$!
    background+=("$watching")

    verbs_that_need_no_stack
    from_nothing
    ask_everything
    sets
    mistakes
    releases
    proofs
    copy_what_stays
    step 'none is found while the stack lives, but where it belongs'
    none_found
    the_end
    step 'none is found at the end, but where it belongs'
    none_found
    planted_for_real
    planted_in_each_form
}

# fresh NAME: a value that no quoting, escaping or encoding leaves as it is, but for its middle.
fresh() {
    local random
    random=$(head -c 64 /dev/urandom | base64 -w0 | tr -dc A-Za-z0-9)
    printf 'canary.%s/%s+%s=&%%~' "$1" "${random:0:6}" "${random:6:32}" >"$W/canaries/$1"
    chmod 600 "$W/canaries/$1"
}

make_canaries() {
    local name
    mkdir -m 700 "$W/canaries"
    for name in given secrets-file env-file dot-env; do fresh $name; done
    grep ^AGE-SECRET-KEY- "$keys/identity" >"$W/canaries/identity"
    # As a key of random bytes may be: no line of it is long enough to be told from chance.
    printf 'never\nused\0by-%s\n&%s' "$RANDOM" "$RANDOM$RANDOM" >"$W/canaries/bytes"
}

# The example with each path that it has not got by itself.
change_stack() {
    mkdir "$dir/secrets"
    cp "$W/canaries/secrets-file" "$dir/secrets/plain"
    printf 'FROM_ENV_FILE=%s\n' "$(cat "$W/canaries/env-file")" >"$dir/relay.env"
    printf 'FROM_DOT_ENV=%s\n' "$(cat "$W/canaries/dot-env")" >"$dir/.env"
    # shellcheck disable=SC2016 # Compose expands it.
    edit '/^      RELAY_LISTEN:/i\      OF_DOT_ENV: "${FROM_DOT_ENV}"' compose.yaml
    edit 's/secrets: \[postgres_password, relay_jwt, relay_keystore\]/&\n    env_file: [relay.env]/' compose.yaml
    edit 's/secrets: \[postgres_password, relay_jwt, relay_keystore/&, given, plain/' compose.yaml
    edit '/^secrets:/a\  given:\n    file: ./secrets/given\n  plain:\n    file: ./secrets/plain' compose.yaml
    edit '/^\[secret\]/a given = { type = "given" }'
    edit 's/^min_healthy = .*/min_healthy = "1s"/'
    edit 's/, dev_token = "dev-root"//'
}

# verb CODE ARGUMENT…: the program under strace, with everything it says kept. STDIN names a file for it.
number=100
verb() {
    local wanted=$1 name
    shift
    number=$((number + 1))
    name=$number-$1
    expect "$wanted" traced "$W/kept/argv/$name" "$SEAWORTHY_BIN" --project-directory "${IN:-$dir}" --project-name "$STACK" ${SHAPED:---shape prod} "$@"
    cp "$W/out" "$W/kept/said/$name.out"
    cp "$W/err" "$W/kept/said/$name.err"
}
traced() {
    local log=$1
    shift
    CANARY_RUN=$W TMPDIR=$W/tmp strace --seccomp-bpf -f -v -s 65535 -e trace=execve -o "$log" "$@" <"${STDIN:-/dev/null}"
}

# values_and_all ARGUMENT…: a verb that was asked for what Compose would print, which holds the values of the user's own
# variables and env files. What was declared as a secret is not among them.
values_and_all() {
    local name
    verb 0 "$@"
    name=$W/kept/said/$number-$1
    mv "$name.out" "$W/printed"
    for canary in given secrets-file identity; do
        ! grep -qF "$(cat "$W/canaries/$canary")" "$W/printed" || fail "\`$*\` prints the canary $canary"
    done
}

# both CODE ARGUMENT…: as text, and as JSON.
both() {
    verb "$@"
    verb "$@" --json
}

verbs_that_need_no_stack() {
    step 'init on a copy, and what needs no stack'
    cp -r "$dir" "$W/copy"
    rm "$W/copy/seaworthy.toml"
    IN=$W/copy SHAPED=' ' verb 0 init
    IN=$W/copy SHAPED=' ' verb 0 init --force --json
    mkdir "$W/kept/written"
    cp "$W/copy/seaworthy.toml" "$W/kept/written"
    verb 0 schema
    verb 0 completions bash
    verb 0 explain production
    both 1 preflight
}

from_nothing() {
    step 'bootstrap with a given secret, deploy with shares'
    both 0 plan bootstrap
    verb 0 bootstrap --shares-out "$keys/sealed"
    verb 0 bootstrap --from-file "given=$W/canaries/given"
    gather_shares
    STDIN=$W/canaries/given verb 0 bootstrap --from-stdin given --shares-out "$keys/again" --json
    for number_of in 1 2 3 4 5; do
        age -d -i "$keys/holder-$number_of" "$keys/sealed/share-$number_of.age" >"$W/canaries/share-$number_of"
    done
    both 0 preflight
    both 0 plan deploy
    docker restart "$(container bao)" >/dev/null
    verb 4 deploy
    verb 0 deploy --shares "$keys/shares" --verbose
    collect_made
}

# What bootstrap made: as services were given it, as the key store gave it, and the state directory's own keys.
collect_made() {
    local name
    for name in postgres_password relay_jwt relay_keystore; do
        docker cp "$(container relay):/run/secrets/$name" - | tar -xO >"$W/canaries/$name"
    done
    sed -i 's/^[^:]*://' "$W/canaries/relay_keystore"
    mv "$W/canaries/relay_keystore" "$W/canaries/token"
    age -d -i "$SEAWORTHY_STATE_DIR/identity" "$SEAWORTHY_STATE_DIR/$STACK/secrets/seaworthy-keystore-snapshot/1.age" |
        sed 's/^[^:]*://' >"$W/canaries/token-of-snapshots"
    grep ^AGE-SECRET-KEY- "$SEAWORTHY_STATE_DIR/identity" >"$W/canaries/state-identity"
    cp "$SEAWORTHY_STATE_DIR/signer" "$W/canaries/state-signer"
    cp "$SEAWORTHY_STATE_DIR/fingerprint.key" "$W/canaries/state-fingerprints"
    chmod 600 "$W/canaries"/*
}

ask_everything() {
    step 'everything that only asks, as text and as JSON'
    both 0 render
    values_and_all render --format compose
    values_and_all render --format compose --json
    both 0 status
    both 0 validate
    both 0 logs
    both 0 runs
    both 0 runs show r2
    verb 2 attest nonesuch --who somebody --proof none
}

sets() {
    step 'events, and sets of them'
    write_inside 2
    both 0 backup
    verb 0 backup --json-lines
    both 0 backups
    set=$(newest_set)
    verb 0 plan backup --json
}

# What a person gets wrong must not be repeated to them.
mistakes() {
    step 'mistakes: a secret where something else belongs'
    local wrong=$W/wrong key
    docker restart "$(container bao)" >/dev/null
    both 2 deploy --shares "$W/canaries/given"
    STDIN=$W/canaries/identity anything deploy --shares -
    verb 0 deploy --shares "$keys/shares" --json-lines
    anything drill --identity "$W/canaries/given" --shares "$keys/shares"
    anything drill --identity "$keys/shares" --shares "$keys/identity"
    anything drill --identity "$keys/holder-1" --shares "$keys/shares" --json
    anything restore --identity "$W/canaries/given" --shares "$keys/shares" --json
    for key in restart mem_limit stop_grace_period pull_policy user; do
        rm -rf "$wrong"
        cp -r "$dir" "$wrong"
        # shellcheck disable=SC2016 # Compose expands it.
        printf 'services:\n  relay:\n    %s: "${FROM_DOT_ENV}"\n    ports: ["${FROM_DOT_ENV}:80"]\n' "$key" >"$wrong/compose.wrong.yaml"
        sed -i 's/"compose.prod.yaml"\]/"compose.prod.yaml", "compose.wrong.yaml"]/' "$wrong/seaworthy.toml"
        IN=$wrong anything preflight
        IN=$wrong anything preflight --json
    done
    cat "$W/canaries/dot-env" >>"$dir/relay.env"
    anything preflight
    { printf 'X="'; cat "$W/canaries/dot-env"; } >>"$dir/relay.env"
    anything preflight --json
    printf 'FROM_ENV_FILE=%s\n' "$(cat "$W/canaries/env-file")" >"$dir/relay.env"
}
# anything ARGUMENT…: a verb whose exit code is not the point.
anything() {
    local code=0
    ( W=$W verb 0 "$@" ) >/dev/null 2>&1 || code=$?
    number=$((number + 1))
    cp "$W/out" "$W/kept/said/$number-$1.out"
    cp "$W/err" "$W/kept/said/$number-$1.err"
    [[ -s $W/out || -s $W/err ]] || fail "it says nothing: $*"
}

releases() {
    step 'a bad release, undone; a good one, and back'
    edit 's|^timeout = "60s"|timeout = "6s"|'
    RELAY_FAULT=wrong-json verb 1 deploy --json
    both 0 runs show "$(jq -r .run "$W/out")"
    edit 's|^timeout = "6s"|timeout = "60s"|'
    edit 's/^    expose: \["8080"\]/&\n    stop_grace_period: 9s/' compose.yaml
    verb 0 deploy
    both 0 plan rollback 1
    verb 0 rollback 1 --json
}

proofs() {
    step 'drill, and restore beside the live stack'
    verb 0 drill "$set" --identity "$keys/identity" --shares "$keys/shares"
    STDIN=$keys/identity verb 0 restore --identity - --shares "$keys/shares" --json
    both 0 status
}

# What would be gone after `destroy`: the data as it is in volumes, what containers have written, images, the state.
copy_what_stays() {
    local image
    docker cp "$(container postgres):/var/lib/postgresql/data" - >"$W/kept/volumes/postgres.tar"
    docker cp "$(container bao):/openbao/file" - >"$W/kept/volumes/bao.tar"
    mkdir "$W/kept/relay"
    docker export "$(container relay)" | tar -x -C "$W/kept/relay" --exclude='dev/*'
    for image in $(docker image ls --quiet --filter reference=seaworthy-side); do
        docker image inspect "$image"
        docker image history --no-trunc "$image"
    done >"$W/kept/engine/images"
    mkdir "$W/kept/before-the-end"
    cp -r "$SEAWORTHY_STATE_DIR" "$W/kept/before-the-end/state"
}

the_end() {
    step 'destroy, and restore from the set under its own names'
    verb 4 destroy --volumes
    verb 0 plan destroy --json
    verb 0 destroy --volumes --confirm "$STACK"
    verb 0 restore --identity "$keys/identity" --shares "$keys/shares"
    verb 0 destroy --volumes --confirm "$STACK" --json
}

# Where a canary belongs: the containers it is delivered to, and files of the state directory that are keys. PostgreSQL's
# image puts what POSTGRES_PASSWORD_FILE holds into the environment of its initialisation, by itself.
belongs=(
    'env-file=/engine/env/[^/]*relay-' 'dot-env=/engine/env/[^/]*relay-'
    'env-file=/samples/containers/[^/]*relay-[^/]*/[^/]*\.environ$' 'dot-env=/samples/containers/[^/]*relay-[^/]*/[^/]*\.environ$'
    'given=/relay/run/secrets/given$' 'secrets-file=/relay/run/secrets/plain$' 'token=/relay/run/secrets/relay_keystore$'
    'postgres_password=/relay/run/secrets/postgres_password$' 'relay_jwt=/relay/run/secrets/relay_jwt$'
    'postgres_password=/samples/containers/[^/]*postgres-1/[^/]*\.asked$'
    'state-identity=/state/identity$' 'any-identity=/state/identity$'
    'state-signer=/state/signer$' 'state-fingerprints=/state/fingerprint.key$'
)

looked_at() { "$python" search "$W/canaries" "${belongs[@]}" -- "$W/kept" "$SEAWORTHY_STATE_DIR" "$COZY_BACKUPS" "$W/tmp"; }

none_found() {
    check 'the watcher still watches' kill -0 "$watching"
    looked_at >"$W/said" 2>&1 || fail 'a secret is where none may be'
    figure "$(find "$W/canaries" -type f | wc -l) canaries" "$(tail -n 1 "$W/said")"
    figure 'programs started by verbs' "$(cat "$W/kept/argv"/* | grep -c 'execve(')"
    figure 'processes sampled' "$(find "$W/kept/samples" -name '*.argv' | wc -l)"
    figure 'commands run inside containers' "$(grep -c '"exec_create' "$W/kept/engine/events")"
    check 'our own processes were sampled' compgen -G "$W/kept/samples/own/*.environ"
    check 'commands inside containers were seen' grep -q pg_dump "$W/kept/engine/events"
}

# The search is not blind.
planted_for_real() {
    step 'one planted for real in arguments, environment, a label, an exec, a log: found'
    local value name=$STACK-planted
    value=$(cat "$W/canaries/given")
    traced "$W/kept/argv/planted-argv" sh -c 'sleep 1; :' "$value"
    PLANTED=$value traced "$W/kept/argv/planted-env" sleep 1
    docker run --detach --name "$name" --label "com.docker.compose.project=$STACK" --label "planted=$value" \
        --entrypoint sh "$PG_IMAGE" -c 'sleep 0.5; echo "$0" | base64; exec sleep 60' "$value" >/dev/null
    docker exec "$name" true "$value"
    sleep 2
    docker rm -f "$name" >/dev/null
    expect 1 looked_at
    for place in argv/planted-argv argv/planted-env 'samples/own/[0-9.]*argv' 'samples/own/[0-9.]*environ' \
        "samples/containers/$name/[0-9.]*argv" "engine/inspect/$name" engine/events "engine/logs/$name"; do
        check "it is found in $place" grep -qE "^LEAK given \(.*\) in .*/kept/$place" "$W/out"
    done
}

planted_in_each_form() {
    step 'each canary planted in each form in each kind of file: all found'
    local state=$W/kept/before-the-end/state/$STACK own
    own=$(compgen -G "$W/kept/samples/own/*.environ" | head -n 1)
    check 'each is found, and nothing else' "$python" plant "$W/canaries" "$W/planted" \
        "argv=$(compgen -G "$W/kept/argv/*-deploy" | head -n 1)" "environment=$own" "state=$state/releases/1/release.json" \
        "log=$(compgen -G "$W/kept/engine/logs/$STACK-relay-1.*" | head -n 1)" "journal=$state/runs/r2/journal" \
        "plan=$state/runs/r2/plan.json" "report=$(compgen -G "$W/kept/said/*-drill.out" | tail -n 1)" \
        "manifest=$(find "$COZY_BACKUPS" -name manifest.json | head -n 1)"
    figure '' "$(tail -n 1 "$W/checked")"
}

main
